//! Writing a backup: a directory that no reader sees before its manifest stands in it.

use super::layout::{BACKUPS, DATA_PREFIX, LOCK, MANIFEST, check_object_name};
use super::{BackupId, Repository};
use crate::error::{Error, ErrorKind, Result, storage};
use crate::sink::{
    BackupSink, FileFormat, Folder, PartHeader, PartWriter, Readers, RowForm, StoredObject,
    make_private_directory, sync_directory, write_new,
};
use async_trait::async_trait;
use rustix::fs::{FlockOperation, flock};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// How often a place is looked for; each try has a name of its own or meets a sweep.
const TRIES: u32 = 5;
/// How long a sweep is waited for.
const PAUSE: Duration = Duration::from_millis(20);

/// Receives one backup into a repository.
///
/// The backup is visible once [`commit`](BackupSink::commit) wrote the manifest. Until then a locked file
/// stands for its writer: the kernel drops the lock however the writer ends, and the next backup
/// removes what it left.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use opskit_core::repository::{BackupId, Repository, RepositorySink};
/// use opskit_core::sink::{BackupSink, FileFormat};
/// let place = tempfile::tempdir().unwrap();
/// let repository = Repository::create(place.path().join("backups"))?;
/// let id: BackupId = "20261121T013000Z-7f3a9c2e".parse()?;
/// let sink = RepositorySink::begin(&repository, &id, FileFormat::PgCopy(1))?;
/// sink.put_object("schema/model", b"{}").await?;
/// assert_eq!(repository.backups()?, []);
/// drop(sink);
/// assert!(!repository.path().join("backups").join(id.as_str()).exists());
/// # Ok::<(), opskit_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct RepositorySink {
    folder: Folder,
    writing: Arc<Writing>,
}

/// A backup that is being written; what there is of it goes away unless it was committed.
#[derive(Debug)]
struct Writing {
    path: PathBuf,
    committed: AtomicBool,
    /// Holds the lock.
    _lock: File,
}

impl Drop for Writing {
    fn drop(&mut self) {
        if !self.committed.load(Ordering::Acquire) {
            // What is left is swept by the next backup.
            let _ = clear(&self.path);
        }
    }
}

impl RepositorySink {
    /// Starts a backup.
    ///
    /// # Errors
    /// Of kind `Storage` when the repository cannot be written, or has such a backup already.
    pub fn begin(repository: &Repository, id: &BackupId, format: FileFormat) -> Result<Self> {
        let path = repository.path().join(BACKUPS).join(id.as_str());
        let failed = |source| {
            storage(
                format!("cannot make directory \"{}\"", path.display()),
                source,
            )
        };
        make_private_directory(&repository.path().join(BACKUPS))?;
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
                let writing = Arc::new(Writing {
                    path: path.clone(),
                    committed: AtomicBool::new(false),
                    _lock: lock,
                });
                let hold: Arc<Writing> = Arc::clone(&writing);
                return Ok(Self {
                    folder: Folder::new(path, DATA_PREFIX, (format, Readers::Owner), hold),
                    writing,
                });
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            format!("\"{}\" is swept again and again", path.display()),
        ))
    }
}

#[async_trait]
impl BackupSink for RepositorySink {
    fn row_form(&self) -> RowForm {
        self.folder.row_form()
    }

    async fn open_part(&self, header: PartHeader) -> Result<Box<dyn PartWriter>> {
        self.folder.open_part(&header)
    }

    async fn put_object(&self, name: &str, bytes: &[u8]) -> Result<StoredObject> {
        check_object_name(name)?;
        self.folder.put(name, bytes)
    }

    async fn commit(&self, manifest: &[u8]) -> Result<()> {
        self.folder.sync()?;
        let parent = self.writing.path.parent().unwrap_or(Path::new("."));
        sync_directory(parent)?;
        write_new(&self.writing.path.join(MANIFEST), manifest)?;
        self.writing.committed.store(true, Ordering::Release);
        // The lock of a complete backup says nothing; a sweep removes it otherwise.
        let _ = std::fs::remove_file(self.writing.path.join(LOCK));
        Ok(())
    }
}

/// Removes what writers left that are provably gone, and tells which.
///
/// # Errors
/// Of kind `Storage` when the directory cannot be read.
pub(super) fn sweep(repository: &Repository) -> Result<Vec<BackupId>> {
    let mut swept = Vec::new();
    for id in repository.runs()? {
        let path = repository.path().join(BACKUPS).join(id.as_str());
        // What cannot be removed now is removed later.
        if sweep_one(&path).unwrap_or(false) {
            swept.push(id);
        }
    }
    Ok(swept)
}

pub(super) fn sweep_one(path: &Path) -> io::Result<bool> {
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

    fn repository(place: &Path) -> Repository {
        Repository::create(place.join("r")).unwrap()
    }

    fn id(n: u32) -> BackupId {
        format!("20261121T013000Z-{n:08x}").parse().unwrap()
    }

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

    #[test]
    fn a_sweep_takes_what_is_dead_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let repository = repository(place.path());
        let format = FileFormat::PgCopy(1);
        let alive = RepositorySink::begin(&repository, &id(1), format).unwrap();
        // As kill -9 leaves it: the directory and the file, no lock.
        let dead = repository.path().join(BACKUPS).join(id(2).as_str());
        std::fs::create_dir_all(dead.join("data/public.t")).unwrap();
        std::fs::write(dead.join("data/public.t/part-00000.parquet"), "x").unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        // One that never came to its lock.
        std::fs::create_dir(repository.path().join(BACKUPS).join(id(3).as_str())).unwrap();
        let complete = repository.path().join(BACKUPS).join(id(4).as_str());
        std::fs::create_dir(&complete).unwrap();
        std::fs::write(complete.join(MANIFEST), "{}").unwrap();
        std::fs::write(complete.join(LOCK), "").unwrap();
        assert_eq!(sweep(&repository).unwrap(), [id(2), id(3)]);
        assert_eq!(repository.runs().unwrap(), [id(1), id(4)]);
        assert!(!complete.join(LOCK).exists());
        drop(alive);
        assert_eq!(repository.runs().unwrap(), [id(4)]);
    }
}
