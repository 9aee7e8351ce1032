//! Where a backup is, for tests that look into a repository by themselves.

use opskit_core::repository::{BackupId, Repository};
use std::path::PathBuf;

/// The directory of a backup of a repository that is one.
///
/// # Panics
///
/// When the repository is no directory.
pub fn folder_of(repository: &Repository, id: &BackupId) -> PathBuf {
    let root = repository
        .directory()
        .expect("the repository is a directory");
    root.join("backups").join(id.as_str())
}
