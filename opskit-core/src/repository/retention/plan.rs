//! What becomes of the backups, and why.

use super::{Database, Holding, Reason};
use crate::repository::BackupId;
use serde::Serialize;
use std::collections::BTreeMap;

/// What becomes of a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Action {
    /// It stays.
    Keep,
    /// It goes.
    Remove,
}

/// Backups that rules count among each other.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Group {
    /// The database.
    #[serde(flatten)]
    pub of: Database,
    /// What they hold.
    pub holding: Holding,
    /// The tags that tell them from others.
    pub tags: BTreeMap<String, String>,
}

/// What becomes of one backup, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Decision {
    /// The backup.
    pub id: BackupId,
    /// Those that it was counted with. None where it cannot be read.
    pub group: Option<Group>,
    /// The instant that it is of, in RFC 3339.
    pub snapshot_at: Option<String>,
    /// Bytes that are stored.
    pub size_bytes: u64,
    /// SHA-256 of its manifest.
    pub manifest_sha256: Option<String>,
    /// Whether it was found good.
    pub verified: bool,
    /// What becomes of it.
    pub action: Action,
    /// Every reason for that.
    pub reasons: Vec<Reason>,
}

/// What becomes of all backups.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RetentionPlan {
    /// The version of this document: `opskit.forget-plan/1`.
    pub schema: &'static str,
    /// When it was made, in RFC 3339.
    pub planned_at: String,
    /// The backups, by group, the oldest first.
    pub backups: Vec<Decision>,
    /// Those that go, in the order in which they go: at no time is one there without what it needs.
    pub removals: Vec<BackupId>,
    /// Bytes that are free afterwards.
    pub freed_bytes: u64,
    /// What the rules want and was not planned, because it cannot be done safely.
    pub refused: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl RetentionPlan {
    /// What becomes of a backup.
    #[must_use]
    pub fn of(&self, id: &BackupId) -> Option<&Decision> {
        self.backups.iter().find(|decision| &decision.id == id)
    }
}
