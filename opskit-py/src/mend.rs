//! What is around runs of migrations: drift, a history that begins late, a file that was changed.

use crate::database::Source;
use crate::error::{json, or_raise};
use crate::migrate::migrations;
use crate::operation::Operation;
use opskit_core::migrate::{Migrations, PgMigrationRunner, Version};
use pyo3::prelude::*;
use std::path::PathBuf;

/// What changed since the last migration, as JSON; and the same in words.
#[pyfunction]
pub(crate) fn migrate_drift(py: Python<'_>, source: &Source) -> PyResult<Operation> {
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        let runner = PgMigrationRunner::new(url, Migrations::default());
        let report = runner.drift(&ctx).await?;
        Ok((json(&report)?, report.diff.to_string(), !report.is_drift()))
    })
}

/// Takes what is there now as what later runs compare with.
#[pyfunction]
pub(crate) fn migrate_accept_drift(py: Python<'_>, source: &Source) -> PyResult<Operation> {
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        let runner = PgMigrationRunner::new(url, Migrations::default());
        runner.accept_drift(&ctx).await
    })
}

/// Declares migrations done that somebody else ran, up to a version. Their versions.
#[pyfunction]
pub(crate) fn migrate_baseline(
    py: Python<'_>,
    source: &Source,
    folder: PathBuf,
    version: &str,
) -> PyResult<Operation> {
    let version: Version = or_raise(py, version.parse())?;
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        let runner = PgMigrationRunner::new(url, migrations(folder).await?);
        let done = runner.baseline(&ctx, &version).await?;
        Ok(done.iter().map(ToString::to_string).collect::<Vec<_>>())
    })
}

/// Takes the file of a migration that ran as it is now.
#[pyfunction]
pub(crate) fn migrate_repair(
    py: Python<'_>,
    source: &Source,
    folder: PathBuf,
    version: &str,
    reason: String,
) -> PyResult<Operation> {
    let version: Version = or_raise(py, version.parse())?;
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        let runner = PgMigrationRunner::new(url, migrations(folder).await?);
        runner.accept_change(&ctx, &version, &reason).await
    })
}
