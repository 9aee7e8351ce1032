//! Carrying one migration out.

use super::super::class::TransactionUse;
use super::super::files::{DownScript, Migration};
use super::super::history::{Draft, History, State, deleted_sql};
use super::super::ledger::{Elapsed, Ledger};
use super::super::script::{Script, Statement};
use super::failure::{Failure, Left};
use super::journal::Journal;
use super::lock::{Locked, RESET, RESET_ROLE};
use super::pause::Pauses;
use super::probe::Probe;
use super::steps::{Mode, Steps};
use super::{Applied, Done, RunLimits};
use crate::context::OpContext;
use crate::error::{Error, Result};
use crate::event::Event;
use std::collections::BTreeMap;
use std::time::{Duration, Instant};

/// Server states of statements that may go well at the next try: a lock time-out, a deadlock, a conflict of
/// serializable transactions.
const AGAIN: [&str; 3] = ["55P03", "40P01", "40001"];

/// What carries migrations out.
pub(super) struct Worker<'a> {
    pub(super) ctx: &'a OpContext,
    pub(super) locked: &'a mut Locked,
    pub(super) limits: &'a RunLimits,
    pub(super) ledgers: &'a [Ledger],
    pub(super) probe: Option<Probe>,
}

/// A statement that failed, by its number; `None` for what is around them.
pub(super) struct Broken {
    pub(super) at: Option<usize>,
    pub(super) error: Error,
}

impl From<Error> for Broken {
    fn from(error: Error) -> Self {
        Self { at: None, error }
    }
}

impl<'a> Worker<'a> {
    pub(super) fn new(
        ctx: &'a OpContext,
        locked: &'a mut Locked,
        limits: &'a RunLimits,
        ledgers: &'a [Ledger],
    ) -> Self {
        Self {
            ctx,
            locked,
            limits,
            ledgers,
            probe: None,
        }
    }
    /// Carries a migration out and writes it down.
    pub(super) async fn migrate(
        &mut self,
        draft: &Draft<'_>,
        history: &History,
    ) -> Result<Applied, Box<Failure>> {
        let migration = draft.migration;
        let begun = Instant::now();
        let is_begun = history
            .of(&migration.id)
            .is_some_and(|record| record.state == State::Incomplete);
        let steps = match is_begun {
            true => Steps::of_rest(migration),
            false => Steps::of(migration),
        };
        let steps = steps
            .map_err(|error| failure(migration, &[], Broken::from(error), Left::RolledBack))?;
        let script = &migration.script;
        let (statements, skipped) = match steps.mode {
            Mode::Transaction => {
                let finish = self_sql(draft, self.ledgers, Elapsed::OfTransaction);
                let done = self.in_transaction(script, &steps, &finish).await;
                let left = |error: &Broken| left_by_transaction(self.locked, error);
                let done = done.map_err(|broken| {
                    let left = left(&broken);
                    failure(migration, steps.statements, broken, left)
                })?;
                (done, 0)
            }
            Mode::Statements => {
                let mut journal = Journal::of(&migration.id, history);
                let done = self.by_statements(draft, &steps, &mut journal).await;
                let of = steps.statements.len();
                let skipped = journal.skipped;
                let done = done.map_err(|broken| {
                    let left = Left::ResumeHere {
                        done: journal.done,
                        of,
                    };
                    failure(migration, steps.statements, broken, left)
                })?;
                (done, skipped)
            }
        };
        Ok(Applied {
            id: migration.id.clone(),
            name: migration.name.clone(),
            mode: steps.mode,
            elapsed_ms: millis(begun.elapsed()),
            statements,
            skipped,
        })
    }

    /// All in one transaction, again from its beginning when a lock was not to be had: the locks that it has by then
    /// would keep others waiting between tries.
    async fn in_transaction(
        &mut self,
        script: &Script,
        steps: &Steps<'_>,
        finish: &str,
    ) -> Result<Vec<Done>, Broken> {
        let mut waits: BTreeMap<usize, Pauses> = BTreeMap::new();
        loop {
            let broken = match self.attempt(script, steps, finish).await {
                Ok(done) => return Ok(done),
                Err(broken) => broken,
            };
            // A connection that is lost rolls back as well.
            let back = self.locked.roll_back(self.ctx).await;
            let Some(at) = broken
                .at
                .filter(|_| back.is_ok() && is_passing(&broken.error))
            else {
                return Err(broken);
            };
            let pauses = waits
                .entry(at)
                .or_insert_with(|| Pauses::until(self.limits.lock_deadline));
            self.retried(script, &steps.statements[at], &broken.error);
            if !pauses.wait(self.ctx.cancel()).await? {
                return Err(broken);
            }
        }
    }

    async fn attempt(
        &mut self,
        script: &Script,
        steps: &Steps<'_>,
        finish: &str,
    ) -> Result<Vec<Done>, Broken> {
        let begin = format!(
            "{RESET}; begin; {}; {}",
            self.limits.set_sql("local "),
            self.locked.check_sql()
        );
        // Constraints that wait for the end are told of by the statement that the server checks them in.
        let end = format!("set constraints all immediate; {RESET_ROLE}; {finish}; commit");
        if is_plain(steps)
            && let Some(done) = self.all_at_once(script, steps, &begin, &end).await?
        {
            return Ok(done);
        }
        self.locked.run(&begin, None).await.map_err(lock_gone)?;
        self.probe = self.locked.probe().await?;
        let mut done = Vec::with_capacity(steps.statements.len());
        for (at, statement) in steps.statements.iter().enumerate() {
            let result = self.statement(script, statement).await;
            done.push(result.map_err(|error| Broken {
                at: Some(at),
                error,
            })?);
        }
        self.locked.run(&end, None).await?;
        Ok(done)
    }

    /// Without waiting for the answer to each message. Behind one that fails, the server refuses all others of the
    /// transaction, the end of it too.
    async fn all_at_once(
        &mut self,
        script: &Script,
        steps: &Steps<'_>,
        begin: &str,
        end: &str,
    ) -> Result<Option<Vec<Done>>, Broken> {
        let texts = steps.statements.iter().map(|one| script.text_of(one));
        let messages: Vec<&str> = std::iter::once(begin).chain(texts).chain([end]).collect();
        let mut before = Instant::now();
        let Some(answers) = self.locked.run_all(&messages).await? else {
            return Ok(None);
        };
        let mut done = Vec::with_capacity(steps.statements.len());
        for (at, (answer, when)) in answers.into_iter().enumerate() {
            let statement = at.checked_sub(1).and_then(|at| steps.statements.get(at));
            let answer = answer.map_err(|error| match at {
                0 => Broken::from(lock_gone(error)),
                _ => Broken {
                    at: statement.map(|_| at - 1),
                    error,
                },
            })?;
            if let Some(statement) = statement {
                let tag = answer.into_iter().last().unwrap_or_default().tag;
                done.push(self.done(statement, tag, when.duration_since(before)));
            }
            before = when;
        }
        Ok(Some(done))
    }

    /// A statement, and what it did within its transaction.
    pub(super) async fn statement(
        &mut self,
        script: &Script,
        statement: &Statement,
    ) -> Result<Done> {
        let begun = Instant::now();
        let text = script.text_of(statement);
        let tag = self.locked.run(text, script.rows_of(statement)).await?;
        let mut done = self.done(statement, tag, begun.elapsed());
        if let Some(probe) = &mut self.probe {
            done.measured = Some(probe.after(self.locked.connection()?).await?);
        }
        Ok(done)
    }

    pub(super) fn done(&self, statement: &Statement, tag: String, elapsed: Duration) -> Done {
        self.ctx.emit(Event::StatementDone {
            line: statement.line,
            what: tag.clone(),
            elapsed,
        });
        Done {
            line: statement.line,
            tag: Some(tag),
            elapsed_ms: millis(elapsed),
            measured: None,
        }
    }

    pub(super) fn retried(&self, script: &Script, statement: &Statement, error: &Error) {
        let at = script.position(statement.span.start);
        self.ctx.emit(Event::Waiting {
            what: format!(
                "a lock for the statement at {at}: {}",
                error.chain().join(": ")
            ),
        });
    }
}

/// Takes a migration back by its script, and out of all histories.
pub(crate) async fn undo(
    ctx: &OpContext,
    locked: &mut Locked,
    migration: &Migration,
    down: &DownScript,
    ledgers: &[Ledger],
) -> Result<()> {
    let steps = Steps::of_script(&down.script, &down.file)?;
    let limits = locked.limits().clone();
    let mut worker = Worker::new(ctx, locked, &limits, ledgers);
    let theirs = ledgers
        .iter()
        .filter_map(|ledger| ledger.delete_sql(&migration.id));
    let gone = std::iter::once(deleted_sql(&migration.id)).chain(theirs);
    let gone = gone.collect::<Vec<_>>().join("; ");
    if steps.mode == Mode::Statements {
        let session = format!(
            "{RESET}; {}; {}",
            limits.set_sql(""),
            worker.locked.check_sql()
        );
        worker.locked.run(&session, None).await?;
        for statement in steps.statements {
            worker.statement(&down.script, statement).await?;
        }
        let gone = format!("{RESET_ROLE}; begin; {gone}; commit");
        return worker.locked.run(&gone, None).await.map(drop);
    }
    let done = worker.in_transaction(&down.script, &steps, &gone).await;
    done.map(drop).map_err(|broken| broken.error)
}

/// Whether no statement undoes what failed before it, and none reads rows of the file.
fn is_plain(steps: &Steps<'_>) -> bool {
    let plain = |one: &Statement| {
        let anywhere = matches!(
            one.transaction,
            TransactionUse::Anywhere | TransactionUse::UsableLater
        );
        anywhere && one.copy_rows.is_none()
    };
    steps.statements.iter().all(plain)
}

/// The rows of all histories, for the transaction of a migration.
fn self_sql(draft: &Draft<'_>, ledgers: &[Ledger], elapsed: Elapsed) -> String {
    let ours = std::iter::once(draft.applied_sql());
    let theirs = ledgers
        .iter()
        .filter_map(|ledger| ledger.insert_sql(draft.migration, elapsed));
    ours.chain(theirs).collect::<Vec<_>>().join("; ")
}

fn left_by_transaction(locked: &Locked, broken: &Broken) -> Left {
    match broken.at {
        None if locked.is_lost() => Left::Unknown,
        _ => Left::RolledBack,
    }
}

pub(super) fn is_passing(error: &Error) -> bool {
    error.sqlstate().is_some_and(|code| AGAIN.contains(&code))
}

pub(super) fn lock_gone(error: Error) -> Error {
    match error.sqlstate() {
        // The division by zero of the check.
        Some("22012") => Error::new(
            crate::error::ErrorKind::Unsupported,
            "the lock of this run is gone: the server process was changed, or a migration gave it up",
        )
        .with_hint("Use a direct connection, and no pg_advisory_unlock_all() in migrations."),
        _ => error,
    }
}

fn failure(
    migration: &Migration,
    statements: &[Statement],
    broken: Broken,
    left: Left,
) -> Box<Failure> {
    let statement = broken.at.and_then(|at| statements.get(at));
    Box::new(Failure::new(
        migration,
        &migration.script,
        statement,
        &broken.error,
        left,
    ))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
