//! A local directory.

mod claim;
mod removal;
mod root;
mod standing;

use super::{Claim, Hidden, Opened, Standing, Store, Upload, other_size};
use crate::error::{Error, Result, storage};
use crate::repository::BackupId;
use crate::repository::layout::BACKUPS;
use crate::sink::{Readers, create_file, make_private_directory, remove, sync_file, write_new};
use root::Root;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// A repository in a directory. What is stored is synced; no symbolic link is followed to what is read.
#[derive(Debug)]
pub(in crate::repository) struct Directory {
    path: PathBuf,
    place: String,
    root: Root,
}

impl Directory {
    /// Opens a directory.
    pub(in crate::repository) fn open(path: PathBuf) -> Result<Self> {
        Ok(Self {
            root: Root::open(&path)?,
            place: path.display().to_string(),
            path,
        })
    }

    /// The same; makes it where it is not there.
    pub(in crate::repository) fn make(path: PathBuf) -> Result<Self> {
        // What stands above it is not ours alone.
        if let Some(above) = path.parent() {
            std::fs::create_dir_all(above).map_err(|source| {
                storage(
                    format!("cannot make a repository in \"{}\"", path.display()),
                    source,
                )
            })?;
        }
        make_private_directory(&path)?;
        Self::open(path)
    }

    fn backup(&self, id: &BackupId) -> PathBuf {
        self.path.join(BACKUPS).join(id.as_str())
    }

    /// The path of an object, its folder made.
    fn path_for(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        if let Some(folder) = path.parent() {
            make_private_directory(folder)?;
        }
        Ok(path)
    }
}

impl Store for Directory {
    fn place(&self) -> &str {
        &self.place
    }

    fn directory(&self) -> Option<&Path> {
        Some(&self.path)
    }

    fn read(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>> {
        self.root.read(name, bytes_max)
    }

    fn open(&self, name: &str, bytes: u64) -> Result<Opened> {
        let (file, found) = self.root.file(name)?;
        if found != bytes {
            return Err(other_size(name, found, bytes));
        }
        Ok(Opened { file, sha256: None })
    }

    fn size(&self, name: &str) -> Result<u64> {
        self.root.file(name).map(|(_, bytes)| bytes)
    }

    fn taken(&self, names: &[String]) -> Result<Vec<bool>> {
        Ok(names.iter().map(|name| self.root.has(name)).collect())
    }

    fn entries(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.path.join(folder);
        let failed = |source| cannot_list(&path, source);
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(source) if source.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let mut names = Vec::new();
        for entry in entries {
            // A name that is no text is none of ours.
            names.extend(entry.map_err(failed)?.file_name().into_string());
        }
        Ok(names)
    }

    fn objects(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.path.join(folder);
        let mut found = Vec::new();
        if path.symlink_metadata().is_ok() {
            files(&path, "", &mut found)?;
        }
        Ok(found)
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<()> {
        write_new(&self.path_for(name)?, bytes)
    }

    fn upload(&self, name: &str) -> Result<Box<dyn Upload>> {
        let file = create_file(&self.path_for(name)?, Readers::Owner)?;
        Ok(Box::new(Writing {
            file,
            name: name.to_owned(),
        }))
    }

    fn remove(&self, name: &str) -> Result<()> {
        remove(&self.path.join(name))
    }

    fn claim(&self, id: &BackupId) -> Result<Box<dyn Claim>> {
        make_private_directory(&self.path.join(BACKUPS))?;
        claim::claim(self.backup(id))
    }

    fn standing(&self, id: &BackupId) -> Result<Standing> {
        let path = self.backup(id);
        standing::of(&path, SystemTime::now())
            .map_err(|source| storage(format!("cannot look at \"{}\"", path.display()), source))
    }

    fn hide(&self, id: &BackupId) -> Result<Box<dyn Hidden>> {
        removal::hide(self.backup(id), id)
    }

    fn sweep(&self, id: &BackupId) -> Result<bool> {
        let path = self.backup(id);
        claim::sweep(&path).map_err(|source| {
            let what = format!("cannot remove what is in \"{}\"", path.display());
            storage(what, source)
        })
    }
}

/// A file that is being written, within a backup that nobody sees yet.
#[derive(Debug)]
struct Writing {
    file: BufWriter<File>,
    name: String,
}

impl Write for Writing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

impl Upload for Writing {
    fn finish(self: Box<Self>) -> Result<()> {
        sync_file(self.file, &self.name)
    }
}

/// Every file below a directory, by its name within it. Links are named, not followed.
fn files(folder: &Path, below: &str, found: &mut Vec<String>) -> Result<()> {
    let failed = |source| cannot_list(folder, source);
    for entry in std::fs::read_dir(folder).map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let name = format!("{below}{}", entry.file_name().to_string_lossy());
        if entry.file_type().map_err(failed)?.is_dir() {
            files(&entry.path(), &format!("{name}/"), found)?;
        } else {
            found.push(name);
        }
    }
    Ok(())
}

fn cannot_list(folder: &Path, source: io::Error) -> Error {
    storage(
        format!("cannot read directory \"{}\"", folder.display()),
        source,
    )
}
