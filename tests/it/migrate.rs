//! Migrations on real servers: history, locks, failures, and the way back.

mod adopt;
mod back;
mod failing;
mod gate;
mod history;
mod killed;
mod locking;
mod rehearsal;
mod scripts;
mod suites;

use opskit_core::context::OpContext;
use opskit_core::migrate::{
    ApplyReport, MigrationRunner as _, Migrations, PgMigrationRunner, RunLimits, Standing, Wanted,
};
use opskit_core::{Error, Result};
use opskit_tests::TestDb;
use opskit_tests::export::parse;
use std::time::Duration;

/// Limits with which a test does not wait long for what does not come.
fn impatient() -> RunLimits {
    let mut limits = RunLimits::default();
    limits.lock_timeout = Duration::from_millis(200);
    limits.lock_deadline = Duration::from_millis(800);
    limits.lock_wait = Duration::from_secs(30);
    limits
}

fn runner(db: &TestDb, files: &[(&str, &str)]) -> PgMigrationRunner {
    runner_at(&db.url(), files)
}

fn runner_at(url: &str, files: &[(&str, &str)]) -> PgMigrationRunner {
    let migrations = Migrations::embedded(files.iter().copied()).unwrap();
    PgMigrationRunner::new(parse(url), migrations).with_limits(impatient())
}

/// Plans and carries out.
async fn apply(runner: &PgMigrationRunner) -> Result<ApplyReport> {
    let ctx = OpContext::default();
    let plan = runner.plan(&ctx, &Wanted::default()).await?;
    Box::pin(runner.apply(&ctx, &plan)).await
}

/// Plans and carries out, to the end.
async fn applied(runner: &PgMigrationRunner) -> ApplyReport {
    let report = apply(runner).await.unwrap();
    let failure = report
        .failure
        .as_ref()
        .map(|failure| told(&failure.to_error()));
    assert!(report.is_done(), "{failure:?} {:?}", report.outcome);
    report
}

fn told(error: &Error) -> String {
    format!(
        "{} [{}]",
        error.chain().join(": "),
        error.hint().unwrap_or_default()
    )
}

async fn standings(runner: &PgMigrationRunner) -> Vec<Standing> {
    let status = runner.status(&OpContext::default()).await.unwrap();
    status.migrations.iter().map(|one| one.standing).collect()
}

/// How many advisory locks anybody holds in the database.
async fn advisory_locks(db: &TestDb) -> String {
    db.psql(
        "select count(*) from pg_locks where locktype = 'advisory' and database = \
         (select oid from pg_database where datname = current_database())",
    )
    .await
}
