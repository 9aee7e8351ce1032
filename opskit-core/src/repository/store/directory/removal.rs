//! Removing a backup: first nobody sees it any more, then its objects go.

use super::super::{Hidden, removed_elsewhere};
use super::claim::{clear, lock_new, sweep};
use crate::error::{Result, storage};
use crate::repository::BackupId;
use crate::repository::layout::MANIFEST;
use crate::sink::{remove, sync_directory};
use std::fs::File;
use std::path::PathBuf;

#[derive(Debug)]
struct Locked {
    path: PathBuf,
    /// Nobody else clears up while this is held.
    _lock: File,
}

pub(super) fn hide(path: PathBuf, id: &BackupId) -> Result<Box<dyn Hidden>> {
    let failed = |source| storage(format!("cannot remove backup {id}"), source);
    // The lock file of a writer that came to its end may still lie there.
    sweep(&path).map_err(failed)?;
    let lock = lock_new(&path)?.ok_or_else(|| removed_elsewhere(id))?;
    remove(&path.join(MANIFEST))?;
    Ok(Box::new(Locked { path, _lock: lock }))
}

impl Hidden for Locked {
    fn clear(self: Box<Self>) -> Result<()> {
        let failed = |source| {
            storage(
                format!("cannot remove what is in \"{}\"", self.path.display()),
                source,
            )
        };
        clear(&self.path).map_err(failed)?;
        sync_directory(self.path.parent().unwrap_or(&self.path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::layout::LOCK;
    use crate::repository::{Repository, RepositorySink};
    use crate::sink::{BackupSink as _, FileFormat};

    fn folder(repository: &Repository, id: &BackupId) -> PathBuf {
        PathBuf::from(repository.location(id))
    }

    async fn with_a_backup() -> (tempfile::TempDir, Repository, BackupId) {
        let place = tempfile::tempdir().unwrap();
        let repository = Repository::create(place.path().join("r")).unwrap();
        let id: BackupId = "20261121T013000Z-7f3a9c2e".parse().unwrap();
        let sink = RepositorySink::begin(&repository, &id, FileFormat::PgCopy(1)).unwrap();
        sink.put_object("schema/model", b"{}").await.unwrap();
        sink.commit(b"{}").await.unwrap();
        (place, repository, id)
    }

    #[tokio::test]
    async fn a_removal_that_stops_in_the_middle_is_swept() {
        let (_place, repository, id) = with_a_backup().await;
        let hidden = repository.store.hide(&id).unwrap();
        assert_eq!(repository.backups().unwrap(), []);
        // While it goes on, nobody else clears up.
        assert_eq!(repository.sweep().unwrap(), []);
        // As kill -9 ends it: the lock is gone, the objects are there.
        drop(hidden);
        assert!(folder(&repository, &id).join("schema/model").exists());
        assert_eq!(repository.sweep().unwrap(), std::slice::from_ref(&id));
        assert!(!folder(&repository, &id).exists());
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_removal() {
        let (_place, repository, id) = with_a_backup().await;
        // What a writer leaves that could not remove its lock file.
        std::fs::write(folder(&repository, &id).join(LOCK), "").unwrap();
        repository.store.hide(&id).unwrap().clear().unwrap();
        assert!(!folder(&repository, &id).exists());
    }

    #[tokio::test]
    async fn two_removals_of_one_backup_do_not_meet() {
        let (_place, repository, id) = with_a_backup().await;
        let hidden = repository.store.hide(&id).unwrap();
        assert!(repository.store.hide(&id).is_err());
        hidden.clear().unwrap();
        assert!(repository.store.hide(&id).is_err());
    }
}
