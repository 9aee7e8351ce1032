//! One file, or one stream: sinks for a single part.

use super::durable::{
    Readers, create_file, exists, remove, rename_new, rename_over, staging_path, sync_file,
};
use super::format::{FileFormat, IpcLayout, PartFiles};
use super::{BackupSink, PartHeader, PartReceipt, PartWriter, RowForm, Rows, StoredObject};
use crate::error::{Error, ErrorKind, Result};
use async_trait::async_trait;
use std::fmt;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What to do when the file exists.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Existing {
    /// Fail.
    Refuse,
    /// Take its place, once the new one is complete.
    Replace,
}

/// Writes one part as one file that appears whole, with `<file>.exact` beside it where there are values
/// without a standard form. The manifest is not kept.
///
/// ```
/// use opskit_core::sink::{Existing, FileFormat, FileSink};
/// let place = tempfile::tempdir().unwrap();
/// let taken = place.path().join("orders.csv");
/// std::fs::write(&taken, "").unwrap();
/// assert!(FileSink::create(&taken, FileFormat::Csv, Existing::Refuse).is_err());
/// assert!(FileSink::create(&taken, FileFormat::Csv, Existing::Replace).is_ok());
/// ```
#[derive(Debug)]
pub struct FileSink {
    target: PathBuf,
    staging: Arc<Staging>,
    format: FileFormat,
    existing: Existing,
}

impl FileSink {
    /// A sink that will make the file `target`.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when it exists and may not be replaced.
    pub fn create(
        target: impl Into<PathBuf>,
        format: FileFormat,
        existing: Existing,
    ) -> Result<Self> {
        let target = target.into();
        // The side file of another run would be taken for ours.
        for path in [target.clone(), side_of(&target)] {
            if existing == Existing::Refuse && path.symlink_metadata().is_ok() {
                return Err(exists(&path));
            }
        }
        let staging = staging_path(&target).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("\"{}\" names no file", target.display()),
            )
        })?;
        Ok(Self {
            target,
            staging: Arc::new(Staging(staging)),
            format,
            existing,
        })
    }

    fn publish(&self, from: &Path, to: &Path) -> Result<()> {
        match self.existing {
            Existing::Refuse => rename_new(from, to),
            Existing::Replace => rename_over(from, to),
        }
    }
}

/// The name of the side file of a file.
fn side_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".exact");
    name.into()
}

/// The temporary file; removed, with its side file, when the last that writes it is dropped.
#[derive(Debug)]
struct Staging(PathBuf);

impl Drop for Staging {
    fn drop(&mut self) {
        // After a rename there is nothing to remove.
        let _ = std::fs::remove_file(&self.0);
        let _ = std::fs::remove_file(side_of(&self.0));
    }
}

#[async_trait]
impl BackupSink for FileSink {
    fn row_form(&self) -> RowForm {
        self.format.row_form()
    }

    async fn open_part(&self, header: PartHeader) -> Result<Box<dyn PartWriter>> {
        only_part(&header)?;
        let side = side_of(&self.staging.0);
        let _ = std::fs::remove_file(&side);
        let open_side = Box::new(move || create_file(&side, Readers::Umask));
        let files = PartFiles::new(
            create_file(&self.staging.0, Readers::Umask)?,
            &header,
            self.format,
            IpcLayout::File,
            open_side,
        )?;
        let name = self.target.to_string_lossy().into_owned();
        Ok(Box::new(FilePart {
            files,
            side_name: format!("{name}.exact"),
            name,
            _staging: Arc::clone(&self.staging),
        }))
    }

    async fn put_object(&self, name: &str, _bytes: &[u8]) -> Result<StoredObject> {
        Err(no_place(name))
    }

    async fn commit(&self, _manifest: &[u8]) -> Result<()> {
        let (staged_side, side) = (side_of(&self.staging.0), side_of(&self.target));
        if !staged_side.exists() {
            self.publish(&self.staging.0, &self.target)?;
            return match self.existing {
                Existing::Refuse => Ok(()),
                Existing::Replace => remove(&side),
            };
        }
        // The main file last: it is the one that readers look for. Between the two renames the files do
        // not belong together, which the pair that both name tells.
        self.publish(&staged_side, &side)?;
        let published = self.publish(&self.staging.0, &self.target);
        if published.is_err() && self.existing == Existing::Refuse {
            // It is ours, since nothing had the name before.
            let _ = std::fs::remove_file(&side);
        }
        published
    }
}

#[derive(Debug)]
struct FilePart {
    files: PartFiles<BufWriter<File>>,
    name: String,
    side_name: String,
    /// A writer may outlive its sink for a moment, on its thread; what it writes must still go away.
    _staging: Arc<Staging>,
}

#[async_trait]
impl PartWriter for FilePart {
    async fn write(&mut self, rows: Rows<'_>) -> Result<()> {
        self.files.write(rows)
    }

    async fn finish(self: Box<Self>) -> Result<PartReceipt> {
        let finished = self.files.finish([&self.name, &self.side_name])?;
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

/// A writer that both the sink and its part hold.
type SharedWriter = Box<dyn Write + Send>;

/// Writes one part into a stream, such as standard output. What is written cannot be taken back: the
/// reader of the stream must heed how the run ended.
pub struct StreamSink {
    stream: Mutex<Option<SharedWriter>>,
    format: FileFormat,
}

impl fmt::Debug for StreamSink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StreamSink")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl StreamSink {
    /// A sink that writes into `stream`.
    ///
    /// ```
    /// use opskit_core::sink::{BackupSink, FileFormat, RowForm, StreamSink};
    /// let sink = StreamSink::new(std::io::sink(), FileFormat::JsonLines);
    /// assert_eq!(sink.row_form(), RowForm::JsonLines);
    /// ```
    pub fn new(stream: impl Write + Send + 'static, format: FileFormat) -> Self {
        Self {
            stream: Mutex::new(Some(Box::new(stream))),
            format,
        }
    }
}

#[async_trait]
impl BackupSink for StreamSink {
    fn row_form(&self) -> RowForm {
        self.format.row_form()
    }

    async fn open_part(&self, header: PartHeader) -> Result<Box<dyn PartWriter>> {
        only_part(&header)?;
        let stream = self
            .stream
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        let stream = stream.ok_or_else(|| {
            Error::new(
                ErrorKind::Connection,
                "the connection was lost, and what was written to the stream cannot be taken back",
            )
            .with_hint("Export into a file or directory, where a part can be read again.")
        })?;
        let files = PartFiles::new(
            stream,
            &header,
            self.format,
            IpcLayout::Stream,
            Box::new(|| Err(no_side_file())),
        )?;
        Ok(Box::new(StreamPart(files)))
    }

    async fn put_object(&self, name: &str, _bytes: &[u8]) -> Result<StoredObject> {
        Err(no_place(name))
    }

    async fn commit(&self, _manifest: &[u8]) -> Result<()> {
        Ok(())
    }
}

#[derive(Debug)]
struct StreamPart(PartFiles<SharedWriter>);

#[async_trait]
impl PartWriter for StreamPart {
    async fn write(&mut self, rows: Rows<'_>) -> Result<()> {
        self.0.write(rows)
    }

    async fn finish(self: Box<Self>) -> Result<PartReceipt> {
        let finished = self.0.finish(["-", "-"])?;
        let objects = finished
            .files
            .into_iter()
            .map(|(_, object)| object)
            .collect();
        Ok(PartReceipt {
            rows: finished.rows,
            objects,
        })
    }
}

fn only_part(header: &PartHeader) -> Result<()> {
    if header.parts == 1 {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        format!(
            "\"{}\" has {} parts and one file takes one",
            header.table, header.parts
        ),
    )
    .with_hint("Export into a directory, or ask for a single part."))
}

fn no_place(name: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("a single file has no place for \"{name}\""),
    )
}

fn no_side_file() -> Error {
    Error::new(ErrorKind::CheckFailed, "a value has no standard form, and a stream has no side file to keep it in")
        .with_hint("Export into a file or directory, or choose the interop mode, which drops and counts such values.")
}
