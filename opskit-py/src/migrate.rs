//! Migrations of a database.

use crate::backup;
use crate::database::Source;
use crate::error::{apart, json, or_raise};
use crate::operation::Operation;
use crate::options::{Seconds, parse};
use crate::repository::Store;
use opskit_core::context::OpContext;
use opskit_core::migrate::{
    BackupFirst, MigrationRunner as _, Migrations, OnGap, PgMigrationRunner, Plan, RehearseRequest,
    RunLimits, Safety, Standing, Suite, Version, Wanted, Writers, rehearse,
};
use opskit_core::postgres::url::DatabaseUrl;
use opskit_core::repository::Repository;
use opskit_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use serde::Deserialize;
use std::path::{Path, PathBuf};

/// Says how each migration stands.
#[pyfunction]
pub(crate) fn migrate_status(
    py: Python<'_>,
    source: &Source,
    folder: PathBuf,
) -> PyResult<Operation> {
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        let runner = PgMigrationRunner::new(url, migrations(folder).await?);
        json(&runner.status(&ctx).await?)
    })
}

/// Says what a run would do.
#[pyfunction]
pub(crate) fn migrate_plan(
    py: Python<'_>,
    source: &Source,
    folder: PathBuf,
    options: &str,
) -> PyResult<Operation> {
    let options: MigrateOptions = or_raise(py, parse(options))?;
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        let runner = PgMigrationRunner::new(url, migrations(folder).await?);
        json(&runner.plan(&ctx, &options.wanted()?).await?)
    })
}

/// Carries a plan out: the one that was shown, where there is one.
#[pyfunction]
#[pyo3(signature = (source, folder, backup_to, options, shown=None))]
pub(crate) fn migrate_apply(
    py: Python<'_>,
    source: &Source,
    folder: PathBuf,
    backup_to: Option<&Store>,
    options: &str,
    shown: Option<String>,
) -> PyResult<Operation> {
    let options: MigrateOptions = or_raise(py, parse(options))?;
    let url = source.0.clone();
    let repository = backup_to.map(|store| store.0.clone());
    Operation::start(py, move |ctx| async move {
        let wanted = options.wanted()?;
        let safety = options.safety(repository).await?;
        let runner = PgMigrationRunner::new(url, migrations(folder).await?)
            .with_limits(options.limits())
            .with_safety(safety);
        let plan = Box::pin(runner.plan(&ctx, &wanted)).await?;
        if let Some(shown) = shown {
            check_shown(&plan, &shown)?;
        }
        json(&Box::pin(runner.apply(&ctx, &plan)).await?)
    })
}

/// Runs the plan on a throw-away server with the rows of a backup.
#[pyfunction]
pub(crate) fn migrate_rehearse(
    py: Python<'_>,
    source: &Source,
    folder: PathBuf,
    on: (PyRef<'_, Store>, String),
    options: &str,
) -> PyResult<Operation> {
    let options: MigrateOptions = or_raise(py, parse(options))?;
    let url = source.0.clone();
    let (repository, name) = (on.0.0.clone(), on.1);
    Operation::start(py, move |ctx| {
        rehearsal(ctx, url, folder, (repository, name), options)
    })
}

/// Runs tests, and changes nothing.
#[pyfunction]
pub(crate) fn migrate_verify(
    py: Python<'_>,
    source: &Source,
    tests: Vec<PathBuf>,
) -> PyResult<Operation> {
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        let mut safety = Safety::default();
        safety.suites = suites(tests).await?;
        if safety.suites.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, "there are no tests")
                .with_hint("Name files of tests, or folders that hold some."));
        }
        let runner = PgMigrationRunner::new(url, Migrations::default()).with_safety(safety);
        json(&runner.verify(&ctx).await?)
    })
}

async fn rehearsal(
    ctx: OpContext,
    url: DatabaseUrl,
    folder: PathBuf,
    (repository, name): (Repository, String),
    options: MigrateOptions,
) -> Result<String> {
    let runner = PgMigrationRunner::new(url.clone(), migrations(folder).await?);
    let place = repository.clone();
    let id = apart(move || place.find(&name)).await?;
    let status = runner.status(&ctx).await?;
    let ran = status.migrations.iter();
    let ran = ran.filter(|one| one.standing == Standing::Applied);
    let mut request = RehearseRequest::default();
    request.ran = ran.map(|one| one.id.clone()).collect();
    request.bin_dir.clone_from(&options.bin_dir);
    request.suites = suites(options.tests.clone()).await?;
    request.limits = options.limits();
    request.source = Some(url);
    let plan = runner.plan(&ctx, &options.wanted()?).await?;
    let done = rehearse(
        &ctx,
        &plan,
        runner.migrations(),
        (&repository, &id),
        &request,
    );
    json(&Box::pin(done).await?)
}

pub(crate) async fn migrations(folder: PathBuf) -> Result<Migrations> {
    apart(move || Migrations::in_folder(Path::new(&folder))).await
}

async fn suites(paths: Vec<PathBuf>) -> Result<Vec<Suite>> {
    apart(move || Suite::in_paths(paths)).await
}

/// What was shown must be what would run.
fn check_shown(plan: &Plan, shown: &str) -> Result<()> {
    #[derive(Deserialize, PartialEq)]
    struct Shown {
        history_digest: String,
        migrations: Vec<ShownMigration>,
    }
    #[derive(Deserialize, PartialEq)]
    struct ShownMigration {
        id: serde_json::Value,
        digests: serde_json::Value,
    }
    let now: Shown = parse(&json(plan)?)?;
    if parse::<Shown>(shown)? == now {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Busy,
        "the history or the files are not what they were when the plan was made",
    )
    .with_hint("Make the plan again and look at it."))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MigrateOptions {
    to: Option<String>,
    #[serde(default)]
    out_of_order: bool,
    #[serde(default)]
    file_gone: bool,
    #[serde(default)]
    tests: Vec<PathBuf>,
    #[serde(default)]
    accept_drift: bool,
    #[serde(default)]
    writers_stopped: bool,
    bin_dir: Option<PathBuf>,
    lock_timeout: Option<Seconds>,
    lock_deadline: Option<Seconds>,
    statement_timeout: Option<Seconds>,
}

impl MigrateOptions {
    fn wanted(&self) -> Result<Wanted> {
        let mut wanted = Wanted::default();
        wanted.to = self.to.as_deref().map(str::parse::<Version>).transpose()?;
        if self.out_of_order {
            wanted.out_of_order = OnGap::Accept;
        }
        if self.file_gone {
            wanted.file_gone = OnGap::Accept;
        }
        Ok(wanted)
    }

    fn limits(&self) -> RunLimits {
        let mut limits = RunLimits::default();
        let or = |given: Option<Seconds>, usual| given.map_or(usual, |Seconds(time)| time);
        limits.lock_timeout = or(self.lock_timeout, limits.lock_timeout);
        limits.lock_deadline = or(self.lock_deadline, limits.lock_deadline);
        limits.statement_timeout = self.statement_timeout.map(|Seconds(time)| time);
        limits
    }

    async fn safety(&self, repository: Option<Repository>) -> Result<Safety> {
        let mut safety = Safety::default();
        safety.suites = suites(self.tests.clone()).await?;
        if self.accept_drift {
            safety.drift = OnGap::Accept;
        }
        if self.writers_stopped {
            safety.writers = Writers::Stopped;
        }
        safety.backup = match repository {
            Some(repository) => Some(BackupFirst::new(repository, backup::request("{}")?)),
            None => None,
        };
        Ok(safety)
    }
}
