//! What an export did.

use crate::export::Fingerprint;
use crate::name::QualifiedName;
use crate::sink::{RowForm, StoredObject};
use serde::{Deserialize, Serialize};

/// The result of an export, and the manifest that stands beside its files.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ExportReport {
    /// The version of this document: `opskit.export/1`.
    pub schema: &'static str,
    /// When the snapshot was taken, in RFC 3339.
    pub started_at: String,
    /// Wall time from the snapshot to the last part, in milliseconds.
    pub elapsed_ms: u64,
    /// Where the rows come from.
    pub source: SourceIdentity,
    /// The form in which rows were read.
    pub form: RowForm,
    /// Rows in all.
    pub rows: u64,
    /// Bytes received from the server.
    pub wire_bytes: u64,
    /// Bytes stored.
    pub stored_bytes: u64,
    /// The tables.
    pub tables: Vec<TableReport>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// The server and the instant that an export is about.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct SourceIdentity {
    /// The database.
    pub database: String,
    /// The server's version, as a number: 150018.
    pub server_version: u32,
    /// The encoding of the database.
    pub encoding: String,
    /// The instant, as `pg_current_snapshot()` tells it.
    pub snapshot: String,
}

/// One table of an export.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct TableReport {
    /// Its name.
    pub table: QualifiedName,
    /// Its rows: counted here, by the server and by the writer alike.
    pub rows: u64,
    /// Values that have no standard form.
    pub misfits: u64,
    /// The fingerprint of its rows; none where the server's own text was stored.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// Its parts, in order.
    pub parts: Vec<PartReport>,
}

/// One part of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartReport {
    /// Its number.
    pub part: u32,
    /// Its rows.
    pub rows: u64,
    /// Bytes received from the server.
    pub wire_bytes: u64,
    /// Values that have no standard form.
    pub misfits: u64,
    /// The fingerprint of its rows.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<Fingerprint>,
    /// What it left in the sink.
    pub objects: Vec<StoredObject>,
}
