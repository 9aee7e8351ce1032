//! The order of a run: look, back up, migrate, test, remember; and the way back.

use super::back;
use super::files::Migration;
use super::history::{History, rows};
use super::outcome::Outcome;
use super::plan::Plan;
use super::report::ApplyReport;
use super::room;
use super::run::{Locked, RunNotes, clear_halves, run};
use super::runner::PgMigrationRunner;
use super::safety::{After, Writers, call, take_backup};
use super::snapshot::{self, Snapshot};
use super::status::OnGap;
use super::suite::{Suite, SuiteReport, changed_tests};
use super::traffic::Traffic;
use crate::catalog::facts::Facts;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::postgres::facts::read_facts;
use std::time::Instant;

impl PgMigrationRunner {
    /// Carries a plan out over a connection that has its turn.
    pub(super) async fn apply_with(
        &self,
        ctx: &OpContext,
        plan: &Plan,
        locked: &mut Locked,
    ) -> Result<ApplyReport> {
        let begun = Instant::now();
        let files = plan.files(self.migrations())?;
        let mut history = History::read(locked.connection()?).await?;
        if history.digest() != plan.history_digest {
            return Err(Error::new(
                ErrorKind::Busy,
                "the history of migrations moved since the plan was made",
            )
            .with_hint("Somebody else migrated this database. Make the plan again."));
        }
        room::check(locked.connection()?, plan, self.safety.disk).await?;
        clear_halves(locked, &history, &files).await?;
        let (before, mut report) = self.look(ctx, &plan.database, &history, locked).await?;
        report.writers = self.safety.writers;
        if files.is_empty() {
            self.adopt(ctx, &mut history, locked).await?;
        } else {
            let run = Run {
                ctx,
                runner: self,
                files: &files,
                before: &before,
            };
            Box::pin(run.between_hooks(&mut history, &mut report, locked)).await?;
        }
        report.elapsed_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
        Ok(report)
    }

    /// Reads the facts, and refuses to go on where somebody changed them since the last run.
    async fn look(
        &self,
        ctx: &OpContext,
        database: &str,
        history: &History,
        locked: &mut Locked,
    ) -> Result<(Facts, ApplyReport)> {
        let Some(last) = self.last_snapshot(history, locked).await? else {
            let facts = read_facts(ctx, &self.url, snapshot::options(&self.scope)).await?;
            let report = ApplyReport::new(database, facts.digest());
            return Ok((facts, report));
        };
        let (drift, facts) = snapshot::drift(ctx, &self.url, &last).await?;
        let mut report = ApplyReport::new(database, facts.digest());
        if drift.is_drift() {
            match history.left(&last.facts.digest()) {
                true if self.safety.drift == OnGap::Refuse => return Err(drifted(&drift)),
                true => {}
                false => ctx.emit(Event::Warning {
                    message: "the last run was interrupted, or another tool migrated since: what was changed by hand is not told apart from that".to_owned(),
                }),
            }
            report.drift = Some(drift);
        }
        Ok((facts, report))
    }

    pub(super) async fn last_snapshot(
        &self,
        history: &History,
        locked: &mut Locked,
    ) -> Result<Option<Snapshot>> {
        match history.has_tables() {
            true => snapshot::last(locked.connection()?).await,
            false => Ok(None),
        }
    }

    /// Makes our tables, and takes over what other tools ran.
    pub(super) async fn adopt(
        &self,
        ctx: &OpContext,
        history: &mut History,
        locked: &mut Locked,
    ) -> Result<()> {
        locked.keep_tools_away(ctx, &history.ledgers).await?;
        history.make(locked.connection()?).await?;
        in_one(locked, &history.adopt_sql(self.migrations())?).await
    }
}

/// A run that has something to do.
struct Run<'a> {
    ctx: &'a OpContext,
    runner: &'a PgMigrationRunner,
    files: &'a [&'a Migration],
    before: &'a Facts,
}

impl Run<'_> {
    /// Runs between the hook that stops writers and the one that lets them in again, which is called in any case.
    async fn between_hooks(
        &self,
        history: &mut History,
        report: &mut ApplyReport,
        locked: &mut Locked,
    ) -> Result<()> {
        let safety = &self.runner.safety;
        let database = report.database.clone();
        // One that failed may have stopped some of those who write: they are let in again as well.
        let done = match call(safety.before.as_ref(), "before", &database, self.files).await {
            Ok(stopped) => {
                if stopped {
                    report.writers = Writers::Stopped;
                }
                Box::pin(self.go(history, report, locked)).await
            }
            Err(error) => Err(error),
        };
        if let Err(error) = call(safety.after.as_ref(), "after", &database, self.files).await {
            let message = error.chain().join(": ");
            self.ctx.emit(Event::Warning { message });
        }
        done
    }

    async fn go(
        &self,
        history: &mut History,
        report: &mut ApplyReport,
        locked: &mut Locked,
    ) -> Result<()> {
        let (ctx, runner) = (self.ctx, self.runner);
        let tests_before = run_suites(ctx, &runner.safety.suites, locked).await?;
        let traffic = self.back_up_first(report, locked).await?;
        runner.adopt(ctx, history, locked).await?;
        self.migrate(history, report, locked).await;
        if report.failure.is_none() {
            report.tests = run_suites(ctx, &runner.safety.suites, locked).await?;
            report.changed_tests = changed_tests(&tests_before, &report.tests);
            report.outcome = Outcome::Applied;
        }
        if report.tests.iter().any(|suite| !suite.is_green()) {
            let way = back::Back {
                ctx,
                runner,
                history,
                files: self.files,
                before: self.before,
                traffic: &traffic,
            };
            report.outcome = Box::pin(way.go(report, locked)).await?;
            if let Outcome::InPlaceRestore | Outcome::SwapDatabase { .. } = report.outcome {
                return Ok(());
            }
        }
        let moved = matches!(
            report.outcome,
            Outcome::DownScript | Outcome::ResumeHere { .. }
        );
        if !report.applied.is_empty() || moved {
            let remembered = self.remember(report, locked).await;
            match (remembered, &report.failure) {
                (Err(error), Some(_)) => {
                    // What failed first is what is told.
                    let message = format!("the facts were not kept: {}", error.chain().join(": "));
                    ctx.emit(Event::Warning { message });
                }
                (remembered, _) => remembered?,
            }
        }
        self.back_up_after(report, locked).await
    }

    /// Takes the backup, keeps others away, and says what was written meanwhile.
    async fn back_up_first(
        &self,
        report: &mut ApplyReport,
        locked: &mut Locked,
    ) -> Result<Traffic> {
        let traffic = Traffic::look(locked.connection()?).await?;
        if let (Some(first), Some(last)) = (&self.runner.safety.backup, self.files.last()) {
            let taken = take_backup(self.ctx, &self.runner.url, first, last, "before");
            report.backup = Some(Box::pin(taken).await?);
        }
        locked.keep_backups_away(self.ctx).await?;
        traffic.since(locked.connection()?).await
    }

    async fn back_up_after(&self, report: &mut ApplyReport, locked: &mut Locked) -> Result<()> {
        if let (Outcome::Applied, Some(first), Some(last)) = (
            &report.outcome,
            &self.runner.safety.backup,
            self.files.last(),
        ) && first.after == After::Backup
        {
            locked.let_backups_in().await?;
            let taken = take_backup(self.ctx, &self.runner.url, first, last, "after");
            report.backup_after = Some(Box::pin(taken).await?);
        }
        Ok(())
    }

    async fn migrate(&self, history: &History, report: &mut ApplyReport, locked: &mut Locked) {
        let notes = RunNotes {
            host: host(),
            backup_id: report.backup.as_ref().map(|taken| taken.id.to_string()),
            facts_before: Some(report.facts_before.clone()),
        };
        locked.measure(self.runner.measure);
        let (applied, failure) = run(self.ctx, locked, history, self.files, &notes).await;
        report.applied = applied;
        if let Some(failure) = failure {
            report.outcome = Outcome::from(&failure.left);
            report.failure = Some(failure);
        }
    }

    /// Keeps the facts that the run left.
    async fn remember(&self, report: &mut ApplyReport, locked: &mut Locked) -> Result<()> {
        let facts = read_facts(
            self.ctx,
            &self.runner.url,
            crate::catalog::facts::FactsOptions::like(self.before),
        )
        .await?;
        // Of a run that goes on later, the migration that is not done.
        let done = report.applied.len();
        let ended = match report.outcome {
            Outcome::ResumeHere { .. } => done,
            _ => done.saturating_sub(1),
        };
        let Some(last) = self.files.get(ended).or(self.files.first()) else {
            return Ok(());
        };
        in_one(locked, &snapshot::keep_sql(&last.id, &facts)?).await?;
        report.facts_after = Some(facts.digest());
        Ok(())
    }
}

/// Runs the tests of all files.
pub(super) async fn run_suites(
    ctx: &OpContext,
    suites: &[Suite],
    locked: &mut Locked,
) -> Result<Vec<SuiteReport>> {
    let mut reports = Vec::with_capacity(suites.len());
    for suite in suites {
        let report = suite.run(ctx, locked).await?;
        ctx.emit(Event::TestsDone {
            file: report.name.clone(),
            tests: report.tests.len(),
        });
        reports.push(report);
    }
    Ok(reports)
}

fn drifted(drift: &snapshot::DriftReport) -> Error {
    let text = drift.diff.to_string();
    let first = text.lines().take(5).collect::<Vec<_>>().join("\n");
    Error::new(
        ErrorKind::CheckFailed,
        format!("the schema is not what migration {} left on {}", drift.after, drift.taken_at),
    )
    .with_source(first)
    .with_hint("`opskit migrate drift` shows all of it. Undo it, or put it into a migration; to go on from what is there: --accept-drift.")
}

/// Runs statements as one transaction.
pub(super) async fn in_one(locked: &mut Locked, sql: &[String]) -> Result<()> {
    if sql.is_empty() {
        return Ok(());
    }
    let sql = format!("begin; {}; commit", sql.join("; "));
    match rows(locked.connection()?, &sql).await {
        Ok(_) => Ok(()),
        Err(error) => {
            let _ = locked.run("rollback", None).await;
            Err(error)
        }
    }
}

/// The name of this machine.
fn host() -> Option<String> {
    let name = rustix::system::uname()
        .nodename()
        .to_string_lossy()
        .into_owned();
    Some(name).filter(|name| !name.is_empty())
}
