//! What a plan is made of.

use crate::repository::{BackupId, Origin, Pin};
use serde::Serialize;
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// What a backup holds, as far as rules tell backups apart: one of some tables must never take the place of a whole
/// one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Holding {
    /// Objects and all rows.
    Whole,
    /// Objects and the rows that were chosen for that run.
    Part,
    /// Objects only.
    Schema,
    /// Objects and rows; no record tells whether all.
    Unknown,
}

impl Holding {
    /// Whether a database may be brought back from it, as far as is known.
    pub(super) fn may_be_whole(self) -> bool {
        matches!(self, Self::Whole | Self::Unknown)
    }
}

/// A database that backups are of: by the name that the user has for it, else by its own.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
pub struct Database {
    /// The target, where the runs were told one. A database may be called as a target is that leads to another.
    pub target: Option<String>,
    /// The name, as `--of` takes it.
    pub database: String,
}

impl Database {
    /// The database that a backup is of.
    ///
    /// ```
    /// use opskit_core::repository::{BackupType, Origin, retention::Database};
    /// let origin = Origin {
    ///     backup_type: BackupType::Full,
    ///     target: Some("shop".to_owned()),
    ///     database: "app".to_owned(),
    ///     system_identifier: None,
    /// };
    /// assert_eq!(Database::of(&origin).database, "shop");
    /// ```
    #[must_use]
    pub fn of(origin: &Origin) -> Self {
        Self {
            target: origin.target.clone(),
            database: origin.name(),
        }
    }
}

/// What a backup says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// The database.
    pub database: Database,
    /// What it holds.
    pub holding: Holding,
    /// What the user wrote on it.
    pub tags: BTreeMap<String, String>,
    /// The instant that it is of.
    pub snapshot_at: OffsetDateTime,
    /// The backup without which it cannot be read. Backups of today need none.
    pub parent: Option<BackupId>,
}

/// Whether a backup can be counted on.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum State {
    /// It can be read, and nothing is known against it.
    Fine,
    /// A look at it or a drill found it good, and nothing later says otherwise: how that was found.
    Proven(String),
    /// A look at it or a drill found it bad: what.
    Refuted(String),
    /// Its manifests cannot be read: why.
    Unreadable(String),
}

/// One backup.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// The backup.
    pub id: BackupId,
    /// What it says of itself. None where it cannot be read.
    pub known: Option<Known>,
    /// Whether it can be counted on.
    pub state: State,
    /// Bytes that are stored.
    pub size_bytes: u64,
    /// SHA-256 of its manifest. None where that cannot be read.
    pub manifest_sha256: Option<String>,
    /// A pin that holds.
    pub pin: Option<Pin>,
    /// Why its pin cannot be read, which holds then.
    pub unreadable_pin: Option<String>,
}

impl Candidate {
    /// What it says of itself, unless it is not to be counted on.
    pub(super) fn sound(&self) -> Option<&Known> {
        match self.state {
            State::Fine | State::Proven(_) => self.known.as_ref(),
            _ => None,
        }
    }

    pub(super) fn is_proven(&self) -> bool {
        matches!(self.state, State::Proven(_))
    }
}

/// How the last run of a database ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LastRun {
    /// It made a backup.
    Succeeded,
    /// It made none: the backup that it was to be.
    Failed(BackupId),
    /// There is no telling: why.
    Unknown(String),
}

/// Everything that a plan is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetentionState {
    /// The time.
    pub now: OffsetDateTime,
    /// The backups, in any order.
    pub backups: Vec<Candidate>,
    /// How the last run of each database ended. One that is not named here has no records.
    pub last_runs: BTreeMap<Database, LastRun>,
}
