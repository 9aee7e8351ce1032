//! A folder that parts and objects are written into, durably, before anybody may see it.

use super::digest::stored_object;
use super::durable::{Readers, create_file, make_directory, sync_file, sync_tree};
use super::format::{FileFormat, IpcLayout, PartFiles};
use super::{PartHeader, PartReceipt, PartWriter, RowForm, Rows, StoredObject};
use crate::error::{Result, storage};
use async_trait::async_trait;
use std::any::Any;
use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What is exported is for whom the umask lets.
const READERS: Readers = Readers::Umask;

/// Where a sink that keeps files writes them.
#[derive(Debug)]
pub(crate) struct Folder {
    path: PathBuf,
    format: FileFormat,
    /// Removes what was written, unless it was committed. A writer may outlive its sink for a moment,
    /// on its thread; what it writes must still go away.
    hold: Arc<dyn Any + Send + Sync>,
}

impl Folder {
    /// A folder at `path`, which exists.
    pub(crate) fn new(path: PathBuf, format: FileFormat, hold: Arc<dyn Any + Send + Sync>) -> Self {
        Self { path, format, hold }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    pub(crate) fn row_form(&self) -> RowForm {
        self.format.row_form()
    }

    /// Starts a part; what an earlier try left of it goes away.
    pub(crate) fn open_part(&self, header: &PartHeader) -> Result<Box<dyn PartWriter>> {
        let stem = format!("{}/part-{:05}", header.table.to_path(), header.part);
        let names = [
            format!("{stem}.{}", self.format.suffix()),
            format!("{stem}.exact"),
        ];
        let main = self.place(&names[0])?;
        let side = self.path.join(&names[1]);
        // A part that was tried before may have left a side file that this try has no values for.
        let _ = std::fs::remove_file(&side);
        let open_side = Box::new(move || create_file(&side, READERS));
        let files = PartFiles::new(
            create_file(&main, READERS)?,
            header,
            self.format,
            IpcLayout::File,
            open_side,
        )?;
        Ok(Box::new(FolderPart {
            files,
            names,
            _hold: Arc::clone(&self.hold),
        }))
    }

    /// Stores an object whole.
    pub(crate) fn put(&self, name: &str, bytes: &[u8]) -> Result<StoredObject> {
        let mut file = create_file(&self.place(name)?, READERS)?;
        file.write_all(bytes)
            .map_err(|source| storage(format!("cannot write \"{name}\""), source))?;
        sync_file(file, name)?;
        Ok(stored_object(name, bytes))
    }

    /// Waits until the disk has the names of everything that was stored.
    pub(crate) fn sync(&self) -> Result<()> {
        sync_tree(&self.path)
    }

    /// The path of an object, its directory made.
    fn place(&self, name: &str) -> Result<PathBuf> {
        let path = self.path.join(name);
        if let Some(folder) = path.parent() {
            make_directory(folder, READERS)?;
        }
        Ok(path)
    }
}

#[derive(Debug)]
struct FolderPart {
    files: PartFiles<BufWriter<File>>,
    names: [String; 2],
    _hold: Arc<dyn Any + Send + Sync>,
}

#[async_trait]
impl PartWriter for FolderPart {
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
