//! A migration without a transaction: statement by statement, with a journal.

use super::super::class::TransactionUse;
use super::super::files::Migration;
use super::super::history::{Draft, History, StepMark};
use super::super::ledger::Elapsed;
use super::super::script::{Script, Statement};
use super::Done;
use super::index::{Leftover, leftover};
use super::journal::{Begun, Journal, step_digest};
use super::lock::{Locked, RESET, RESET_ROLE};
use super::pause::Pauses;
use super::steps::{Steps, is_setting};
use super::work::{Broken, Worker, is_passing, lock_gone};
use crate::error::Result;
use std::time::Instant;

/// What the server says of a `COMMIT` in a procedure that runs in a transaction of its caller's.
const INVALID_TRANSACTION_TERMINATION: &str = "2D000";

impl Worker<'_> {
    /// Statement by statement. Those that may be in a transaction are in one with their line in the journal.
    pub(super) async fn by_statements(
        &mut self,
        draft: &Draft<'_>,
        steps: &Steps<'_>,
        journal: &mut Journal,
    ) -> Result<Vec<Done>, Broken> {
        let script = &draft.migration.script;
        let session = format!(
            "{RESET}; {}; {}",
            self.limits.set_sql(""),
            self.locked.check_sql()
        );
        self.locked.run(&session, None).await.map_err(lock_gone)?;
        if journal.is_new {
            self.locked.run(&draft.begun_sql(), None).await?;
        }
        journal.check(script, steps.statements)?;
        let mut done = Vec::new();
        for (at, statement) in steps.statements.iter().enumerate() {
            let text = script.text_of(statement);
            if journal.is_done(at) {
                if is_setting(text) {
                    self.locked.run(text, None).await?;
                }
                continue;
            }
            let digest = step_digest(text);
            let mark = StepMark {
                id: &draft.migration.id,
                step: at,
                digest: &digest,
            };
            let was_begun = journal.was_begun(at);
            let result = self.patiently(script, statement, &mark, was_begun).await;
            done.push(result.map_err(|error| Broken {
                at: Some(at),
                error,
            })?);
            journal.done += 1;
        }
        let elapsed = Elapsed::Was(journal.begun.elapsed());
        let mut finish = vec!["begin".to_owned(), draft.finished_sql()];
        finish.extend(
            self.ledgers
                .iter()
                .filter_map(|ledger| ledger.insert_sql(draft.migration, elapsed)),
        );
        finish.push("commit".to_owned());
        self.locked
            .run(&format!("{RESET_ROLE}; {}", finish.join("; ")), None)
            .await?;
        Ok(done)
    }

    /// One statement with its journal, again when a lock was not to be had.
    async fn patiently(
        &mut self,
        script: &Script,
        statement: &Statement,
        mark: &StepMark<'_>,
        was_begun: Begun,
    ) -> Result<Done> {
        let mut pauses = None;
        let mut was_begun = was_begun;
        loop {
            let result = match statement.transaction {
                TransactionUse::Outside => self.outside(script, statement, mark, was_begun).await,
                _ if is_setting(script.text_of(statement)) => {
                    self.setting(script, statement, mark).await
                }
                _ => match self.inside(script, statement, mark).await {
                    // A procedure that commits, in a transaction that it did not begin. Nothing of it is done.
                    Err(error) if error.sqlstate() == Some(INVALID_TRANSACTION_TERMINATION) => {
                        self.outside(script, statement, mark, was_begun).await
                    }
                    ended => ended,
                },
            };
            let error = match result {
                Ok(done) => return Ok(done),
                Err(error) => error,
            };
            was_begun = Begun::Before;
            if !is_passing(&error) {
                return Err(error);
            }
            let pauses = pauses.get_or_insert_with(|| Pauses::until(self.limits.lock_deadline));
            self.retried(script, statement, &error);
            if !pauses.wait(self.ctx.cancel()).await? {
                return Err(error);
            }
        }
    }

    /// A statement that cannot be in a transaction: its line says first that it begins, and then that it is done. One
    /// that was begun before may be done, or half done.
    async fn outside(
        &mut self,
        script: &Script,
        statement: &Statement,
        mark: &StepMark<'_>,
        was_begun: Begun,
    ) -> Result<Done> {
        let text = script.text_of(statement);
        self.mark_alone(&mark.begun_sql()).await?;
        // `IF NOT EXISTS` would pass over what an earlier try left.
        let left = self.without_half(text).await?;
        if left == Leftover::Done && was_begun == Begun::Before {
            self.mark_alone(&mark.done_sql()).await?;
            return Ok(Done {
                line: statement.line,
                tag: None,
                elapsed_ms: 0,
                measured: None,
            });
        }
        let done = match self.alone(script, statement).await {
            Ok(done) => done,
            Err(error) => {
                self.clean_up(text).await;
                return Err(error);
            }
        };
        self.mark_alone(&mark.done_sql()).await?;
        Ok(done)
    }

    /// Takes away what a failed statement left, so that nobody pays for an index that nobody can use. Where that fails
    /// too, the next run does it.
    async fn clean_up(&mut self, text: &str) {
        let _ = self.without_half(text).await;
    }

    /// Takes what is half done away, and says what there is then.
    async fn without_half(&mut self, text: &str) -> Result<Leftover> {
        without_half(self.locked, text).await
    }

    async fn inside(
        &mut self,
        script: &Script,
        statement: &Statement,
        mark: &StepMark<'_>,
    ) -> Result<Done> {
        self.locked.run("begin", None).await?;
        self.probe = self.locked.probe().await?;
        let result = self.statement(script, statement).await;
        match result {
            Ok(done) => {
                self.mark(&mark.done_sql()).await?;
                Ok(done)
            }
            Err(error) => {
                let _ = self.locked.run("rollback", None).await;
                Err(error)
            }
        }
    }

    /// Writes a line of the journal as whoever runs the migrations, whatever role the file took, and ends the
    /// transaction; the role is the file's again behind it.
    async fn mark(&mut self, sql: &str) -> Result<()> {
        let sql =
            format!("set local session authorization default; set local role none; {sql}; commit");
        let done = self.locked.run(&sql, None).await;
        if done.is_err() {
            let _ = self.locked.run("rollback", None).await;
        }
        done.map(drop)
    }

    async fn mark_alone(&mut self, sql: &str) -> Result<()> {
        self.locked.run("begin", None).await?;
        self.mark(sql).await
    }

    /// A setting of the session, which a transaction that is rolled back would take along.
    async fn setting(
        &mut self,
        script: &Script,
        statement: &Statement,
        mark: &StepMark<'_>,
    ) -> Result<Done> {
        self.mark_alone(&mark.done_sql()).await?;
        self.probe = None;
        self.statement(script, statement).await
    }

    /// A statement outside of a transaction: another session looks at its locks while it runs.
    async fn alone(&mut self, script: &Script, statement: &Statement) -> Result<Done> {
        let Some(mut probe) = self.locked.probe().await? else {
            self.probe = None;
            return self.statement(script, statement).await;
        };
        let begun = Instant::now();
        let (tag, seen) = self.locked.run_watched(script.text_of(statement)).await?;
        let mut done = self.done(statement, tag, begun.elapsed());
        done.measured = Some(probe.sampled(self.locked.connection()?, &seen).await?);
        Ok(done)
    }
}

async fn without_half(locked: &mut Locked, text: &str) -> Result<Leftover> {
    loop {
        match leftover(locked.connection()?, text).await? {
            Leftover::Half(sql) => drop(locked.run(&sql, None).await?),
            left => return Ok(left),
        }
    }
}

/// Takes away what runs that were killed left half done of these files: no backup carries an invalid index.
pub(crate) async fn clear_halves(
    locked: &mut Locked,
    history: &History,
    files: &[&Migration],
) -> Result<()> {
    for file in files {
        let key = file.id.key();
        for step in history.steps_of(&key).filter(|step| !step.done) {
            let statement = file.script.statements().get(step.step);
            let text = statement.map(|statement| file.script.text_of(statement));
            if let Some(text) = text.filter(|text| step_digest(text) == step.digest) {
                without_half(locked, text).await?;
            }
        }
    }
    Ok(())
}
