//! Running a backup: rows, then sequences, then a second look at the definitions, then the manifest.

use super::open::{Backup, Ready, Started};
use super::report::BackupReport;
use super::request::BackupRequest;
use super::source::migration;
use crate::catalog::ddl::{Script, Section, Statement};
use crate::catalog::facts::{Fact, Facts, FactsOptions};
use crate::catalog::inventory::{sequence_from, sequences_sql};
use crate::catalog::model::Model;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::name::{QualifiedName, hex};
use crate::postgres::export::{PartReport, TablePlan, TableReport};
use crate::postgres::facts::read_facts_in;
use crate::postgres::session::Session;
use crate::postgres::url::DatabaseUrl;
use crate::repository::{
    BackupId, CONTENTS_VERSION, Contents, FACTS, Holds, MANIFEST_VERSION, MODEL, Manifest,
    POST_DATA, PRE_DATA, PartEntry, RECORD_VERSION, Repository, RepositorySink, RunError,
    RunRecord, RunStatus, SEALED, SequenceEntry, TableEntry,
};
use crate::sink::{BackupSink, StoredObject};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use tracing::Instrument as _;

/// How many sequences are read by one query.
const SEQUENCES_AT_ONCE: usize = 200;

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
            run.record_failure(ctx, repository, &error);
            Err(error)
        }
    }
}

/// What the record of a run tells, whatever became of it.
struct Run<'a> {
    id: BackupId,
    started: Started,
    request: &'a BackupRequest,
    database: &'a str,
}

impl Run<'_> {
    fn record(&self, ctx: &OpContext, status: RunStatus) -> Result<RunRecord> {
        let now = ctx.clock().now();
        Ok(RunRecord {
            version: RECORD_VERSION,
            id: self.id.clone(),
            backup_type: self.request.backup_type,
            status,
            started_at: rfc3339(self.started.at)?,
            finished_at: rfc3339(now)?,
            duration_ms: (ctx.clock().elapsed() - self.started.elapsed).as_millis() as u64,
            database: self.database.to_owned(),
            tables: 0,
            rows: 0,
            size_bytes: 0,
            manifest_sha256: None,
            migration_version: None,
            tags: self.request.tags.clone(),
            error: None,
            opskit_version: env!("CARGO_PKG_VERSION").to_owned(),
        })
    }

    /// The failure itself is what is told; that its record cannot be written is a warning.
    fn record_failure(&self, ctx: &OpContext, repository: &Repository, error: &Error) {
        let recorded = self
            .record(ctx, RunStatus::of(error))
            .and_then(|mut record| {
                record.error = Some(RunError::of(error));
                repository.record(&record, ctx.clock().now())
            });
        warn_of(ctx, recorded);
    }

    fn record_success(
        &self,
        ctx: &OpContext,
        repository: &Repository,
        report: &BackupReport,
        migration: Option<String>,
    ) {
        let recorded = self.record(ctx, RunStatus::Success).and_then(|record| {
            let record = RunRecord {
                tables: report.tables.len() as u64,
                rows: report.rows,
                size_bytes: report.stored_bytes,
                manifest_sha256: Some(report.manifest_sha256.clone()),
                migration_version: migration,
                ..record
            };
            repository.record(&record, ctx.clock().now())
        });
        warn_of(ctx, recorded);
    }
}

fn warn_of(ctx: &OpContext, recorded: Result<()>) {
    if let Err(error) = recorded {
        ctx.emit(Event::Warning {
            message: format!("the run has no record: {}", error.chain().join(": ")),
        });
    }
}

impl Backup {
    /// Reads everything into the repository, commits it, and writes the record of the run.
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
            if let Some(obstacle) = plan.obstacle() {
                return Err(obstacle);
            }
            let ready = ready
                .ok_or_else(|| Error::new(ErrorKind::Internal, "a plan was never made ready"))?;
            let swept = repository.sweep()?;
            for id in swept {
                tracing::info!(%id, "removed what a run left that was killed");
            }
            let sink = RepositorySink::begin(repository, &plan.id, request.file_format())?;
            let stored = Stored {
                ctx,
                repository,
                sink: Arc::new(sink),
                objects: Vec::new(),
            };
            Box::pin(stored.run(*ready, &run, &plan)).await
        };
        match Box::pin(work.instrument(span)).await {
            Ok((report, migration)) => {
                run.record_success(ctx, repository, &report, migration);
                ctx.emit(Event::RunFinished {
                    rows: report.rows,
                    elapsed: ctx.clock().elapsed() - started.elapsed,
                });
                Ok(report)
            }
            Err(error) => {
                run.record_failure(ctx, repository, &error);
                Err(error)
            }
        }
    }
}

/// What was stored so far.
struct Stored<'a> {
    ctx: &'a OpContext,
    repository: &'a Repository,
    sink: Arc<RepositorySink>,
    objects: Vec<StoredObject>,
}

impl Stored<'_> {
    async fn run(
        mut self,
        ready: Ready,
        run: &Run<'_>,
        plan: &super::BackupPlan,
    ) -> Result<(BackupReport, Option<String>)> {
        let Ready {
            mut crew,
            cluster,
            snapshot_at,
            holds,
            sequences,
            model,
            script,
            facts,
        } = ready;
        let session = &mut crew.leader.session;
        let lsn = cluster.lsn(session).await?;
        let marker = cluster.mark(session, &run.id).await?;
        let migration = migration(session).await?;
        let plans = crew.plan.tables.clone();
        let sink: Arc<dyn BackupSink> = Arc::clone(&self.sink) as _;
        let (mut leader, reports) = crew.read(self.ctx, &sink).await?;
        let wire_bytes = reports
            .iter()
            .flat_map(|table| &table.parts)
            .map(|part| part.wire_bytes)
            .sum();
        let tables = self.tables(plans, reports, holds)?;
        // No snapshot covers sequences: what is read after the last row is not behind it.
        let sequences = read_sequences(&mut leader.session, &sequences).await?;
        let version = leader.source.server_version;
        let options = FactsOptions::like(&facts);
        let again = read_facts_in(&mut leader.session, version, options).await?;
        refuse_changes(&facts, &again)?;
        self.store_schema(&model, &script, &facts).await?;
        let contents = Contents {
            version: CONTENTS_VERSION,
            repository: self.repository.id().to_owned(),
            id: run.id.clone(),
            source: cluster.source(&leader.source, lsn),
            scope: run.request.scope.clone(),
            excluded: plan.excluded.clone(),
            accepted_losses: run.request.accept_losses.clone(),
            facts_digest: Some(facts.digest()),
            format: run.request.format,
            tables,
            sequences,
            marker,
            git: run.request.git.clone(),
            migration,
            tags: run.request.tags.clone(),
            warnings: plan.warnings.clone(),
            opskit_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let sealed = self.sink.put_object(SEALED, &json(&contents)?).await?;
        self.objects.sort_by(|a, b| a.name.cmp(&b.name));
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            repository: contents.repository.clone(),
            id: run.id.clone(),
            backup_type: run.request.backup_type,
            started_at: rfc3339(run.started.at)?,
            snapshot_at: rfc3339(snapshot_at)?,
            finished_at: rfc3339(self.ctx.clock().now())?,
            opskit_version: contents.opskit_version.clone(),
            sealed,
            objects: std::mem::take(&mut self.objects),
        };
        let text = json(&manifest)?;
        // The last moment at which it can be stopped.
        self.ctx.cancel().check()?;
        self.sink.commit(&text).await?;
        leader.close().await;
        let elapsed = self.ctx.clock().elapsed() - run.started.elapsed;
        let report = BackupReport {
            schema: "opskit.backup/1",
            id: run.id.clone(),
            repository: contents.repository.clone(),
            location: self.repository.location(&run.id).display().to_string(),
            backup_type: run.request.backup_type,
            database: plan.database.clone(),
            started_at: manifest.started_at.clone(),
            snapshot_at: manifest.snapshot_at.clone(),
            elapsed_ms: elapsed.as_millis() as u64,
            rows: contents.rows(),
            wire_bytes,
            stored_bytes: manifest.stored_bytes() + text.len() as u64,
            objects: manifest.objects.len() as u64 + 1,
            tables: contents.tables.iter().map(Into::into).collect(),
            sequences: contents.sequences.len() as u64,
            facts_digest: contents.facts_digest.clone(),
            manifest_sha256: hex(&Sha256::digest(&text)),
            excluded: contents.excluded,
            accepted_losses: contents.accepted_losses,
            warnings: contents.warnings,
        };
        Ok((report, contents.migration.map(|state| state.version)))
    }

    /// The tables as the backup tells them; their objects are noted.
    fn tables(
        &mut self,
        plans: Vec<TablePlan>,
        reports: Vec<TableReport>,
        holds: Vec<Holds>,
    ) -> Result<Vec<TableEntry>> {
        let all = plans.into_iter().zip(reports).zip(holds);
        let entry = |((plan, report), holds): ((TablePlan, TableReport), Holds)| {
            let mut parts = Vec::new();
            for part in report.parts {
                parts.push(part_entry(&part)?);
                self.objects.extend(part.objects);
            }
            Ok(TableEntry {
                name: plan.name,
                holds,
                row_type: plan.row_type,
                rows: report.rows,
                fingerprint: report.fingerprint.unwrap_or_default(),
                parts,
            })
        };
        all.map(entry).collect()
    }

    async fn put(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.objects.push(self.sink.put_object(name, bytes).await?);
        Ok(())
    }

    /// The model for `restore`, and the same as SQL for people.
    async fn store_schema(&mut self, model: &Model, script: &Script, facts: &Facts) -> Result<()> {
        self.put(MODEL, &json(model)?).await?;
        self.put(FACTS, facts.to_json()?.as_bytes()).await?;
        let is_pre = |statement: &Statement| statement.section == Section::PreData;
        let (mut pre, mut post) = (script.clone(), script.clone());
        pre.statements.retain(is_pre);
        post.statements.retain(|statement| !is_pre(statement));
        for (name, script) in [(PRE_DATA, pre), (POST_DATA, post)] {
            self.put(name, script.to_string().as_bytes()).await?;
        }
        Ok(())
    }
}

fn part_entry(part: &PartReport) -> Result<PartEntry> {
    let mut objects = part.objects.iter().map(|object| object.name.clone());
    let object = objects.next().ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "a part left no object in the repository",
        )
    })?;
    Ok(PartEntry {
        part: part.part,
        rows: part.rows,
        fingerprint: part.fingerprint.unwrap_or_default(),
        misfits: part.misfits,
        wire_bytes: part.wire_bytes,
        object,
        exact: objects.next(),
    })
}

async fn read_sequences(
    session: &mut Session,
    names: &[QualifiedName],
) -> Result<Vec<SequenceEntry>> {
    let mut entries = Vec::new();
    for piece in names.chunks(SEQUENCES_AT_ONCE) {
        let sql = sequences_sql(piece);
        let rows = session.rows("cannot read the sequences", sql).await;
        let rows = rows.map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::new(
                ErrorKind::Busy,
                "a sequence was dropped or renamed while the database was read",
            )
            .with_source(error),
            _ => error,
        })?;
        for row in rows {
            let (name, last_value, is_called) = sequence_from(&row)?;
            entries.push(SequenceEntry {
                name,
                last_value,
                is_called,
            });
        }
    }
    Ok(entries)
}

/// The server tells definitions as they are now, not as the snapshot has them.
fn refuse_changes(before: &Facts, after: &Facts) -> Result<()> {
    if before.digest() == after.digest() {
        return Ok(());
    }
    let same = |a: &Facts, at: usize, fact: &Fact| a.objects.get(at) == Some(fact);
    let mut facts = before.objects.iter().enumerate();
    let changed = facts.find(|(at, fact)| !same(after, *at, fact));
    let object = changed.map_or("an object", |(_, fact)| &*fact.object);
    Err(Error::new(
        ErrorKind::Busy,
        format!("the definition of {object} changed while the database was read"),
    )
    .with_hint("Run it again when no migration is going on."))
}

fn json(value: &impl Serialize) -> Result<Vec<u8>> {
    serde_json::to_vec_pretty(value).map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot write a document of the backup").with_source(source)
    })
}

fn rfc3339(at: OffsetDateTime) -> Result<String> {
    at.format(&Rfc3339).map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot write the time").with_source(source)
    })
}
