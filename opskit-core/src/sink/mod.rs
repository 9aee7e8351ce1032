//! Where the rows of an export or a backup go: [`BackupSink`] and [`PartWriter`].

use crate::error::Result;
use crate::export::ExactBatch;
use crate::name::QualifiedName;
use crate::pgtype::RowType;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::Arc;

mod digest;
mod directory;
mod durable;
mod file;
mod folder;
mod format;
mod null;

pub use directory::DirectorySink;
pub use file::{Existing, FileSink, StreamSink};
pub use format::FileFormat;
pub use null::NullSink;

pub(crate) use digest::{DigestWriter, stored_object};
pub(crate) use durable::{
    Readers, create_file, make_private_directory, remove, sync_directory, sync_file, sync_tree,
    write_new,
};
pub(crate) use format::{IpcLayout, PartFiles};

/// The form in which a sink takes rows. It says so before the first part is read, because the
/// server is asked for nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RowForm {
    /// Arrow record batches, decoded from binary frames.
    Batches,
    /// The bytes of `COPY … (FORMAT binary)`, verbatim, with header and trailer.
    Frames,
    /// The server's own CSV text.
    Csv,
    /// One JSON document per line, by the server's own `to_json`.
    JsonLines,
}

/// Some rows of a part, in the form that the sink asked for.
#[derive(Debug)]
#[non_exhaustive]
pub enum Rows<'a> {
    /// For [`RowForm::Batches`].
    Batch(ExactBatch),
    /// For every other form: the next bytes, cut anywhere.
    Bytes(&'a [u8]),
}

/// What a sink is told about a part before its rows.
#[derive(Debug, Clone)]
pub struct PartHeader {
    /// The table, or a name made up for a query.
    pub table: QualifiedName,
    /// The part's number within the table, from 0.
    pub part: u32,
    /// How many parts the table has.
    pub parts: u32,
    /// The columns.
    pub row_type: Arc<RowType>,
}

/// One object that a sink stored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredObject {
    /// Its name within the export or backup, with `/` between components.
    pub name: String,
    /// Its stored size in bytes.
    pub bytes: u64,
    /// SHA-256 of its stored bytes, in lower-case hexadecimal.
    pub sha256: String,
}

/// What a finished part left in the sink.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartReceipt {
    /// Rows counted by the writer. `None` where it took bytes it does not read.
    pub rows: Option<u64>,
    /// The objects of the part: the main one first, then the side file when there is one.
    pub objects: Vec<StoredObject>,
}

/// A place that receives the parts of one export or backup.
///
/// # Contract
///
/// - A part is durable when [`PartWriter::finish`] returns.
/// - Nothing is visible to a reader before [`commit`](Self::commit) returns; then everything is.
/// - Dropping a writer or the sink without `commit` leaves nothing that a reader could take for a
///   result. A part whose writer was dropped may be opened again.
/// - Parts are opened and written concurrently.
///
/// The module `testing` (feature `testing`) holds the suite that every implementation must pass.
#[async_trait]
pub trait BackupSink: fmt::Debug + Send + Sync {
    /// The form in which this sink takes rows.
    fn row_form(&self) -> RowForm;

    /// Starts a part, or starts it again after its writer was dropped.
    async fn open_part(&self, header: PartHeader) -> Result<Box<dyn PartWriter>>;

    /// Stores a small object beside the parts.
    async fn put_object(&self, name: &str, bytes: &[u8]) -> Result<StoredObject>;

    /// Makes everything visible, `manifest` (a JSON document) last. Called once.
    async fn commit(&self, manifest: &[u8]) -> Result<()>;
}

/// Receives the rows of one part, in order.
#[async_trait]
pub trait PartWriter: fmt::Debug + Send {
    /// Appends rows; waits while the sink is busy.
    async fn write(&mut self, rows: Rows<'_>) -> Result<()>;

    /// Makes the part durable.
    async fn finish(self: Box<Self>) -> Result<PartReceipt>;
}

/// The error of a sink that was given rows in a form it did not ask for.
pub(crate) fn wrong_form(form: RowForm) -> crate::error::Error {
    crate::error::Error::new(
        crate::error::ErrorKind::Internal,
        format!("the sink takes rows as {form:?} and was given another form"),
    )
}
