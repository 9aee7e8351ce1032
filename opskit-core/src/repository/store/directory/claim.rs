//! Who writes a backup: a locked file stands for them. The kernel drops the lock however they end.

use super::super::Claim;
use crate::error::{Error, ErrorKind, Result, storage};
use crate::repository::layout::{LOCK, MANIFEST};
use crate::sink::{sync_directory, sync_tree, write_new};
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a place is looked for; each try has a name of its own or meets a sweep.
const TRIES: u32 = 5;
/// How long a sweep is waited for.
const PAUSE: Duration = Duration::from_millis(20);

/// A backup that is being written; what there is of it goes away unless it was committed.
#[derive(Debug)]
struct Locked {
    path: PathBuf,
    committed: AtomicBool,
    /// Holds the lock.
    _lock: File,
}

impl Drop for Locked {
    fn drop(&mut self) {
        if !self.committed.load(Ordering::Acquire) {
            // What is left is swept by the next backup.
            let _ = clear(&self.path);
        }
    }
}

impl Claim for Locked {
    fn check(&self) -> Result<()> {
        // Nobody gets the lock while we have it.
        Ok(())
    }

    fn commit(&self, manifest: &[u8]) -> Result<()> {
        sync_tree(&self.path)?;
        sync_directory(self.path.parent().unwrap_or(Path::new(".")))?;
        write_new(&self.path.join(MANIFEST), manifest)?;
        self.committed.store(true, Ordering::Release);
        // The lock of a complete backup says nothing; a sweep removes it otherwise.
        let _ = std::fs::remove_file(self.path.join(LOCK));
        Ok(())
    }
}

/// Makes the directory of a backup, with the lock in it.
pub(super) fn claim(path: PathBuf) -> Result<Box<dyn Claim>> {
    let failed = |source| {
        storage(
            format!("cannot make directory \"{}\"", path.display()),
            source,
        )
    };
    for attempt in 0..TRIES {
        match std::fs::DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => {}
            // The sweep that was faster has not taken all of it away yet.
            Err(error) if attempt > 0 && error.kind() == io::ErrorKind::AlreadyExists => {
                std::thread::sleep(PAUSE);
                continue;
            }
            Err(error) => return Err(failed(error)),
        }
        let lock = lock_new(&path).inspect_err(|_| {
            // There was nothing in it but the file without a lock.
            let _ = clear(&path);
        });
        if let Some(lock) = lock? {
            return Ok(Box::new(Locked {
                path,
                committed: AtomicBool::new(false),
                _lock: lock,
            }));
        }
    }
    Err(Error::new(
        ErrorKind::Busy,
        format!("\"{}\" is swept again and again", path.display()),
    ))
}

/// Removes what a writer left, when nobody holds its lock.
pub(super) fn sweep(path: &Path) -> io::Result<bool> {
    let lock = match OpenOptions::new().read(true).open(path.join(LOCK)) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            // A complete backup, or a writer that has not come far: only what is empty goes.
            return Ok(std::fs::remove_dir(path).is_ok());
        }
        Err(error) => return Err(error),
    };
    if flock(&lock, FlockOperation::NonBlockingLockExclusive).is_err() {
        return Ok(false);
    }
    if path.join(MANIFEST).symlink_metadata().is_ok() {
        std::fs::remove_file(path.join(LOCK))?;
        return Ok(false);
    }
    clear(path)?;
    Ok(true)
}

/// Makes the lock file and takes the lock. None when a sweep was faster and took it all away.
pub(super) fn lock_new(path: &Path) -> Result<Option<File>> {
    let place = path.join(LOCK);
    let failed = |source| storage(format!("cannot make \"{}\"", place.display()), source);
    let mut options = OpenOptions::new();
    options.write(true).create_new(true).mode(0o600);
    let lock = match options.open(&place) {
        Ok(lock) => lock,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    if !is_ours(flock(&lock, FlockOperation::NonBlockingLockExclusive), path)? {
        return Ok(None);
    }
    let ours = lock.metadata().map_err(failed)?;
    let still = std::fs::metadata(&place).is_ok_and(|there| there.ino() == ours.ino());
    Ok(still.then_some(lock))
}

/// Whether the lock was had. Not when a sweep has it; and where there are no locks at all, no backup can be
/// told from what a dead writer left.
fn is_ours(locked: rustix::io::Result<()>, path: &Path) -> Result<bool> {
    match locked {
        Ok(()) => Ok(true),
        Err(rustix::io::Errno::WOULDBLOCK) => Ok(false),
        Err(errno) => Err(storage(
            format!("cannot lock a file in \"{}\"", path.display()),
            errno.into(),
        )
        .with_hint(
            "Keep the repository on a file system that has locks (flock): a local disk, or a share mounted with them.",
        )),
    }
}

/// Removes a backup's directory, the lock file last: until then a sweep can take over.
pub(super) fn clear(path: &Path) -> io::Result<()> {
    for entry in std::fs::read_dir(path)? {
        let entry = entry?;
        if entry.file_name() == LOCK {
            continue;
        }
        if entry.file_type()?.is_dir() {
            std::fs::remove_dir_all(entry.path())?;
        } else {
            std::fs::remove_file(entry.path())?;
        }
    }
    match std::fs::remove_file(path.join(LOCK)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    std::fs::remove_dir(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system without locks is told as such; it used to end as a directory that exists already.
    #[test]
    fn a_file_system_without_locks_is_told() {
        use rustix::io::Errno;
        let path = Path::new("r/backups/x");
        assert!(is_ours(Ok(()), path).unwrap());
        assert!(!is_ours(Err(Errno::WOULDBLOCK), path).unwrap());
        for errno in [Errno::OPNOTSUPP, Errno::NOLCK, Errno::NOSYS] {
            let error = is_ours(Err(errno), path).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Storage);
            assert!(error.to_string().contains("cannot lock"), "{error}");
            assert!(error.hint().unwrap().contains("flock"));
        }
    }
}
