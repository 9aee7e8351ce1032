//! Reading everything into the repository, the manifest last.

use super::DOCUMENT_BYTES_MAX;
use super::documents::{Documents, json};
use super::open::{Around, Ready};
use super::plan::BackupPlan;
use super::report::BackupReport;
use super::run::Run;
use crate::catalog::inventory::{sequence_from, sequences_sql};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{QualifiedName, hex};
use crate::postgres::export::{Leader, PartReport, TablePlan, TableReport};
use crate::postgres::session::Session;
use crate::repository::{
    CLUSTER, CONTENTS_BYTES_MAX, CONTENTS_VERSION, Contents, FACTS, Holds, MANIFEST_BYTES_MAX,
    MANIFEST_VERSION, MODEL, Manifest, POST_DATA, PRE_DATA, PartEntry, Repository, RepositorySink,
    SEALED, SequenceEntry, Source, TableEntry, apart, rfc3339,
};
use crate::sink::{BackupSink, StoredObject};
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// How many sequences are read by one query.
const SEQUENCES_AT_ONCE: usize = 200;

/// The rows of a backup, read by whomever.
pub(super) struct RowsRead {
    /// Its snapshot is still there.
    pub(super) leader: Leader,
    pub(super) plans: Vec<TablePlan>,
    pub(super) reports: Vec<TableReport>,
}

/// What was stored so far.
pub(super) struct Stored<'a> {
    ctx: &'a OpContext,
    repository: &'a Repository,
    pub(super) sink: Arc<RepositorySink>,
    objects: Vec<StoredObject>,
    wire_bytes: u64,
}

impl<'a> Stored<'a> {
    /// Opens the place for a backup.
    pub(super) async fn begin(
        ctx: &'a OpContext,
        repository: &'a Repository,
        run: &Run<'_>,
    ) -> Result<Self> {
        let (place, id, format) = (
            repository.clone(),
            run.id.clone(),
            run.request.file_format(repository.upload_bytes()),
        );
        let sink = apart(move || RepositorySink::begin(&place, &id, format)).await?;
        Ok(Self::over(ctx, repository, Arc::new(sink)))
    }

    /// For a backup whose place was taken before.
    pub(super) fn over(
        ctx: &'a OpContext,
        repository: &'a Repository,
        sink: Arc<RepositorySink>,
    ) -> Self {
        Self {
            ctx,
            repository,
            sink,
            objects: Vec::new(),
            wire_bytes: 0,
        }
    }

    /// Reads and stores everything, and commits it. The version of the last migration goes with the report.
    pub(super) async fn run(
        self,
        ready: Ready,
        run: &Run<'_>,
        plan: &BackupPlan,
    ) -> Result<(BackupReport, Option<String>)> {
        let (crew, around) = ready.mark(&run.id).await?;
        let plans = crew.plan.tables.clone();
        let sink: Arc<dyn BackupSink> = Arc::clone(&self.sink) as _;
        let (leader, reports) = crew.read(self.ctx, &sink).await?;
        let rows = RowsRead {
            leader,
            plans,
            reports,
        };
        self.conclude(rows, around, run, plan).await
    }

    /// Stores what comes behind the rows, and commits the backup.
    pub(super) async fn conclude(
        mut self,
        rows: RowsRead,
        around: Around,
        run: &Run<'_>,
        plan: &BackupPlan,
    ) -> Result<(BackupReport, Option<String>)> {
        let snapshot_at = rfc3339(around.snapshot_at)?;
        let (leader, mut contents) = self.contents(rows, around, run, plan).await?;
        self.objects.sort_by(|a, b| a.name.cmp(&b.name));
        if self.sink.encryption().is_some() {
            contents.objects = Some(self.objects.clone());
        }
        let sealed = self
            .sink
            .put_object(SEALED, &json("contents", &contents, CONTENTS_BYTES_MAX)?)
            .await?;
        let manifest = Manifest {
            version: MANIFEST_VERSION,
            repository: contents.repository.clone(),
            id: run.id.clone(),
            backup_type: run.request.backup_type,
            started_at: rfc3339(run.started.at)?,
            snapshot_at,
            finished_at: rfc3339(self.ctx.clock().now())?,
            opskit_version: contents.opskit_version.clone(),
            encryption: self.sink.encryption().cloned(),
            sealed,
            objects: std::mem::take(&mut self.objects),
        };
        let text = json("manifest", &manifest, MANIFEST_BYTES_MAX)?;
        // The last moment at which it can be stopped.
        self.ctx.cancel().check()?;
        self.sink.commit(&text).await?;
        leader.close().await;
        let report = self.report(&manifest, &text, &contents, run);
        Ok((report, contents.migration.map(|state| state.version)))
    }

    /// Reads and stores everything behind the rows but the manifests.
    async fn contents(
        &mut self,
        rows: RowsRead,
        around: Around,
        run: &Run<'_>,
        plan: &BackupPlan,
    ) -> Result<(Leader, Contents)> {
        let mut leader = rows.leader;
        let tables = self.tables(rows.plans, rows.reports, around.holds)?;
        // No snapshot covers sequences: what is read after the last row is not behind it.
        let sequences = read_sequences(&mut leader.session, &around.sequences).await?;
        let definitions = around.definitions;
        definitions.refuse_other_labels(&mut leader).await?;
        self.store_schema(definitions.documents).await?;
        let roles = json("model of the roles", &around.roles, DOCUMENT_BYTES_MAX)?;
        self.put(CLUSTER, &roles).await?;
        let contents = Contents {
            objects: None,
            version: CONTENTS_VERSION,
            repository: self.repository.id().to_owned(),
            id: run.id.clone(),
            source: Source {
                target: run.request.target.clone(),
                ..around.cluster.source(&leader.source, around.lsn)
            },
            scope: run.request.scope.clone(),
            excluded: plan.excluded.clone(),
            accepted_losses: run.request.accept_losses.clone(),
            facts_digest: Some(definitions.facts_digest),
            format: run.request.format,
            tables,
            sequences,
            marker: around.marker,
            git: run.request.git.clone(),
            migration: around.migration,
            tags: run.request.tags.clone(),
            warnings: plan.warnings.clone(),
            opskit_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        Ok((leader, contents))
    }

    fn report(
        &self,
        manifest: &Manifest,
        text: &[u8],
        contents: &Contents,
        run: &Run<'_>,
    ) -> BackupReport {
        let elapsed = self.ctx.clock().elapsed() - run.started.elapsed;
        BackupReport {
            schema: "opskit.backup/1",
            id: run.id.clone(),
            repository: manifest.repository.clone(),
            location: self.repository.location(&run.id),
            encryption: manifest.encryption.clone(),
            backup_type: manifest.backup_type,
            database: run.database.to_owned(),
            started_at: manifest.started_at.clone(),
            snapshot_at: manifest.snapshot_at.clone(),
            elapsed_ms: elapsed.as_millis() as u64,
            rows: contents.rows(),
            wire_bytes: self.wire_bytes,
            stored_bytes: manifest.stored_bytes() + text.len() as u64,
            objects: manifest.objects.len() as u64 + 1,
            tables: contents.tables.iter().map(Into::into).collect(),
            sequences: contents.sequences.len() as u64,
            facts_digest: contents.facts_digest.clone(),
            manifest_sha256: hex(&Sha256::digest(text)),
            excluded: contents.excluded.clone(),
            accepted_losses: contents.accepted_losses.clone(),
            warnings: contents.warnings.clone(),
        }
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
                self.wire_bytes += part.wire_bytes;
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
    async fn store_schema(&mut self, documents: Documents) -> Result<()> {
        let Documents {
            model,
            facts,
            pre_data,
            post_data,
        } = documents;
        let all = [
            (MODEL, "model", model),
            (FACTS, "facts", facts),
            (PRE_DATA, "script", pre_data),
            (POST_DATA, "script", post_data),
        ];
        for (name, what, document) in all {
            self.put(name, &document.text_of(what)?).await?;
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
