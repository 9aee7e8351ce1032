//! Backups of a database.

use crate::database::Source;
use crate::error::{json, or_raise};
use crate::operation::Operation;
use crate::options::{Seconds, parse};
use crate::repository::Store;
use opskit_core::Result;
use opskit_core::backup::{Backup, BackupRequest};
use opskit_core::catalog::Scope;
use opskit_core::repository::{BackupType, DataFormat, Selection};
use pyo3::prelude::*;
use serde::Deserialize;
use std::collections::BTreeMap;

/// Says what a backup would hold, and what stands in its way.
#[pyfunction]
pub(crate) fn backup_plan(py: Python<'_>, source: &Source, options: &str) -> PyResult<Operation> {
    let request = or_raise(py, request(options))?;
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        let backup = Box::pin(Backup::open(&ctx, &url, request)).await?;
        json(backup.plan())
    })
}

/// Takes a backup.
#[pyfunction]
pub(crate) fn backup(
    py: Python<'_>,
    source: &Source,
    to: &Store,
    options: &str,
) -> PyResult<Operation> {
    let request = or_raise(py, request(options))?;
    let (url, repository) = (source.0.clone(), to.0.clone());
    Operation::start(py, move |ctx| async move {
        let taking = opskit_core::backup::backup(&ctx, &url, &repository, request);
        json(&Box::pin(taking).await?)
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BackupOptions {
    #[serde(default)]
    only: Vec<String>,
    #[serde(default)]
    exclude: Vec<String>,
    #[serde(default)]
    ignore_schemas: Vec<String>,
    #[serde(default)]
    exclude_large_objects: bool,
    #[serde(default)]
    schema_only: bool,
    format: Option<DataFormat>,
    zstd_level: Option<i32>,
    #[serde(default)]
    tags: BTreeMap<String, String>,
    #[serde(default)]
    accept_losses: Vec<String>,
    target: Option<String>,
    jobs: Option<usize>,
    part_bytes: Option<u64>,
    memory_bytes: Option<u64>,
    lock_timeout: Option<Seconds>,
}

pub(crate) fn request(options: &str) -> Result<BackupRequest> {
    let options: BackupOptions = parse(options)?;
    let mut request = BackupRequest::new()
        .only(&options.only)?
        .excluding(&options.exclude)?
        .with_format(options.format.unwrap_or_default());
    request.exclude_large_objects = options.exclude_large_objects;
    if options.schema_only {
        request.backup_type = BackupType::Schema;
    }
    if !options.ignore_schemas.is_empty() {
        request.scope = Scope::default().ignoring(&options.ignore_schemas);
        request.selection = Selection::Some;
    }
    request.tags = options.tags;
    request.accept_losses = options.accept_losses;
    request.target = options.target;
    if let Some(level) = options.zstd_level {
        request = request.with_zstd_level(level);
    }
    if let Some(jobs) = options.jobs {
        request = request.with_jobs(jobs);
    }
    if let Some(bytes) = options.part_bytes {
        request = request.with_part_bytes(bytes);
    }
    if let Some(bytes) = options.memory_bytes {
        request = request.with_memory(bytes);
    }
    if let Some(Seconds(timeout)) = options.lock_timeout {
        request = request.with_lock_timeout(timeout);
    }
    Ok(request)
}
