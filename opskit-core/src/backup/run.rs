//! Running a backup, and the record of the run.

use super::open::{Backup, Ready, Started};
use super::plan::BackupPlan;
use super::report::BackupReport;
use super::request::BackupRequest;
use super::store::Stored;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::postgres::url::DatabaseUrl;
use crate::repository::{
    BackupId, RECORD_VERSION, Repository, RunError, RunRecord, RunStatus, apart, rfc3339,
};
use serde::Serialize;
use time::OffsetDateTime;
use tracing::Instrument as _;

/// Makes a backup and writes its record, whether it comes to be or not.
///
/// ```no_run
/// use opskit_core::backup::{BackupRequest, backup};
/// use opskit_core::context::OpContext;
/// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
/// use opskit_core::repository::Repository;
///
/// # async fn example() -> opskit_core::Result<()> {
/// let url = DatabaseUrl::parse("postgres://app@localhost/shop", &ConnectEnv::from_process())?;
/// let repository = Repository::create("backups")?;
/// let report = backup(&OpContext::default(), &url, &repository, BackupRequest::new()).await?;
/// println!("{}", report.id);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Backup::open`] and [`Backup::run`].
pub async fn backup(
    ctx: &OpContext,
    url: &DatabaseUrl,
    repository: &Repository,
    request: BackupRequest,
) -> Result<BackupReport> {
    let started = Started::now(ctx);
    let id = BackupId::new(started.at)?;
    let opening = Backup::open_as(ctx, url, request.clone(), id.clone(), started);
    match Box::pin(opening).await {
        Ok(backup) => Box::pin(backup.run(ctx, repository)).await,
        Err(error) => {
            let run = Run {
                id,
                started,
                request: &request,
                database: url.dbname(),
            };
            Box::pin(run.close_failed(ctx, repository, &error)).await;
            Err(error)
        }
    }
}

/// Tells the hook for failures of a backup that could not begin, because what it needs is not there: its
/// repository, or the URL of its database. There is no record of it then. What the request says of a target and
/// of hooks is used.
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use opskit_core::backup::{BackupRequest, not_begun};
/// use opskit_core::context::OpContext;
/// use opskit_core::{Error, ErrorKind};
/// let error = Error::new(ErrorKind::NotFound, "\"/mnt/backups\" is no repository");
/// let request = BackupRequest::new().with_target("shop");
/// not_begun(&OpContext::default(), &request, "shop", &error).await?;
/// # Ok::<(), opskit_core::Error>(()) }).unwrap();
/// ```
///
/// # Errors
/// As [`Hooks::failed`](crate::hook::Hooks::failed).
pub async fn not_begun(
    ctx: &OpContext,
    request: &BackupRequest,
    database: &str,
    error: &Error,
) -> Result<()> {
    let started = Started::now(ctx);
    let run = Run {
        id: BackupId::new(started.at)?,
        started,
        request,
        database,
    };
    let record = run.record(ctx, RunStatus::of(error), started.at)?;
    let record = RunRecord {
        error: Some(RunError::of(error)),
        ..record
    };
    Box::pin(run.tell(ctx, &record)).await
}

/// What the record of a run tells, whatever became of it.
pub(super) struct Run<'a> {
    pub(super) id: BackupId,
    pub(super) started: Started,
    pub(super) request: &'a BackupRequest,
    pub(super) database: &'a str,
}

impl Run<'_> {
    fn record(&self, ctx: &OpContext, status: RunStatus, now: OffsetDateTime) -> Result<RunRecord> {
        Ok(RunRecord {
            version: RECORD_VERSION,
            id: self.id.clone(),
            backup_type: self.request.backup_type,
            selection: self.request.selection,
            status,
            started_at: rfc3339(self.started.at)?,
            finished_at: rfc3339(now)?,
            duration_ms: (ctx.clock().elapsed() - self.started.elapsed).as_millis() as u64,
            database: self.database.to_owned(),
            target: self.request.target.clone(),
            tables: 0,
            rows: 0,
            size_bytes: 0,
            manifest_sha256: None,
            migration_version: None,
            tags: self.request.tags.clone(),
            warnings: Vec::new(),
            error: None,
            opskit_version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// Takes the place of the backup, unless something stands in its way.
    pub(super) async fn begin<'a>(
        &self,
        ctx: &'a OpContext,
        repository: &'a Repository,
        plan: &BackupPlan,
        ready: Option<Box<Ready>>,
    ) -> Result<(Ready, Stored<'a>)> {
        if let Some(obstacle) = plan.obstacle() {
            return Err(obstacle);
        }
        let ready =
            ready.ok_or_else(|| Error::new(ErrorKind::Internal, "a plan was never made ready"))?;
        let record = self.record(ctx, RunStatus::Success, ctx.clock().now())?;
        record.check_size()?;
        let place = repository.clone();
        for id in apart(move || place.sweep()).await? {
            tracing::info!(%id, "removed what a run left that was killed");
        }
        Ok((*ready, Stored::begin(ctx, repository, self).await?))
    }

    /// Writes the record of the run, and tells how it ended.
    pub(super) async fn end(
        &self,
        ctx: &OpContext,
        repository: &Repository,
        done: Result<(BackupReport, Option<String>)>,
    ) -> Result<BackupReport> {
        match done {
            Ok((mut report, migration)) => {
                report.warnings.extend(repository.warning());
                let closing = self.close_succeeded(ctx, repository, &mut report, migration);
                Box::pin(closing).await;
                ctx.emit(Event::RunFinished {
                    rows: report.rows,
                    elapsed: ctx.clock().elapsed() - self.started.elapsed,
                });
                Ok(report)
            }
            Err(error) => {
                Box::pin(self.close_failed(ctx, repository, &error)).await;
                Err(error)
            }
        }
    }

    /// The failure itself is what is told; that it cannot be written down, or told further, is a warning.
    pub(super) async fn close_failed(
        &self,
        ctx: &OpContext,
        repository: &Repository,
        error: &Error,
    ) {
        let now = ctx.clock().now();
        let record = self
            .record(ctx, RunStatus::of(error), now)
            .map(|record| RunRecord {
                error: Some(RunError::of(error)),
                ..record
            });
        for message in self.close(ctx, repository, record, now).await {
            ctx.emit(Event::Warning { message });
        }
    }

    async fn close_succeeded(
        &self,
        ctx: &OpContext,
        repository: &Repository,
        report: &mut BackupReport,
        migration: Option<String>,
    ) {
        let now = ctx.clock().now();
        let record = self
            .record(ctx, RunStatus::Success, now)
            .map(|record| RunRecord {
                tables: report.tables.len() as u64,
                rows: report.rows,
                size_bytes: report.stored_bytes,
                manifest_sha256: Some(report.manifest_sha256.clone()),
                migration_version: migration,
                warnings: report.warnings.clone(),
                ..record
            });
        let warnings = self.close(ctx, repository, record, now).await;
        report.warnings.extend(warnings);
    }

    /// Writes the record and tells the hook. What of that fails is a warning, in the history too.
    async fn close(
        &self,
        ctx: &OpContext,
        repository: &Repository,
        record: Result<RunRecord>,
        now: OffsetDateTime,
    ) -> Vec<String> {
        let no_record =
            |error: Error| format!("the run has no record: {}", error.chain().join(": "));
        let record = match record {
            Ok(record) => record,
            Err(error) => return vec![no_record(error)],
        };
        let mut warnings = Vec::new();
        // Before the hook, which may take its time.
        let (place, written) = (repository.clone(), record.clone());
        let recorded = apart(move || place.record(&written, now)).await;
        let is_there = recorded.is_ok();
        warnings.extend(recorded.err().map(no_record));
        if let Err(error) = Box::pin(self.tell(ctx, &record)).await {
            let warning = error.chain().join(": ");
            // A record that was written is never written over.
            if is_there {
                let (place, id, note) = (repository.clone(), self.id.clone(), warning.clone());
                let now = ctx.clock().now();
                let noted = apart(move || place.note(&id, &note, now)).await;
                warnings.extend(noted.err().map(no_record));
            }
            warnings.push(warning);
        }
        warnings
    }

    async fn tell(&self, ctx: &OpContext, record: &RunRecord) -> Result<()> {
        let document = serde_json::to_vec(&RunDocument {
            schema: "opskit.run/1",
            record,
        });
        let document = document.map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write the document for hooks")
                .with_source(source)
        })?;
        let hooks = &self.request.hooks;
        match record.status {
            RunStatus::Success => hooks.succeeded(ctx, &document).await,
            _ => hooks.failed(ctx, &document).await,
        }
    }
}

/// What a hook is told.
#[derive(Debug, Serialize)]
struct RunDocument<'a> {
    schema: &'static str,
    #[serde(flatten)]
    record: &'a RunRecord,
}

impl Backup {
    /// Reads everything into the repository, commits it, and writes the record of the run.
    ///
    /// ```no_run
    /// use opskit_core::{backup::Backup, context::OpContext, repository::Repository};
    /// # async fn example(opened: Backup, repository: &Repository) -> opskit_core::Result<()> {
    /// let report = opened.run(&OpContext::default(), repository).await?;
    /// println!("{}: {} rows, warnings: {:?}", report.id, report.rows, report.warnings);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Of kind `PermissionDenied` when the plan says that something is missing, `Unsupported` when it has
    /// a loss that was not accepted, `Busy` when definitions changed during the run, `Storage` when
    /// the repository cannot be written, `Damaged` when counts differ, `Connection`, `Cancelled`.
    pub async fn run(self, ctx: &OpContext, repository: &Repository) -> Result<BackupReport> {
        let Self {
            plan,
            request,
            started,
            ready,
        } = self;
        let run = Run {
            id: plan.id.clone(),
            started,
            request: &request,
            database: &plan.database,
        };
        let span = tracing::info_span!("opskit.backup", database = %plan.database, id = %plan.id);
        let work = async {
            let (ready, stored) = run.begin(ctx, repository, &plan, ready).await?;
            Box::pin(stored.run(ready, &run, &plan)).await
        };
        let done = Box::pin(work.instrument(span)).await;
        run.end(ctx, repository, done).await
    }
}
