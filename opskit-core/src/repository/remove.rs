//! Removing a backup: first nobody sees it any more, then its objects go. What is left of one that was
//! interrupted looks like what a killed writer leaves, and goes the same way.

use super::layout::{BACKUPS, MANIFEST};
use super::writer::{clear, lock_new, sweep_one};
use super::{BackupId, Repository};
use crate::error::{Error, ErrorKind, Result, storage};
use crate::sink::{remove, sync_directory};
use std::fs::File;
use std::path::PathBuf;

/// A backup that is no backup any more, and whose objects are still there.
#[derive(Debug)]
pub(super) struct Hidden {
    path: PathBuf,
    /// Nobody else clears up while this is held.
    _lock: File,
}

impl Repository {
    /// Takes a backup out of sight, for good when this returns.
    pub(super) fn hide(&self, id: &BackupId) -> Result<Hidden> {
        let path = self.path().join(BACKUPS).join(id.as_str());
        let busy = || {
            Error::new(
                ErrorKind::Busy,
                format!("something else removes backup {id}"),
            )
        };
        let failed = |source| storage(format!("cannot remove backup {id}"), source);
        // The lock file of a writer that came to its end may still lie there.
        sweep_one(&path).map_err(failed)?;
        let lock = lock_new(&path)?.ok_or_else(busy)?;
        remove(&path.join(MANIFEST))?;
        Ok(Hidden { path, _lock: lock })
    }
}

impl Hidden {
    /// Removes the objects.
    pub(super) fn clear(self) -> Result<()> {
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
    use crate::repository::{RepositorySink, layout::LOCK};
    use crate::sink::{BackupSink as _, FileFormat};

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
        let hidden = repository.hide(&id).unwrap();
        assert_eq!(repository.backups().unwrap(), []);
        // While it goes on, nobody else clears up.
        assert_eq!(repository.sweep().unwrap(), []);
        // As kill -9 ends it: the lock is gone, the objects are there.
        drop(hidden);
        assert!(repository.location(&id).join("schema/model").exists());
        assert_eq!(repository.sweep().unwrap(), std::slice::from_ref(&id));
        assert!(!repository.location(&id).exists());
    }

    #[tokio::test]
    async fn nothing_is_left_of_a_removal() {
        let (_place, repository, id) = with_a_backup().await;
        // What a writer leaves that could not remove its lock file.
        std::fs::write(repository.location(&id).join(LOCK), "").unwrap();
        repository.hide(&id).unwrap().clear().unwrap();
        assert!(!repository.location(&id).exists());
    }

    #[tokio::test]
    async fn two_removals_of_one_backup_do_not_meet() {
        let (_place, repository, id) = with_a_backup().await;
        let hidden = repository.hide(&id).unwrap();
        assert!(repository.hide(&id).is_err());
        hidden.clear().unwrap();
        assert!(repository.hide(&id).is_err());
    }
}
