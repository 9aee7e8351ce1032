//! What a backup did.

use crate::export::Fingerprint;
use crate::name::QualifiedName;
use crate::repository::{BackupId, BackupType, Encryption, Excluded, TableEntry};
use serde::Serialize;

/// The result of a backup.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct BackupReport {
    /// The version of this document: `opskit.backup/1`.
    pub schema: &'static str,
    /// The backup.
    pub id: BackupId,
    /// The repository.
    pub repository: String,
    /// Where it is.
    pub location: String,
    /// Whom it was sealed for, where it is encrypted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// What it holds.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// The database.
    pub database: String,
    /// When it started, in RFC 3339.
    pub started_at: String,
    /// When the snapshot was taken: the instant that the backup is of.
    pub snapshot_at: String,
    /// Wall time, in milliseconds.
    pub elapsed_ms: u64,
    /// Rows in all.
    pub rows: u64,
    /// Bytes received from the server.
    pub wire_bytes: u64,
    /// Bytes stored.
    pub stored_bytes: u64,
    /// Objects stored, the manifest not among them.
    pub objects: u64,
    /// The tables.
    pub tables: Vec<BackedUpTable>,
    /// How many sequences there are.
    pub sequences: u64,
    /// The digest of the facts. None where they were not read.
    pub facts_digest: Option<String>,
    /// SHA-256 of the manifest.
    pub manifest_sha256: String,
    /// What is not in it, and why.
    pub excluded: Vec<Excluded>,
    /// What cannot be carried and was accepted by name.
    pub accepted_losses: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// One table of a backup.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct BackedUpTable {
    /// Its name.
    pub table: QualifiedName,
    /// Its rows.
    pub rows: u64,
    /// Into how many parts it was cut.
    pub parts: u64,
    /// The fingerprint of its rows.
    pub fingerprint: Fingerprint,
}

impl From<&TableEntry> for BackedUpTable {
    fn from(table: &TableEntry) -> Self {
        Self {
            table: table.name.clone(),
            rows: table.rows,
            parts: table.parts.len() as u64,
            fingerprint: table.fingerprint,
        }
    }
}
