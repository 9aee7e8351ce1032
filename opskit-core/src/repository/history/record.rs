//! What the history tells besides runs of backups.

use super::{RunError, RunRecord, RunStatus};
use crate::repository::{BackupId, Pin, VerifyLevel, VerifyReport};
use serde::{Deserialize, Serialize};

/// The version of the stored form of all records but those of runs and drills.
pub const EVENT_VERSION: u32 = 1;

/// What a record is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RecordKind {
    /// The run of a backup.
    Run,
    /// What came up after the record of a run was written.
    Note,
    /// A look at a backup.
    Verify,
    /// A backup that was restored to see whether it can be.
    Drill,
    /// A pin that was set or taken away.
    Pin,
    /// A backup that was removed.
    Forget,
    /// What a run that was killed had left, and is gone now.
    Prune,
}

impl RecordKind {
    /// Every kind.
    pub const ALL: [Self; 7] = [
        Self::Run,
        Self::Note,
        Self::Verify,
        Self::Drill,
        Self::Pin,
        Self::Forget,
        Self::Prune,
    ];

    /// Its word, as names of records have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Run => "run",
            Self::Note => "note",
            Self::Verify => "verify",
            Self::Drill => "drill",
            Self::Pin => "pin",
            Self::Forget => "forget",
            Self::Prune => "prune",
        }
    }
}

/// Something that happened to a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
#[non_exhaustive]
pub enum HistoryEvent {
    /// A run, whatever became of it.
    Run(RunRecord),
    /// What came up after the record of a run was written.
    Note(NoteRecord),
    /// It was looked at.
    Verify(VerifyRecord),
    /// It was restored to see whether it can be.
    Drill(DrillRecord),
    /// A pin was set or taken away.
    Pin(PinRecord),
    /// It was removed.
    Forget(ForgetRecord),
    /// What a killed run left of it was removed.
    Prune(PruneRecord),
}

impl HistoryEvent {
    /// The kind.
    #[must_use]
    pub fn kind(&self) -> RecordKind {
        match self {
            Self::Run(_) => RecordKind::Run,
            Self::Note(_) => RecordKind::Note,
            Self::Verify(_) => RecordKind::Verify,
            Self::Drill(_) => RecordKind::Drill,
            Self::Pin(_) => RecordKind::Pin,
            Self::Forget(_) => RecordKind::Forget,
            Self::Prune(_) => RecordKind::Prune,
        }
    }

    /// The backup that it is about.
    #[must_use]
    pub fn backup(&self) -> &BackupId {
        match self {
            Self::Run(record) => &record.id,
            Self::Note(record) => &record.id,
            Self::Verify(record) => &record.id,
            Self::Drill(record) => &record.backup,
            Self::Pin(record) => &record.id,
            Self::Forget(record) => &record.id,
            Self::Prune(record) => &record.id,
        }
    }
}

/// What came up after the record of a run was written: a record is never written over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoteRecord {
    /// [`EVENT_VERSION`].
    pub version: u32,
    /// The backup of the run.
    pub id: BackupId,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// What a look at a backup came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum VerifyOutcome {
    /// It is what its manifest says.
    Sound,
    /// Something is wrong with it.
    Damaged,
}

/// A look at a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct VerifyRecord {
    /// [`EVENT_VERSION`].
    pub version: u32,
    /// The backup.
    pub id: BackupId,
    /// How deep it was looked into.
    pub level: VerifyLevel,
    /// What it came to.
    pub outcome: VerifyOutcome,
    /// SHA-256 of the manifest that was there. None where it could not be read.
    pub manifest_sha256: Option<String>,
    /// Objects that were looked at.
    pub objects: u64,
    /// Bytes that they have by the manifest.
    pub bytes: u64,
    /// Rows that were decoded.
    pub rows: u64,
    /// How many faults there are.
    pub faults: u64,
    /// The version of opskit that looked.
    pub opskit_version: String,
}

impl VerifyRecord {
    /// What a report comes to.
    #[must_use]
    pub fn of(report: &VerifyReport) -> Self {
        Self {
            version: EVENT_VERSION,
            id: report.id.clone(),
            level: report.level,
            outcome: match report.is_sound() {
                true => VerifyOutcome::Sound,
                false => VerifyOutcome::Damaged,
            },
            manifest_sha256: report.manifest_sha256.clone(),
            objects: report.objects,
            bytes: report.bytes,
            rows: report.rows,
            faults: report.faults.len() as u64,
            opskit_version: env!("CARGO_PKG_VERSION").to_owned(),
        }
    }
}

/// How a drill ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DrillOutcome {
    /// Everything was restored, and is the same.
    Passed,
    /// What was restored is the same; some things could not be proven.
    Partial,
    /// Something failed, or is not the same.
    Failed,
}

/// What of the record of a drill others need. The whole is `opskit.drill/1`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DrillRecord {
    /// `opskit.drill/1`, or `opskit.drill-failure/1` of one that came to no result.
    pub schema: String,
    /// The backup.
    pub backup: BackupId,
    /// How it ended. None where it came to no result.
    #[serde(default)]
    pub outcome: Option<DrillOutcome>,
    /// Whether one without a result failed or was cancelled.
    #[serde(default)]
    pub status: Option<RunStatus>,
    /// When it started, in RFC 3339.
    pub started_at: String,
    /// SHA-256 of the half of the manifest that says what the backup holds.
    #[serde(default)]
    pub sealed_sha256: Option<String>,
    /// From the first statement to the last comparison, in milliseconds.
    #[serde(default)]
    pub recovery_ms: Option<u64>,
    /// Why it came to no result.
    #[serde(default)]
    pub error: Option<RunError>,
    /// The version of opskit that ran.
    pub opskit_version: String,
}

/// What became of a pin.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum PinAction {
    /// It was set.
    Set,
    /// It was taken away.
    Removed,
}

/// A pin that was set or taken away.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinRecord {
    /// [`EVENT_VERSION`].
    pub version: u32,
    /// The backup.
    pub id: BackupId,
    /// What became of the pin.
    pub action: PinAction,
    /// The pin. None where it could not be read.
    pub pin: Option<Pin>,
    /// Who did it.
    pub by: String,
}

/// A backup that was removed. Written just before: nothing goes without a record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ForgetRecord {
    /// [`EVENT_VERSION`].
    pub version: u32,
    /// The backup.
    pub id: BackupId,
    /// The database that it was of, as `--of` takes it.
    pub database: Option<String>,
    /// The instant that it was of, in RFC 3339.
    pub snapshot_at: Option<String>,
    /// Bytes that were stored.
    pub size_bytes: u64,
    /// SHA-256 of its manifest.
    pub manifest_sha256: Option<String>,
    /// Why it was removed.
    pub reasons: Vec<String>,
    /// The version of opskit that ran.
    pub opskit_version: String,
}

/// What a run that was killed had left, and is gone now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PruneRecord {
    /// [`EVENT_VERSION`].
    pub version: u32,
    /// The backup that it was to be.
    pub id: BackupId,
    /// Objects that were there.
    pub objects: u64,
    /// Bytes that they had.
    pub size_bytes: u64,
    /// The version of opskit that ran.
    pub opskit_version: String,
}
