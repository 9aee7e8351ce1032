//! What a run did.

use super::outcome::Outcome;
use super::run::{Applied, Failure};
use super::safety::{BackupTaken, Writers};
use super::snapshot::DriftReport;
use super::suite::{SuiteReport, TestChange};
use serde::Serialize;

/// What a run did.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct ApplyReport {
    /// The form of this document.
    pub schema: &'static str,
    /// The database.
    pub database: String,
    /// How it ended.
    pub outcome: Outcome,
    /// What ran to its end, in this order.
    pub applied: Vec<Applied>,
    /// What failed; nothing ran behind it.
    pub failure: Option<Box<Failure>>,
    /// What was different from what the run before left, where that was accepted.
    pub drift: Option<DriftReport>,
    /// Whether whoever writes was stopped for the run.
    pub writers: Writers,
    /// The backup before the run.
    pub backup: Option<BackupTaken>,
    /// The backup after it.
    pub backup_after: Option<BackupTaken>,
    /// The tests after the run.
    pub tests: Vec<SuiteReport>,
    /// Tests that said something else before the run.
    pub changed_tests: Vec<TestChange>,
    /// Digest of the facts before the run.
    pub facts_before: String,
    /// Digest of the facts after it; unknown of a run that failed.
    pub facts_after: Option<String>,
    /// Wall time in milliseconds.
    pub elapsed_ms: u64,
}

impl ApplyReport {
    pub(super) fn new(database: &str, facts_before: String) -> Self {
        Self {
            schema: "opskit.migrate-apply/1",
            database: database.to_owned(),
            outcome: Outcome::NothingToDo,
            applied: Vec::new(),
            failure: None,
            drift: None,
            writers: Writers::default(),
            backup: None,
            backup_after: None,
            tests: Vec::new(),
            changed_tests: Vec::new(),
            facts_before,
            facts_after: None,
            elapsed_ms: 0,
        }
    }

    /// Whether all of the plan is done, and the tests hold.
    #[must_use]
    pub fn is_done(&self) -> bool {
        self.outcome.is_success()
    }
}
