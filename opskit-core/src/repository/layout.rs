//! The names within a repository, and the way from a name to a file that cannot leave it.
//!
//! ```text
//! opskit-repository.json                             version and identity
//! backups/<id>/manifest.json                         written last: the commit
//! backups/<id>/manifest.sealed                       what the backup holds
//! backups/<id>/schema/pre-data.sql, post-data.sql    for people and `psql`
//! backups/<id>/schema/facts, model                   for restore and comparison
//! backups/<id>/data/<schema>.<table>/part-00000.*    the rows
//! backups/<id>/writer.lock                           while it is written
//! history/<time>-<id>.json                           one record per run
//! history/<kind>-<time>-<random>-<id>.json           and one per verification, drill, pin and removal
//! pins/<id>.json                                     keeps a backup
//! ```

use crate::error::{Error, ErrorKind, Result, storage};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};
use std::fs::File;
use std::io::Read as _;
use std::os::fd::OwnedFd;
use std::path::Path;

pub(super) const HEADER: &str = "opskit-repository.json";
pub(super) const BACKUPS: &str = "backups";
pub(super) const HISTORY: &str = "history";
pub(super) const MANIFEST: &str = "manifest.json";
pub(crate) const SEALED: &str = "manifest.sealed";
pub(super) const LOCK: &str = "writer.lock";
/// What the names of the rows' objects start with.
pub(super) const DATA_PREFIX: &str = "data/";

/// The model as JSON.
pub const MODEL: &str = "schema/model";
/// The facts as JSON.
pub const FACTS: &str = "schema/facts";
/// The roles and what is set for the database, as JSON.
pub const CLUSTER: &str = "schema/cluster";
/// What comes before the rows, for `psql`.
pub const PRE_DATA: &str = "schema/pre-data.sql";
/// What comes after the rows, for `psql`.
pub const POST_DATA: &str = "schema/post-data.sql";

/// The longest component of a path.
const COMPONENT_MAX: usize = 255;
/// How deep objects stand at most.
const DEPTH_MAX: usize = 3;

/// Refuses a name that no writer of ours gives: other characters, a leading dot, an absolute path.
pub(super) fn check_object_name(name: &str) -> Result<()> {
    let whole = name.split('/').count() <= DEPTH_MAX
        && name.split('/').all(is_component)
        && name != MANIFEST
        && name != LOCK;
    if whole {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Damaged,
        format!("{name:?} is no name of an object of a backup"),
    ))
}

fn is_component(text: &str) -> bool {
    let plain =
        |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"_-.~".contains(&byte);
    let upper_hex =
        |byte: Option<&u8>| byte.is_some_and(|b| b.is_ascii_digit() || (b'A'..=b'F').contains(b));
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        at += match bytes[at] {
            b'%' if upper_hex(bytes.get(at + 1)) && upper_hex(bytes.get(at + 2)) => 3,
            byte if plain(byte) => 1,
            _ => return false,
        };
    }
    !bytes.is_empty() && bytes[0] != b'.' && bytes.len() <= COMPONENT_MAX
}

/// A directory that was opened, and below which no symbolic link is followed: whoever can write
/// into a repository must not make a reader look elsewhere.
#[derive(Debug)]
pub(super) struct Root(OwnedFd);

impl Root {
    /// Opens a directory. The path itself may lead over links: it is the user's.
    pub(super) fn open(path: &Path) -> Result<Self> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let opened = openat(CWD, path, flags, Mode::empty());
        opened
            .map(Self)
            .map_err(|errno| cannot_open(&path.display().to_string(), errno))
    }

    /// Opens a directory below.
    pub(super) fn folder(&self, name: &str) -> Result<Self> {
        self.walk(name, OFlags::DIRECTORY).map(Self)
    }

    /// Opens a file below, which must be a plain one, and tells its size.
    pub(super) fn file(&self, name: &str) -> Result<(File, u64)> {
        // A pipe would make the open wait.
        let file = File::from(self.walk(name, OFlags::NONBLOCK)?);
        let metadata = file
            .metadata()
            .map_err(|source| storage(format!("cannot look at \"{name}\""), source))?;
        if metadata.is_file() {
            return Ok((file, metadata.len()));
        }
        Err(Error::new(
            ErrorKind::Damaged,
            format!("\"{name}\" is no plain file"),
        ))
    }

    /// Reads a small file whole.
    pub(super) fn read(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>> {
        let (file, bytes) = self.file(name)?;
        if bytes > bytes_max {
            return Err(Error::new(
                ErrorKind::Damaged,
                format!("\"{name}\" has {bytes} bytes, more than the {bytes_max} that are read"),
            ));
        }
        let mut read = Vec::with_capacity(bytes as usize);
        file.take(bytes_max)
            .read_to_end(&mut read)
            .map_err(|source| storage(format!("cannot read \"{name}\""), source))?;
        Ok(read)
    }

    /// Whether there is something of this name, of any kind.
    pub(super) fn has(&self, name: &str) -> bool {
        statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW).is_ok()
    }

    fn walk(&self, name: &str, last: OFlags) -> Result<OwnedFd> {
        let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOFOLLOW;
        let mut components = name.split('/').peekable();
        let mut open: Option<OwnedFd> = None;
        while let Some(component) = components.next() {
            let kind = if components.peek().is_some() {
                OFlags::DIRECTORY
            } else {
                last
            };
            let below = open.as_ref().unwrap_or(&self.0);
            let next = openat(below, component, flags | kind, Mode::empty());
            open = Some(next.map_err(|errno| cannot_open(name, errno))?);
        }
        open.ok_or_else(|| Error::new(ErrorKind::Internal, "an empty path was walked"))
    }
}

fn cannot_open(name: &str, errno: rustix::io::Errno) -> Error {
    use rustix::io::Errno;
    match errno {
        Errno::NOENT => Error::new(ErrorKind::NotFound, format!("\"{name}\" is not there")),
        Errno::LOOP | Errno::MLINK => Error::new(
            ErrorKind::Damaged,
            format!("\"{name}\" leads over a symbolic link"),
        ),
        Errno::NOTDIR => Error::new(
            ErrorKind::Damaged,
            format!("\"{name}\" does not lead over directories"),
        ),
        errno => storage(format!("cannot open \"{name}\""), errno.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::QualifiedName;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn every_name_that_we_give_is_taken(schema in "\\PC{1,63}", name in "\\PC{1,63}") {
            let path = QualifiedName::new(schema, name).to_path();
            let object = format!("data/{path}/part-00000.pgcopy.zst");
            prop_assert!(check_object_name(&object).is_ok(), "{object}");
        }
    }

    #[test]
    fn names_that_lead_elsewhere_are_refused() {
        for name in [
            "",
            "/etc/passwd",
            "..",
            "../x",
            "data/../../x",
            "data//x",
            "data/./x",
            "data/.x",
            "data/X",
            "data/%2e",
            "data/%2",
            "data/a b",
            "data/a\0",
            "data/a\\b",
            "data/é",
            "a/b/c/d",
            "manifest.json",
            "writer.lock",
        ] {
            assert!(check_object_name(name).is_err(), "{name:?}");
        }
        let long = format!("data/{}/x", "a".repeat(256));
        assert!(check_object_name(&long).is_err());
    }

    #[test]
    fn links_are_not_followed() {
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join("in")).unwrap();
        std::fs::write(place.path().join("in/file"), "x").unwrap();
        let link = |to: &str, name: &str| {
            std::os::unix::fs::symlink(to, place.path().join(name)).unwrap();
        };
        link("in", "folder");
        link("in/file", "file");
        let root = Root::open(place.path()).unwrap();
        assert_eq!(root.read("in/file", 9).unwrap(), b"x");
        for name in ["folder/file", "file"] {
            let kind = root.file(name).unwrap_err().kind();
            assert_eq!(kind, ErrorKind::Damaged, "{name}");
        }
        assert_eq!(root.file("in").unwrap_err().kind(), ErrorKind::Damaged);
        assert_eq!(root.file("no").unwrap_err().kind(), ErrorKind::NotFound);
    }
}
