//! The record of one backup run.

use super::written;
use crate::error::{Error, ErrorKind, Result};
use crate::repository::{BackupId, BackupType};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// The version of the stored form.
pub const RECORD_VERSION: u32 = 1;
/// The longest record that a run may have.
const RUN_BYTES_MAX: usize = 1 << 20;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RunStatus {
    /// It did what it was asked.
    Success,
    /// It failed.
    Failed,
    /// Its caller cancelled it.
    Cancelled,
}

impl RunStatus {
    /// How a run ended that gave this error.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Cancelled => Self::Cancelled,
            _ => Self::Failed,
        }
    }
}

/// Which rows a run was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Selection {
    /// All but those that backups of this target always leave out.
    #[default]
    All,
    /// Those that were chosen for this run.
    Some,
}

/// What is told of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// The kind, by its stable word.
    pub kind: String,
    /// What went wrong, outermost first.
    pub messages: Vec<String>,
}

impl RunError {
    /// What is told of `error`.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        Self {
            kind: error.kind().as_str().to_owned(),
            messages: error.chain(),
        }
    }
}

/// The record of one backup run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// The backup, whether it came to be or not.
    pub id: BackupId,
    /// What it was to hold.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// Which rows it was to hold.
    #[serde(default)]
    pub selection: Selection,
    /// How it ended.
    pub status: RunStatus,
    /// When it started, in RFC 3339.
    pub started_at: String,
    /// When it ended.
    pub finished_at: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The database.
    pub database: String,
    /// The name that the user has for it.
    #[serde(default)]
    pub target: Option<String>,
    /// Tables that were stored.
    pub tables: u64,
    /// Rows that were stored.
    pub rows: u64,
    /// Bytes that were stored.
    pub size_bytes: u64,
    /// SHA-256 of the manifest, for a backup that is complete.
    pub manifest_sha256: Option<String>,
    /// The latest migration, by a known history table.
    pub migration_version: Option<String>,
    /// What the user wrote on it.
    pub tags: BTreeMap<String, String>,
    /// What the user should know.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Why it failed.
    pub error: Option<RunError>,
    /// The version of opskit that ran.
    pub opskit_version: String,
}

impl RunRecord {
    /// Refuses what is longer than the record of a run may be.
    pub(crate) fn check_size(&self) -> Result<()> {
        let bytes = written(self)?.len();
        if bytes <= RUN_BYTES_MAX {
            return Ok(());
        }
        let what =
            format!("the record of the run would have {bytes} bytes, and may have {RUN_BYTES_MAX}");
        Err(Error::new(ErrorKind::InvalidInput, what).with_hint("Give it shorter tags."))
    }
}
