//! A directory that appears whole: written under a temporary name, renamed at the end.

use super::durable::{Readers, make_directory, rename_new, staging_path};
use super::folder::Folder;
use super::{BackupSink, FileFormat, PartHeader, PartWriter, RowForm, StoredObject};
use crate::error::{Error, ErrorKind, Result};
use async_trait::async_trait;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The name of the manifest.
const MANIFEST: &str = "manifest.json";

/// Writes each part as `<schema>.<table>/part-00000.<suffix>` below one directory, with
/// `part-00000.exact` beside it for values that have no standard form, and `manifest.json` last.
///
/// Everything is written below `.<name>.partial-…` next to the directory's final place, each file is
/// synced, and the whole is renamed by [`commit`](BackupSink::commit). A run that fails or is dropped
/// removes what it wrote; one that is killed leaves the temporary directory, which no reader takes for
/// a result.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use opskit_core::sink::{BackupSink, DirectorySink, FileFormat};
/// let place = tempfile::tempdir().unwrap();
/// let target = place.path().join("export");
/// let sink = DirectorySink::create(&target, FileFormat::Csv)?;
/// assert!(!target.exists());
/// sink.commit(b"{}").await?;
/// assert!(target.join("manifest.json").exists());
/// # Ok::<(), opskit_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct DirectorySink {
    target: PathBuf,
    folder: Folder,
}

/// The temporary directory; removed when the last that writes into it is dropped, unless it was renamed.
#[derive(Debug)]
struct Staging(PathBuf);

impl Drop for Staging {
    fn drop(&mut self) {
        // Nothing can be told from here; after a rename there is nothing to remove.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

impl DirectorySink {
    /// A sink that will make the directory `target`.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when it exists already or its parent cannot be written.
    pub fn create(target: impl Into<PathBuf>, format: FileFormat) -> Result<Self> {
        let target = target.into();
        if target.symlink_metadata().is_ok() {
            return Err(super::durable::exists(&target));
        }
        let staging = staging_path(&target).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("\"{}\" names no directory", target.display()),
            )
        })?;
        make_directory(&staging, Readers::Umask)?;
        let hold = Arc::new(Staging(staging.clone()));
        Ok(Self {
            target,
            folder: Folder::new(staging, format, hold),
        })
    }

    /// Where the directory will be.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }
}

#[async_trait]
impl BackupSink for DirectorySink {
    fn row_form(&self) -> RowForm {
        self.folder.row_form()
    }

    async fn open_part(&self, header: PartHeader) -> Result<Box<dyn PartWriter>> {
        self.folder.open_part(&header)
    }

    async fn put_object(&self, name: &str, bytes: &[u8]) -> Result<StoredObject> {
        self.folder.put(name, bytes)
    }

    async fn commit(&self, manifest: &[u8]) -> Result<()> {
        self.folder.put(MANIFEST, manifest)?;
        self.folder.sync()?;
        rename_new(self.folder.path(), &self.target)
    }
}
