//! What of a migration without a transaction was done before.

use super::super::files::MigrationId;
use super::super::history::{History, State};
use super::super::script::{Script, Statement};
use crate::error::{Error, ErrorKind, Result};
use crate::name::hex;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use std::time::Instant;

/// Whether a statement was begun by a run before this one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Begun {
    Never,
    Before,
}

/// What runs before this one did of a migration.
pub(super) struct Journal {
    /// Whether nothing of it is written down yet.
    pub(super) is_new: bool,
    /// Digests of steps, and whether they are done.
    steps: BTreeMap<usize, (String, bool)>,
    pub(super) done: usize,
    pub(super) skipped: usize,
    pub(super) begun: Instant,
}

impl Journal {
    pub(super) fn of(id: &MigrationId, history: &History) -> Self {
        let key = id.key();
        let steps: BTreeMap<_, _> = history
            .steps_of(&key)
            .map(|step| (step.step, (step.digest.clone(), step.done)))
            .collect();
        let done = steps.values().filter(|(_, done)| *done).count();
        Self {
            is_new: history
                .of(id)
                .is_none_or(|record| record.state != State::Incomplete),
            steps,
            done,
            skipped: done,
            begun: Instant::now(),
        }
    }

    /// Fails when a statement that ran is another one now.
    pub(super) fn check(&self, script: &Script, statements: &[Statement]) -> Result<()> {
        for (at, (digest, done)) in &self.steps {
            let same = statements
                .get(*at)
                .is_some_and(|one| step_digest(script.text_of(one)) == *digest);
            if *done && !same {
                return Err(Error::new(
                    ErrorKind::CheckFailed,
                    format!("statement {} of it ran before, and was changed since", at + 1),
                )
                .with_hint("Bring the statements that are done back as they were; what comes behind them may change."));
            }
        }
        Ok(())
    }

    pub(super) fn is_done(&self, at: usize) -> bool {
        self.steps.get(&at).is_some_and(|(_, done)| *done)
    }

    pub(super) fn was_begun(&self, at: usize) -> Begun {
        match self.steps.contains_key(&at) {
            true => Begun::Before,
            false => Begun::Never,
        }
    }
}

/// What identifies a statement.
pub(super) fn step_digest(text: &str) -> String {
    hex(&Sha256::digest(text))
}
