//! A drill from beginning to end.

use super::place::Place;
use super::report::{Check, DrillFailure, DrillReport, Outcome};
use super::{checks, values};
use crate::backup::DOCUMENT_BYTES_MAX;
use crate::backup::restore::{
    Acting, Missing, MissingRoles, OnError, Restore, RestoreReport, RestoreRequest, Trust, is_made,
    read_with_care,
};
use crate::catalog::cluster::ClusterModel;
use crate::catalog::model::Model;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use crate::repository::{
    BackupId, BackupReader, CLUSTER, Contents, MODEL, Origin, RecordKind, Repository, RunError,
    RunStatus, apart, rfc3339,
};
use serde::Serialize;
use std::collections::BTreeSet;
use std::path::PathBuf;

/// A drill: where, how, and what else is checked.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct DrillRequest {
    /// An empty database to restore into. A scratch server without it.
    pub to: Option<DatabaseUrl>,
    /// The directory of the scratch server's programs. The oldest that will do without it.
    pub bin_dir: Option<PathBuf>,
    /// Queries, each of whose rows is `name, ok, detail`.
    pub checks: Vec<String>,
    /// Whose code the backup is taken for. What a scratch server's superuser does not do for strangers is left
    /// out, and makes the outcome partial.
    pub trust: Trust,
    /// Connections that work at the same time; 2 for zero.
    pub jobs: usize,
}

/// Restores a backup, compares it, and writes the record of that into the repository.
///
/// ```no_run
/// use opskit_core::backup::drill::{DrillRequest, drill};
/// use opskit_core::context::OpContext;
/// use opskit_core::repository::Repository;
///
/// # async fn example() -> opskit_core::Result<()> {
/// let repository = Repository::open("backups")?;
/// let id = repository.find("latest")?;
/// let report = drill(&OpContext::default(), &repository, &id, DrillRequest::default()).await?;
/// println!("{:?} in {} ms", report.outcome, report.recovery_ms);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Of kind `Damaged` when the backup is; `NotFound` when no server of its version or a newer one is
/// installed; `Storage` when the disk is too small; otherwise as [`Restore::run`]. A backup that is restored
/// but not the same is a result. An error has its record too.
pub async fn drill(
    ctx: &OpContext,
    repository: &Repository,
    id: &BackupId,
    request: DrillRequest,
) -> Result<DrillReport> {
    let (place, wanted) = (repository.clone(), id.clone());
    let backup = apart(move || place.read(&wanted)).await?;
    let started_at = rfc3339(ctx.clock().now())?;
    let done = Box::pin(attempt(ctx, backup, request, started_at.clone())).await;
    let recorded = match &done {
        Ok(report) => record(ctx, repository, id, report).await,
        Err(error) => {
            let failure = DrillFailure {
                schema: "opskit.drill-failure/1",
                backup: id.clone(),
                status: RunStatus::of(error),
                started_at,
                error: RunError::of(error),
                opskit_version: env!("CARGO_PKG_VERSION"),
            };
            // The failure itself is what is told.
            if let Err(error) = record(ctx, repository, id, &failure).await {
                ctx.emit(Event::Warning {
                    message: format!("the drill has no record: {}", error.chain().join(": ")),
                });
            }
            Ok(())
        }
    };
    let report = done?;
    recorded?;
    Ok(report)
}

async fn attempt(
    ctx: &OpContext,
    backup: BackupReader,
    request: DrillRequest,
    started_at: String,
) -> Result<DrillReport> {
    let id = backup.manifest().id.clone();
    let source = backup.manifest().backup_type;
    let sealed_sha256 = backup.manifest().sealed.sha256.clone();
    let begun_at = started_at;
    let Restored {
        url,
        place,
        parts,
        report: restore,
        recovery_ms,
        mut unproven,
        ..
    } = Box::pin(restore_apart(ctx, backup, &request)).await?;
    let source = Origin::of(source, &parts.contents.source);
    let checks = after(ctx, &url, (&request, &parts.model)).await?;
    unproven.extend(restore.skipped.iter().cloned());
    if let Some(place) = place {
        place.server.stop().await?;
    }
    Ok(DrillReport {
        schema: "opskit.drill/1",
        backup: id,
        source,
        sealed_sha256,
        outcome: outcome(&restore, &checks, &unproven),
        started_at: begun_at,
        recovery_ms,
        source_version: parts.contents.source.server_version,
        server_version: restore.server_version,
        restore,
        checks,
        unproven,
        opskit_version: env!("CARGO_PKG_VERSION"),
    })
}

/// A backup that was restored apart from its source, and the place, which goes when this is dropped.
pub(crate) struct Restored {
    pub(crate) url: DatabaseUrl,
    place: Option<Place>,
    parts: Stored,
    pub(crate) report: RestoreReport,
    /// From the first statement to the last comparison.
    pub(crate) recovery_ms: u64,
    /// What is not as it was in the source.
    pub(crate) unproven: Vec<String>,
}

impl Restored {
    /// The role that the backup was taken as.
    pub(crate) fn role(&self) -> &str {
        &self.parts.contents.source.role
    }

    /// Ends the scratch server.
    pub(crate) async fn stop(self) -> Result<()> {
        match self.place {
            Some(place) => place.server.stop().await,
            None => Ok(()),
        }
    }
}

/// Restores a backup into a scratch server, or into the database of the request.
pub(crate) async fn restore_apart(
    ctx: &OpContext,
    backup: BackupReader,
    request: &DrillRequest,
) -> Result<Restored> {
    let (parts, backup) = read(backup).await?;
    let place = place(ctx, &parts, request).await?;
    let url = match (&request.to, &place) {
        (Some(url), _) => url.clone(),
        (None, Some(place)) => place.url.clone(),
        (None, None) => return Err(Error::new(ErrorKind::Internal, "a drill has no place")),
    };
    let unproven = place.iter().flat_map(|place| place.unproven.iter());
    let unproven = unproven.cloned().collect();
    let begun = ctx.clock().elapsed();
    let restoring = restoring(request, place.as_ref());
    let restore = Restore::open(ctx, backup, &url, restoring).await?;
    let report = Box::pin(restore.run(ctx)).await?;
    let recovery_ms = (ctx.clock().elapsed() - begun).as_millis() as u64;
    Ok(Restored {
        url,
        place,
        parts,
        report,
        recovery_ms,
        unproven,
    })
}

/// A scratch server, unless a database is given.
async fn place(ctx: &OpContext, parts: &Stored, request: &DrillRequest) -> Result<Option<Place>> {
    if request.to.is_some() {
        return Ok(None);
    }
    let roles = (&parts.model, &parts.roles);
    let dir = request.bin_dir.as_deref();
    Ok(Some(Place::make(ctx, &parts.contents, roles, dir).await?))
}

/// Everything is tried, and nothing that acts by itself is left awake. A scratch server has the roles that it is
/// given.
fn restoring(request: &DrillRequest, scratch: Option<&Place>) -> RestoreRequest {
    let mut restoring = RestoreRequest::default()
        .with_on_error(OnError::KeepGoing)
        .with_jobs(match request.jobs {
            0 => 2,
            jobs => jobs,
        });
    restoring.missing = Missing::Skip;
    restoring.acting = Acting::Disabled;
    restoring.trust = request.trust;
    if scratch.is_some() {
        restoring.roles = MissingRoles::Create;
    }
    restoring
}

/// What a drill looks at before it restores.
struct Stored {
    contents: Contents,
    model: Model,
    /// The roles that the backup knows more of than their names.
    roles: BTreeSet<String>,
}

async fn read(backup: BackupReader) -> Result<(Stored, BackupReader)> {
    let reading = tokio::task::spawn_blocking(move || {
        let contents = backup.contents()?;
        let model = backup.read_object(MODEL, DOCUMENT_BYTES_MAX)?;
        let model = Model::from_json(&model)?;
        let roles = match backup.has_object(CLUSTER) {
            true => {
                ClusterModel::from_json(&backup.read_object(CLUSTER, DOCUMENT_BYTES_MAX)?)?.roles
            }
            false => Vec::new(),
        };
        let stored = Stored {
            contents,
            model,
            roles: roles
                .into_iter()
                .map(|role| role.name)
                .filter(|name| is_made(name))
                .collect(),
        };
        Ok((stored, backup))
    });
    reading.await.map_err(|source| {
        Error::new(ErrorKind::Internal, "the reader of the backup stopped").with_source(source)
    })?
}

/// What is asked of the database that was restored, with no superuser's rights: a query runs code of the
/// tables it reads.
async fn after(
    ctx: &OpContext,
    url: &DatabaseUrl,
    (request, model): (&DrillRequest, &Model),
) -> Result<Vec<Check>> {
    let ask = async |session: &mut WireConnection| {
        session
            .execute("SET default_transaction_read_only = on")
            .await?;
        let mut done = vec![
            values::foreign_keys(session, model).await?,
            values::sequences(session).await?,
        ];
        for (at, sql) in request.checks.iter().enumerate() {
            done.extend(checks::run(session, at + 1, sql).await?);
        }
        Ok(done)
    };
    Box::pin(read_with_care(ctx, url, ask)).await
}

/// Unknown is no success.
fn outcome(restore: &RestoreReport, checks: &[Check], unproven: &[String]) -> Outcome {
    if !restore.is_same() || checks.iter().any(|check| check.ok != Some(true)) {
        Outcome::Failed
    } else if unproven.is_empty() {
        Outcome::Passed
    } else {
        Outcome::Partial
    }
}

async fn record(
    ctx: &OpContext,
    repository: &Repository,
    id: &BackupId,
    document: &(impl Serialize + Clone + Send + 'static),
) -> Result<()> {
    let (place, id, now) = (repository.clone(), id.clone(), ctx.clock().now());
    let document = document.clone();
    apart(move || place.append(RecordKind::Drill, &id, &document, now)).await
}
