//! How a run ended, and what there is to do.

use super::run::Left;
use serde::Serialize;

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Outcome {
    /// All is done, and the tests hold.
    Applied,
    /// There was nothing to do.
    NothingToDo,
    /// The migration that failed left nothing; those before it are done.
    RolledBack,
    /// Some statements of the migration that failed are done: run again, it goes on behind them.
    ResumeHere {
        /// How many are done.
        done: usize,
        /// How many there are.
        of: usize,
    },
    /// The connection was lost while a migration was committed.
    Unknown,
    /// Tests failed; the scripts that take the migrations back ran, and the schema is what it was before.
    DownScript,
    /// Tests failed; the backup was restored in place, and schema and rows are what they were before.
    InPlaceRestore,
    /// Tests failed; the backup was restored into a new database, compared, and renamed into the place of the old.
    SwapDatabase {
        /// The name of the database that was migrated.
        kept: String,
    },
    /// Tests failed, and taking the migrations back might discard what others wrote since.
    NeedsDecision {
        /// Why nothing was done.
        why: String,
        /// Tables whose rows changed since the backup.
        changed: Vec<String>,
        /// What can be done.
        choices: Vec<Choice>,
    },
}

/// Something that can be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Choice {
    /// What it means, in one sentence.
    pub means: String,
    /// The command.
    pub command: String,
    /// How long it would take, where that was measured.
    pub minutes: Option<u64>,
}

impl Choice {
    pub(super) fn new(means: impl Into<String>, command: impl Into<String>) -> Self {
        Self {
            means: means.into(),
            command: command.into(),
            minutes: None,
        }
    }
}

impl Outcome {
    /// Whether the run did what it was asked for.
    #[must_use]
    pub fn is_success(&self) -> bool {
        matches!(self, Self::Applied | Self::NothingToDo)
    }
}

impl From<&Left> for Outcome {
    fn from(left: &Left) -> Self {
        match left {
            Left::RolledBack => Self::RolledBack,
            Left::ResumeHere { done, of } => Self::ResumeHere {
                done: *done,
                of: *of,
            },
            Left::Unknown => Self::Unknown,
        }
    }
}
