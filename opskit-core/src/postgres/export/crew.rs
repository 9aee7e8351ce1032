//! The workers of a run: a queue of parts, connections that take from it, a report per table.

use super::leader::Leader;
use super::part::{self, PartJob, Progress};
use super::plan::{ExportPlan, TablePlan};
use super::report::{PartReport, TableReport};
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
use tokio::task::JoinSet;
use tracing::Instrument as _;

/// A leader with its snapshot, a plan, and what it takes to read it.
#[derive(Debug)]
pub(crate) struct Crew {
    pub(crate) leader: Leader,
    pub(crate) plan: ExportPlan,
    request: ExportRequest,
    joiner: Joiner,
    first: WireConnection,
}

impl Crew {
    /// Workers for a plan of the leader's. `first` is the connection of the first one, idle.
    pub(crate) fn new(
        ctx: &OpContext,
        url: &DatabaseUrl,
        request: ExportRequest,
        leader: Leader,
        plan: ExportPlan,
        first: WireConnection,
    ) -> Self {
        let joiner = Joiner::new(url, first.resolved(), ctx.cancel(), &request, &leader);
        Self {
            leader,
            plan,
            request,
            joiner,
            first,
        }
    }

    /// Reads every part into `sink`, and gives the leader back, whose snapshot is still there.
    ///
    /// A worker that loses its connection reads its part again, as long as the leader's transaction
    /// lives. Any other error ends the run.
    pub(crate) async fn read(
        self,
        ctx: &OpContext,
        sink: &Arc<dyn BackupSink>,
    ) -> Result<(Leader, Vec<TableReport>)> {
        announce(ctx, &self.plan);
        let plan = Arc::new(self.plan);
        let shared = Arc::new(Shared {
            ctx: ctx.clone(),
            queue: Mutex::new(queue(&plan)),
            done: Mutex::new(plan.tables.iter().map(|_| Vec::new()).collect()),
            leader: tokio::sync::Mutex::new(self.leader),
            plan: Arc::clone(&plan),
            request: self.request,
            joiner: self.joiner,
            sink: Arc::clone(sink),
        });
        Box::pin(shared.work(self.first)).await?;
        let mut shared = Arc::into_inner(shared)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a worker outlived its run"))?;
        shared.check_complete()?;
        let tables = shared.reports();
        Ok((shared.leader.into_inner(), tables))
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

    fn part_of(&self, (table, part): Place) -> (&TablePlan, &Part) {
        let table = &self.plan.tables[table];
        (table, &table.parts[part])
    }

    fn started(&self, table: &TablePlan, part: &Part) {
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

    fn reports(&mut self) -> Vec<TableReport> {
        let done = std::mem::take(self.done.get_mut().unwrap_or_else(PoisonError::into_inner));
        let tables = self.plan.tables.iter().zip(done);
        tables
            .map(|(table, parts)| table_report(table, parts))
            .collect()
    }
}

fn table_report(table: &TablePlan, mut parts: Vec<PartReport>) -> TableReport {
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
