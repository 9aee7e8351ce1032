//! A directory that appears whole: written under a temporary name, renamed at the end.

use super::durable::{create_file, rename_new, staging_path, sync_directory, sync_file};
use super::format::{FileFormat, IpcLayout, PartFiles};
use super::{BackupSink, PartHeader, PartReceipt, PartWriter, RowForm, Rows, StoredObject, digest};
use crate::error::{Error, ErrorKind, Result, storage};
use async_trait::async_trait;
use std::fs::File;
use std::io::{BufWriter, Write as _};
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
    staging: Arc<Staging>,
    format: FileFormat,
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
        std::fs::create_dir_all(&staging).map_err(|source| {
            storage(
                format!("cannot create directory \"{}\"", staging.display()),
                source,
            )
        })?;
        Ok(Self {
            target,
            staging: Arc::new(Staging(staging)),
            format,
        })
    }

    /// Where the directory will be.
    #[must_use]
    pub fn target(&self) -> &Path {
        &self.target
    }

    fn part_name(&self, header: &PartHeader, suffix: &str) -> String {
        format!(
            "{}/part-{:05}.{suffix}",
            header.table.to_path(),
            header.part
        )
    }
}

#[async_trait]
impl BackupSink for DirectorySink {
    fn row_form(&self) -> RowForm {
        self.format.row_form()
    }

    async fn open_part(&self, header: PartHeader) -> Result<Box<dyn PartWriter>> {
        let names = [
            self.part_name(&header, self.format.suffix()),
            self.part_name(&header, "exact"),
        ];
        let paths = [
            self.staging.0.join(&names[0]),
            self.staging.0.join(&names[1]),
        ];
        if let Some(folder) = paths[0].parent() {
            std::fs::create_dir_all(folder).map_err(|source| {
                storage(
                    format!("cannot create directory \"{}\"", folder.display()),
                    source,
                )
            })?;
        }
        let side = paths[1].clone();
        // A part that was tried before may have left a side file that this try has no values for.
        let _ = std::fs::remove_file(&side);
        let open_side = Box::new(move || create_file(&side));
        let files = PartFiles::new(
            create_file(&paths[0])?,
            &header,
            self.format,
            IpcLayout::File,
            open_side,
        )?;
        Ok(Box::new(DirectoryPart {
            files,
            names,
            _staging: Arc::clone(&self.staging),
        }))
    }

    async fn put_object(&self, name: &str, bytes: &[u8]) -> Result<StoredObject> {
        let mut file = create_file(&self.staging.0.join(name))?;
        file.write_all(bytes)
            .map_err(|source| storage(format!("cannot write \"{name}\""), source))?;
        sync_file(file, name)?;
        Ok(digest::stored_object(name, bytes))
    }

    async fn commit(&self, manifest: &[u8]) -> Result<()> {
        self.put_object(MANIFEST, manifest).await?;
        let staging = &self.staging.0;
        let entries = std::fs::read_dir(staging).map_err(|source| {
            storage(
                format!("cannot read directory \"{}\"", staging.display()),
                source,
            )
        })?;
        for entry in entries.flatten().filter(|entry| entry.path().is_dir()) {
            sync_directory(&entry.path())?;
        }
        sync_directory(staging)?;
        rename_new(staging, &self.target)
    }
}

#[derive(Debug)]
struct DirectoryPart {
    files: PartFiles<BufWriter<File>>,
    names: [String; 2],
    /// A writer may outlive its sink for a moment, on its thread; what it writes must still go away.
    _staging: Arc<Staging>,
}

#[async_trait]
impl PartWriter for DirectoryPart {
    async fn write(&mut self, rows: Rows<'_>) -> Result<()> {
        self.files.write(rows)
    }

    async fn finish(self: Box<Self>) -> Result<PartReceipt> {
        let finished = self.files.finish([&self.names[0], &self.names[1]])?;
        let mut objects = Vec::new();
        for (file, object) in finished.files {
            sync_file(file, &object.name)?;
            objects.push(object);
        }
        Ok(PartReceipt {
            rows: finished.rows,
            objects,
        })
    }
}
