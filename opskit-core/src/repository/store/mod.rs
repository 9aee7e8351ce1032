//! Where the objects of a repository are kept: by names, with `/` between components.

mod directory;
mod remote;

pub(super) use directory::Directory;
pub(crate) use remote::{Backend, Terms};
pub(super) use remote::{Remote, shown};

use super::BackupId;
use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::fs::File;
use std::io::Write;
use std::path::Path;

/// A place that keeps objects.
///
/// All of it may block: what is remote is waited for. Names were checked by the caller; a store guards
/// itself against what others put in the place of an object.
pub(super) trait Store: fmt::Debug + Send + Sync {
    /// Where it is, for people: a path or a URL. It holds no secret.
    fn place(&self) -> &str;

    /// The directory that it is, where it is one.
    fn directory(&self) -> Option<&Path> {
        None
    }

    /// Reads a small object whole. `Damaged` for one that is larger.
    fn read(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>>;

    /// Opens an object that must have this size; `Damaged` when it has another.
    fn open(&self, name: &str, bytes: u64) -> Result<Opened>;

    /// The size of an object.
    fn size(&self, name: &str) -> Result<u64>;

    /// Which of these names are taken.
    fn taken(&self, names: &[String]) -> Result<Vec<bool>>;

    /// The names of what stands in a folder: objects, and folders.
    fn entries(&self, folder: &str) -> Result<Vec<String>>;

    /// The names of all objects below a folder, relative to it; of all that there are for an empty name.
    fn objects(&self, folder: &str) -> Result<Vec<String>>;

    /// Stores a small object that appears whole, under a name that nothing has: `Storage` otherwise.
    fn create(&self, name: &str, bytes: &[u8]) -> Result<()>;

    /// Starts to store an object, in place of what has the name.
    fn upload(&self, name: &str) -> Result<Box<dyn Upload>>;

    /// The most that an upload takes in memory.
    fn upload_bytes(&self) -> usize {
        0
    }

    /// Removes an object, if it is there.
    fn remove(&self, name: &str) -> Result<()>;

    /// Takes the place of a backup for a writer. `Storage` when there is such a backup already.
    fn claim(&self, id: &BackupId) -> Result<Box<dyn Claim>>;

    /// What there is of a backup. A store without locks may put an object to learn what time it is, and takes it
    /// away again.
    fn standing(&self, id: &BackupId) -> Result<Standing>;

    /// Removes what a writer or a removal left of a backup, when it is provably gone; tells whether there was such.
    fn sweep(&self, id: &BackupId) -> Result<bool>;

    /// Takes a backup out of sight, for good when this returns. `Busy` when something else removes it.
    fn hide(&self, id: &BackupId) -> Result<Box<dyn Hidden>>;

    /// What the user should know of it, once something was written.
    fn warning(&self) -> Option<String> {
        None
    }

    /// Waits for what is being cleaned up.
    fn settle(&self) -> Result<()> {
        Ok(())
    }
}

/// An object that is read.
#[derive(Debug)]
pub(super) struct Opened {
    /// Its bytes, from the beginning. Nobody else can change them, or `sha256` is not told.
    pub(super) file: File,
    /// SHA-256 of these bytes, where it was taken as they came.
    pub(super) sha256: Option<String>,
}

/// An object that is being written. Dropped, it leaves nothing that costs anything.
pub(super) trait Upload: Write + fmt::Debug + Send {
    /// Makes it durable.
    fn finish(self: Box<Self>) -> Result<()>;
}

/// The place of a backup while it is written. Dropped before the commit, it takes all of it away.
pub(super) trait Claim: fmt::Debug + Send + Sync {
    /// Fails when somebody else may have taken the place for abandoned.
    fn check(&self) -> Result<()>;

    /// Makes the backup visible: the manifest is its last object.
    fn commit(&self, manifest: &[u8]) -> Result<()>;
}

/// What there is of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    /// All of it.
    Complete,
    /// It is being written or removed.
    Busy,
    /// What a writer or a removal left that is gone.
    Left {
        /// Objects that are there.
        objects: u64,
        /// Bytes that they have.
        bytes: u64,
    },
    /// Objects, and nothing says whose.
    Unowned,
}

/// A backup that is none any more, and whose objects are still there. What is left of a removal that was
/// interrupted looks like what a killed writer leaves, and goes the same way.
pub(super) trait Hidden: fmt::Debug + Send {
    /// Removes the objects.
    fn clear(self: Box<Self>) -> Result<()>;
}

fn removed_elsewhere(id: &BackupId) -> Error {
    Error::new(
        ErrorKind::Busy,
        format!("something else removes backup {id}"),
    )
}

/// The error of an object that is larger than what is read of its kind.
fn too_large(name: &str, bytes: u64, bytes_max: u64) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!("\"{name}\" has {bytes} bytes, more than the {bytes_max} that are read"),
    )
}

/// The error of an object that does not have its size.
fn other_size(name: &str, bytes: u64, told: u64) -> Error {
    Error::new(
        ErrorKind::Damaged,
        format!("object \"{name}\" has {bytes} bytes where the manifest tells {told}"),
    )
}
