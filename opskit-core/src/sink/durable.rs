//! Files that are on the disk when we say so, and names that appear at once.

use crate::error::{Error, ErrorKind, Result, storage};
use crate::name::random_hex;
use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

/// Large enough that a page of Parquet is one or two calls.
const BUFFER_BYTES: usize = 256 << 10;

/// Who may look at what is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Readers {
    /// Whom the umask lets.
    Umask,
    /// The user alone.
    Owner,
}

impl Readers {
    fn file_mode(self) -> u32 {
        match self {
            Self::Umask => 0o666,
            Self::Owner => 0o600,
        }
    }

    fn directory_mode(self) -> u32 {
        match self {
            Self::Umask => 0o777,
            Self::Owner => 0o700,
        }
    }
}

/// Makes a directory and those above it, where they are not there.
pub(super) fn make_directory(path: &Path, readers: Readers) -> Result<()> {
    let mut builder = DirBuilder::new();
    let made = builder
        .recursive(true)
        .mode(readers.directory_mode())
        .create(path);
    made.map_err(|source| {
        storage(
            format!("cannot make directory \"{}\"", path.display()),
            source,
        )
    })
}

/// Makes a directory, where it is not there, that nobody else can look into.
pub(crate) fn make_private_directory(path: &Path) -> Result<()> {
    make_directory(path, Readers::Owner)
}

/// Creates a file, or empties the one that an earlier try left; never follows a link.
pub(crate) fn create_file(path: &Path, readers: Readers) -> Result<BufWriter<File>> {
    let file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(readers.file_mode())
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(path)
        .map_err(|source| storage(format!("cannot create \"{}\"", path.display()), source))?;
    Ok(BufWriter::with_capacity(BUFFER_BYTES, file))
}

/// Writes out what is buffered and waits until the disk has it.
pub(crate) fn sync_file(file: BufWriter<File>, name: &str) -> Result<()> {
    let failed = |source| storage(format!("cannot write \"{name}\""), source);
    let file = file
        .into_inner()
        .map_err(|error| failed(error.into_error()))?;
    file.sync_all().map_err(failed)
}

/// Waits until the disk has the names in a directory.
pub(crate) fn sync_directory(path: &Path) -> Result<()> {
    let path = if path.as_os_str().is_empty() {
        Path::new(".")
    } else {
        path
    };
    let synced = File::open(path).and_then(|directory| directory.sync_all());
    synced.map_err(|source| {
        storage(
            format!("cannot sync directory \"{}\"", path.display()),
            source,
        )
    })
}

/// Waits until the disk has the names in a directory and in all below it.
pub(crate) fn sync_tree(path: &Path) -> Result<()> {
    let failed = |source| {
        storage(
            format!("cannot read directory \"{}\"", path.display()),
            source,
        )
    };
    for entry in std::fs::read_dir(path).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        if entry.file_type().map_err(failed)?.is_dir() {
            sync_tree(&entry.path())?;
        }
    }
    sync_directory(path)
}

/// Gives `from` the name `to`, which must not exist, and waits until the disk has it.
pub(super) fn rename_new(from: &Path, to: &Path) -> Result<()> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Ok(()) => {}
        Err(rustix::io::Errno::EXIST | rustix::io::Errno::NOTEMPTY) => return Err(exists(to)),
        // Some file systems do not know the flag; then the look before is all there is.
        Err(rustix::io::Errno::INVAL | rustix::io::Errno::NOSYS) => {
            if to.symlink_metadata().is_ok() {
                return Err(exists(to));
            }
            std::fs::rename(from, to).map_err(|source| rename_failed(to, source))?;
        }
        Err(errno) => return Err(rename_failed(to, errno.into())),
    }
    sync_directory(to.parent().unwrap_or(Path::new(".")))
}

/// Gives `from` the name `to`, in place of what has it, and waits until the disk has it.
pub(super) fn rename_over(from: &Path, to: &Path) -> Result<()> {
    std::fs::rename(from, to).map_err(|source| rename_failed(to, source))?;
    sync_directory(to.parent().unwrap_or(Path::new(".")))
}

/// Removes a file, if it is there, and waits until the disk knows.
pub(crate) fn remove(path: &Path) -> Result<()> {
    match std::fs::remove_file(path) {
        Ok(()) => sync_directory(path.parent().unwrap_or(Path::new("."))),
        Err(source) if source.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(storage(
            format!("cannot remove \"{}\"", path.display()),
            source,
        )),
    }
}

fn rename_failed(to: &Path, source: std::io::Error) -> Error {
    storage(format!("cannot give \"{}\" its name", to.display()), source)
}

pub(super) fn exists(path: &Path) -> Error {
    Error::new(
        ErrorKind::Storage,
        format!("\"{}\" exists already", path.display()),
    )
    .with_hint("Choose another name, or remove it first; nothing is overwritten unasked.")
}

/// The longest name that file systems take, less what we put around it: a dot, `.partial-` and digits,
/// and the suffix of a side file.
const STAGED_MAX: usize = 255 - 1 - ".partial-".len() - 16 - ".exact".len();

/// A temporary name beside `target`, which nobody else has; `None` when `target` names nothing.
pub(super) fn staging_path(target: &Path) -> Option<PathBuf> {
    let name = target.file_name()?.to_string_lossy();
    let name = &name[..name.floor_char_boundary(STAGED_MAX)];
    Some(target.with_file_name(format!(".{name}.partial-{}", random_hex())))
}

/// Writes a small file that appears whole under a name that nothing has, and waits until the disk has it.
/// Nobody else can read it.
pub(crate) fn write_new(path: &Path, bytes: &[u8]) -> Result<()> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let draft = staging_path(path).unwrap_or_default();
    let written = write_draft(&draft, bytes, &name).and_then(|()| rename_new(&draft, path));
    if written.is_err() {
        // Nothing better can be done with it.
        let _ = std::fs::remove_file(&draft);
    }
    written
}

fn write_draft(draft: &Path, bytes: &[u8], name: &str) -> Result<()> {
    let mut file = create_file(draft, Readers::Owner)?;
    file.write_all(bytes)
        .map_err(|source| storage(format!("cannot write \"{name}\""), source))?;
    sync_file(file, name)
}
