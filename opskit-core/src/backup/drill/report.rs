//! What a drill proved.

use crate::backup::restore::RestoreReport;
pub use crate::repository::DrillOutcome as Outcome;
use crate::repository::{BackupId, Origin, RunError, RunStatus};
use serde::Serialize;

/// One check: of ours, or a row that a query of the user's gave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// Its name.
    pub name: String,
    /// Whether it holds. None when it could not be told, which is no success.
    pub ok: Option<bool>,
    /// What it saw.
    pub detail: String,
}

/// The record of a drill.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DrillReport {
    /// `opskit.drill/1`.
    pub schema: &'static str,
    /// The backup.
    pub backup: BackupId,
    /// Which database it is of.
    pub source: Origin,
    /// SHA-256 of the half of its manifest that says what it holds.
    pub sealed_sha256: String,
    /// How it ended.
    pub outcome: Outcome,
    /// When it started, in RFC 3339.
    pub started_at: String,
    /// From the first statement to the last comparison: the time that a recovery takes on such a machine.
    pub recovery_ms: u64,
    /// The version of the server that was backed up, as a number.
    pub source_version: u32,
    /// The version of the server that it was restored to, as a number.
    pub server_version: u32,
    /// What was restored and compared.
    pub restore: RestoreReport,
    /// Checks after the restore.
    pub checks: Vec<Check>,
    /// What could not be proven, and why.
    pub unproven: Vec<String>,
    /// The version of opskit that ran.
    pub opskit_version: &'static str,
}

/// The record of a drill that came to no result.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct DrillFailure {
    /// `opskit.drill-failure/1`.
    pub(super) schema: &'static str,
    /// The backup.
    pub(super) backup: BackupId,
    /// Whether it failed or was cancelled.
    pub(super) status: RunStatus,
    /// When it started, in RFC 3339.
    pub(super) started_at: String,
    /// Why.
    pub(super) error: RunError,
    /// The version of opskit that ran.
    pub(super) opskit_version: &'static str,
}
