//! Running migrations: one connection, its locks, one migration after the other.

mod failure;
mod index;
mod journal;
mod lock;
mod pause;
mod probe;
mod steps;
mod stepwise;
mod work;

pub use failure::{Failure, Left};
pub use lock::MIGRATION_LOCK_KEY;
pub(crate) use lock::{Locked, RESET};
pub use probe::{LockTaken, Measured, RowsChanged, Seen};
pub use steps::Mode;
pub(crate) use steps::Steps;
pub(crate) use stepwise::clear_halves;
pub(crate) use work::undo;

use super::files::{Migration, MigrationId};
use super::history::{Draft, History};
use crate::context::OpContext;
use crate::event::Event;
use serde::Serialize;
use std::time::Duration;
use work::Worker;

/// How long a run waits, and for what.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RunLimits {
    /// How long a statement waits for a lock, while everybody who comes behind it waits too: 2 s. Then it gives way, and
    /// tries again later.
    pub lock_timeout: Duration,
    /// For how long a statement that gets no lock is tried again: 2 min.
    pub lock_deadline: Duration,
    /// How long a statement may take; without limit when not said.
    pub statement_timeout: Option<Duration>,
    /// How long to wait for another run, or a backup, to end: 1 min.
    pub lock_wait: Duration,
}

impl Default for RunLimits {
    fn default() -> Self {
        Self {
            lock_timeout: Duration::from_secs(2),
            lock_deadline: Duration::from_secs(120),
            statement_timeout: None,
            lock_wait: Duration::from_secs(60),
        }
    }
}

impl RunLimits {
    /// Sets the limits that the server watches, for the session or (`local `) for the transaction.
    fn set_sql(&self, local: &str) -> String {
        // Zero would be no limit at all.
        let lock = self.lock_timeout.as_millis().clamp(1, i32::MAX as u128);
        let statement = self
            .statement_timeout
            .map_or(0, |limit| limit.as_millis().clamp(1, i32::MAX as u128));
        format!("set {local}lock_timeout = {lock}; set {local}statement_timeout = {statement}")
    }
}

/// Whether a run looks at what each statement does. It asks the server behind each, which takes time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Measure {
    /// It does not.
    #[default]
    Nothing,
    /// It does.
    All,
}

/// A statement that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Done {
    /// Its first line in the file.
    pub line: usize,
    /// What the server says was done; unknown of one that an interrupted run did.
    pub tag: Option<String>,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// What it did, where that was looked at.
    pub measured: Option<Measured>,
}

/// A migration that is done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Applied {
    /// Which.
    pub id: MigrationId,
    /// Its name.
    pub name: String,
    /// In what it ran.
    pub mode: Mode,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// Its statements, those of this run.
    pub statements: Vec<Done>,
    /// How many statements an earlier run had done.
    pub skipped: usize,
}

/// What is the same for all migrations of a run.
#[derive(Debug, Clone, Default)]
pub(crate) struct RunNotes {
    pub(crate) host: Option<String>,
    pub(crate) backup_id: Option<String>,
    pub(crate) facts_before: Option<String>,
}

/// Carries `migrations` out, up to the first that fails.
pub(crate) async fn run(
    ctx: &OpContext,
    locked: &mut Locked,
    history: &History,
    migrations: &[&Migration],
    notes: &RunNotes,
) -> (Vec<Applied>, Option<Box<Failure>>) {
    let limits = locked.limits().clone();
    let mut applied = Vec::with_capacity(migrations.len());
    for (at, migration) in migrations.iter().enumerate() {
        ctx.emit(Event::MigrationStarted {
            id: migration.id.to_string(),
            name: migration.name.clone(),
            number: at + 1,
            of: migrations.len(),
        });
        let draft = Draft {
            migration,
            host: notes.host.as_deref(),
            backup_id: notes.backup_id.as_deref(),
            facts_before: notes.facts_before.as_deref().filter(|_| at == 0),
        };
        let mut worker = Worker::new(ctx, locked, &limits, &history.ledgers);
        match Box::pin(worker.migrate(&draft, history)).await {
            Ok(done) => {
                ctx.emit(Event::MigrationDone {
                    id: done.id.to_string(),
                    name: done.name.clone(),
                    elapsed: Duration::from_millis(done.elapsed_ms),
                });
                applied.push(done);
            }
            Err(failure) => return (applied, Some(failure)),
        }
    }
    (applied, None)
}
