//! The small objects of a repository that belong to no backup: records and pins. Whatever keeps the repository,
//! they are reached through these four functions alone.

use super::Repository;
use crate::error::{Error, ErrorKind, Result, storage};
use crate::sink::{make_private_directory, remove, write_new};

impl Repository {
    /// The names of the objects in a folder, in no order. None where there is no such folder.
    pub(super) fn small_names(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.path().join(folder);
        let failed = |source| {
            storage(
                format!("cannot read directory \"{}\"", path.display()),
                source,
            )
        };
        let entries = match std::fs::read_dir(&path) {
            Ok(entries) => entries,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let mut names = Vec::new();
        for entry in entries {
            // What is no text is none of ours.
            names.extend(entry.map_err(failed)?.file_name().into_string().ok());
        }
        Ok(names)
    }

    /// An object, whole. An error where it is larger than `bytes_max`, or is not there.
    pub(super) fn read_small(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>> {
        self.root.read(name, bytes_max)
    }

    /// Stores an object under a name that nothing has; it is durable when this returns.
    pub(super) fn put_small(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let (folder, _) = name
            .split_once('/')
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a small object stands in a folder"))?;
        make_private_directory(&self.path().join(folder))?;
        write_new(&self.path().join(name), bytes)
    }

    /// Removes an object, if it is there; it is gone for good when this returns.
    pub(super) fn delete_small(&self, name: &str) -> Result<()> {
        remove(&self.path().join(name))
    }
}
