//! Running an export: a queue of parts, workers that take from it, one report.

use super::leader::Leader;
use super::part::{self, PartJob, Progress};
use super::plan::ExportPlan;
use super::report::{ExportReport, PartReport, TableReport};
use super::request::ExportRequest;
use super::worker::Joiner;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::export::Fingerprint;
use crate::export::plan::Part;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use crate::sink::{BackupSink, PartHeader};
use std::collections::VecDeque;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use time::format_description::well_known::Rfc3339;
use tokio::task::JoinSet;
use tracing::Instrument as _;

/// An export whose snapshot is taken: look at the plan, then run it.
///
/// Dropping it ends its transaction and connections.
///
/// ```no_run
/// use opskit_core::context::OpContext;
/// use opskit_core::postgres::export::{Export, ExportRequest};
/// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
/// use opskit_core::sink::{NullSink, RowForm};
/// use std::sync::Arc;
///
/// # async fn example() -> opskit_core::Result<()> {
/// let ctx = OpContext::default();
/// let url = DatabaseUrl::parse("postgres://app@localhost/shop", &ConnectEnv::from_process())?;
/// let export = Export::open(&ctx, &url, ExportRequest::tables(["public.*"])?).await?;
/// println!("{} tables, {} parts", export.plan().tables.len(), export.plan().parts());
/// let report = export.run(&ctx, Arc::new(NullSink::new(RowForm::Batches))).await?;
/// println!("{} rows", report.rows);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Export {
    leader: Leader,
    plan: ExportPlan,
    request: ExportRequest,
    joiner: Joiner,
    first: WireConnection,
    started_at: String,
    started: Duration,
}

impl Export {
    /// Connects, locks the tables, takes the snapshot and makes the plan. Nothing is read yet.
    ///
    /// # Errors
    /// Of kind `NotFound` when a pattern matches nothing, `Busy` when a lock cannot be had in time or a
    /// table changed meanwhile, `PermissionDenied` when the role may not read a table, `Unsupported`
    /// behind a pooler in transaction mode, `Connection`, `Timeout`, `Cancelled`.
    pub async fn open(ctx: &OpContext, url: &DatabaseUrl, request: ExportRequest) -> Result<Self> {
        let mut first = WireConnection::connect(url, ctx.cancel()).await?;
        let mut leader = Leader::start(ctx, url, &request, &mut first).await?;
        let started_at = ctx.clock().now().format(&Rfc3339).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write the time").with_source(source)
        })?;
        let started = ctx.clock().elapsed();
        let plan = leader.plan(&request).await?;
        let joiner = Joiner::new(url, first.resolved(), ctx.cancel(), &request, &leader);
        Ok(Self {
            leader,
            plan,
            request,
            joiner,
            first,
            started_at,
            started,
        })
    }

    /// What will be read.
    #[must_use]
    pub fn plan(&self) -> &ExportPlan {
        &self.plan
    }

    /// Reads everything into `sink` and commits it, the report as its manifest.
    ///
    /// A worker that loses its connection reads its part again, as long as the leader's transaction
    /// lives. Any other error ends the run; nothing is committed then.
    ///
    /// # Errors
    /// As for [`Self::open`]; `Storage` when the sink cannot write; `Damaged` when counts differ;
    /// `CheckFailed` in strict mode for a value without a standard form.
    pub async fn run(self, ctx: &OpContext, sink: Arc<dyn BackupSink>) -> Result<ExportReport> {
        let span = tracing::info_span!("opskit.export", database = %self.leader.source.database);
        self.run_in_span(ctx, sink).instrument(span).await
    }

    async fn run_in_span(self, ctx: &OpContext, sink: Arc<dyn BackupSink>) -> Result<ExportReport> {
        let Self {
            leader,
            plan,
            request,
            joiner,
            first,
            started_at,
            started,
        } = self;
        announce(ctx, &plan);
        let plan = Arc::new(plan);
        let shared = Arc::new(Shared {
            ctx: ctx.clone(),
            queue: Mutex::new(queue(&plan)),
            done: Mutex::new(plan.tables.iter().map(|_| Vec::new()).collect()),
            leader: tokio::sync::Mutex::new(leader),
            plan: Arc::clone(&plan),
            request,
            joiner,
            sink: Arc::clone(&sink),
        });
        Box::pin(shared.work(first)).await?;
        let mut shared = Arc::into_inner(shared)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a worker outlived its run"))?;
        shared.check_complete()?;
        shared.leader.get_mut().check_unchanged().await?;
        let mut report = shared.report(started_at);
        report.elapsed_ms = (ctx.clock().elapsed() - started).as_millis() as u64;
        let manifest = serde_json::to_vec_pretty(&report).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write the manifest").with_source(source)
        })?;
        ctx.cancel().check()?;
        sink.commit(&manifest).await?;
        shared.leader.into_inner().close().await;
        let elapsed = ctx.clock().elapsed() - started;
        ctx.emit(Event::RunFinished {
            rows: report.rows,
            elapsed,
        });
        Ok(report)
    }
}

fn announce(ctx: &OpContext, plan: &ExportPlan) {
    for message in &plan.warnings {
        ctx.emit(Event::Warning {
            message: message.clone(),
        });
    }
    ctx.emit(Event::RunStarted {
        tables: plan.tables.len(),
        parts: plan.parts(),
        heap_bytes: plan.heap_bytes(),
    });
}

/// A part in the queue: its table's place in the plan, and its own.
type Place = (usize, usize);

/// All parts, the largest first: so that no worker starts a large one when the others are done.
fn queue(plan: &ExportPlan) -> VecDeque<Place> {
    let tables = plan.tables.iter().enumerate();
    let mut places: Vec<Place> = tables
        .flat_map(|(table, of)| (0..of.parts.len()).map(move |part| (table, part)))
        .collect();
    places.sort_by_key(|(table, part)| {
        std::cmp::Reverse(plan.tables[*table].parts[*part].heap_bytes)
    });
    places.into()
}

/// What the workers share.
#[derive(Debug)]
struct Shared {
    ctx: OpContext,
    queue: Mutex<VecDeque<Place>>,
    done: Mutex<Vec<Vec<PartReport>>>,
    leader: tokio::sync::Mutex<Leader>,
    plan: Arc<ExportPlan>,
    request: ExportRequest,
    joiner: Joiner,
    sink: Arc<dyn BackupSink>,
}

impl Shared {
    /// Runs the workers to their end; the first error ends all of them.
    async fn work(self: &Arc<Self>, first: WireConnection) -> Result<()> {
        let mut workers = JoinSet::new();
        let mut first = Some(first);
        for _ in 0..self.request.jobs.max(1).min(self.plan.parts()) {
            let worker = Arc::clone(self).worker(first.take());
            workers.spawn(worker.in_current_span());
        }
        while let Some(ended) = workers.join_next().await {
            let result = ended.unwrap_or_else(|source| {
                Err(Error::new(ErrorKind::Internal, "a worker stopped").with_source(source))
            });
            if let Err(error) = result {
                // Dropped workers cancel their statements on the server.
                workers.shutdown().await;
                return Err(error);
            }
        }
        Ok(())
    }

    async fn worker(self: Arc<Self>, connection: Option<WireConnection>) -> Result<()> {
        let mut connection = match connection {
            Some(connection) => Some(self.joiner.join(connection).await?),
            None => None,
        };
        loop {
            let next = self
                .queue
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .pop_front();
            let Some(place) = next else { break };
            connection = Some(self.part_with_retries(place, connection).await?);
        }
        if let Some(connection) = connection {
            connection.close().await;
        }
        Ok(())
    }

    /// Reads a part, again when its connection is lost while the snapshot lives.
    async fn part_with_retries(
        &self,
        place: Place,
        mut connection: Option<WireConnection>,
    ) -> Result<WireConnection> {
        let mut tries = 0;
        loop {
            let progress = Arc::new(Progress::default());
            let error = match self.part(place, connection.take(), &progress).await {
                Ok(connection) => return Ok(connection),
                Err(error) => error,
            };
            tries += 1;
            let lost = error.kind() == ErrorKind::Connection && tries <= self.request.retries;
            if !lost || !self.leader.lock().await.is_alive().await {
                return Err(error);
            }
            let (table, part) = self.part_of(place);
            self.ctx.emit(Event::PartRetried {
                table: table.name.clone(),
                part: part.number,
                rows_discarded: progress.rows.load(Ordering::Relaxed),
                wire_bytes_discarded: progress.wire_bytes.load(Ordering::Relaxed),
                reason: error.to_string(),
            });
        }
    }

    async fn part(
        &self,
        place: Place,
        connection: Option<WireConnection>,
        progress: &Arc<Progress>,
    ) -> Result<WireConnection> {
        let (table, part) = self.part_of(place);
        let form = self.sink.row_form();
        let span = tracing::info_span!("opskit.part", table = %table.name, part = part.number);
        let work = async {
            let connection = match connection {
                Some(connection) => connection,
                None => self.joiner.connect().await?,
            };
            self.started(table, part);
            let header = PartHeader {
                table: table.name.clone(),
                part: part.number,
                parts: table.parts.len() as u32,
                row_type: Arc::clone(&table.row_type),
            };
            let job = PartJob {
                header: header.clone(),
                form,
                decode: self.request.decode_options(),
                queue_bytes: self.request.queue_bytes,
                progress: Arc::clone(progress),
            };
            let writer = self.sink.open_part(header).await?;
            part::run(
                &self.ctx,
                connection,
                &table.copy_sql(part, form),
                job,
                writer,
            )
            .await
        };
        let (connection, report) = work
            .instrument(span)
            .await
            .map_err(|error| error.while_doing(format!("cannot export \"{}\"", table.name)))?;
        self.finished(place, report);
        Ok(connection)
    }

    fn part_of(&self, (table, part): Place) -> (&super::plan::TablePlan, &Part) {
        let table = &self.plan.tables[table];
        (table, &table.parts[part])
    }

    fn started(&self, table: &super::plan::TablePlan, part: &Part) {
        if part.number == 0 {
            self.ctx.emit(Event::TableStarted {
                table: table.name.clone(),
                parts: table.parts.len(),
            });
        }
        self.ctx.emit(Event::PartStarted {
            table: table.name.clone(),
            part: part.number,
            heap_bytes: part.heap_bytes,
        });
    }

    fn finished(&self, place: Place, report: PartReport) {
        let (table, part) = self.part_of(place);
        let rows = report.rows;
        let table_rows = {
            let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
            let reports = &mut done[place.0];
            reports.push(report);
            (reports.len() == table.parts.len())
                .then(|| reports.iter().map(|report| report.rows).sum())
        };
        self.ctx.emit(Event::PartFinished {
            table: table.name.clone(),
            part: part.number,
            rows,
            heap_bytes: part.heap_bytes,
        });
        if let Some(rows) = table_rows {
            self.ctx.emit(Event::TableFinished {
                table: table.name.clone(),
                rows,
            });
        }
    }

    /// Every part of the plan must have its report; a run that lost one has no result.
    fn check_complete(&mut self) -> Result<()> {
        let done = self.done.get_mut().unwrap_or_else(PoisonError::into_inner);
        let mut tables = self.plan.tables.iter().zip(done);
        match tables.find(|(table, done)| table.parts.len() != done.len()) {
            None => Ok(()),
            Some((table, _)) => Err(Error::new(
                ErrorKind::Internal,
                format!("a part of \"{}\" was not read", table.name),
            )),
        }
    }

    /// The report, without the time that it took.
    fn report(&mut self, started_at: String) -> ExportReport {
        let done = std::mem::take(self.done.get_mut().unwrap_or_else(PoisonError::into_inner));
        let tables: Vec<TableReport> = self
            .plan
            .tables
            .iter()
            .zip(done)
            .map(|(table, parts)| table_report(table, parts))
            .collect();
        let parts = || tables.iter().flat_map(|table| &table.parts);
        ExportReport {
            schema: "opskit.export/1",
            started_at,
            elapsed_ms: 0,
            source: self.leader.get_mut().source.clone(),
            form: self.sink.row_form(),
            rows: parts().map(|part| part.rows).sum(),
            wire_bytes: parts().map(|part| part.wire_bytes).sum(),
            stored_bytes: parts()
                .flat_map(|part| &part.objects)
                .map(|object| object.bytes)
                .sum(),
            warnings: self.plan.warnings.clone(),
            tables,
        }
    }
}

fn table_report(table: &super::plan::TablePlan, mut parts: Vec<PartReport>) -> TableReport {
    parts.sort_by_key(|part| part.part);
    let fingerprint = parts
        .iter()
        .map(|part| part.fingerprint)
        .try_fold(Fingerprint::default(), |sum, part| Some(sum.plus(part?)));
    TableReport {
        table: table.name.clone(),
        rows: parts.iter().map(|part| part.rows).sum(),
        misfits: parts.iter().map(|part| part.misfits).sum(),
        fingerprint,
        parts,
    }
}
