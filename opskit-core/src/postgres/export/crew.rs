//! The workers of a run: a queue of parts, connections that take from it, a report per table.

use super::leader::Leader;
use super::part::Progress;
use super::plan::{ExportPlan, TablePlan};
use super::reading::Reading;
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
use crate::sink::BackupSink;
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
        let joiner = Joiner::new(
            url,
            first.resolved(),
            ctx.cancel(),
            &request,
            &leader.meeting,
        );
        Self {
            leader,
            plan,
            request,
            joiner,
            first,
        }
    }

    pub(super) fn request(&self) -> &ExportRequest {
        &self.request
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
            reading: Reading {
                ctx: ctx.clone(),
                request: self.request,
                joiner: self.joiner,
                sink: Arc::clone(sink),
            },
            queue: Mutex::new(queue(&plan)),
            done: Mutex::new(plan.tables.iter().map(|_| Vec::new()).collect()),
            leader: tokio::sync::Mutex::new(self.leader),
            plan: Arc::clone(&plan),
        });
        Box::pin(shared.work(self.first)).await?;
        let shared = Arc::into_inner(shared)
            .ok_or_else(|| Error::new(ErrorKind::Internal, "a worker outlived its run"))?;
        let done = shared
            .done
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        let tables = table_reports(&plan, done)?;
        Ok((shared.leader.into_inner(), tables))
    }

    /// The leader and the plan, for parts that others read.
    pub(crate) async fn lead(self, ctx: &OpContext) -> (Leader, ExportPlan) {
        announce(ctx, &self.plan);
        self.first.close().await;
        (self.leader, self.plan)
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
    reading: Reading,
    queue: Mutex<VecDeque<Place>>,
    done: Mutex<Vec<Vec<PartReport>>>,
    leader: tokio::sync::Mutex<Leader>,
    plan: Arc<ExportPlan>,
}

impl Shared {
    /// Runs the workers to their end; the first error ends all of them.
    async fn work(self: &Arc<Self>, first: WireConnection) -> Result<()> {
        let mut workers = JoinSet::new();
        let mut first = Some(first);
        for _ in 0..self.reading.request.jobs.max(1).min(self.plan.parts()) {
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
            Some(connection) => Some(self.reading.joiner.join(connection).await?),
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
            let lost =
                error.kind() == ErrorKind::Connection && tries <= self.reading.request.retries;
            if !lost || !self.leader.lock().await.is_alive().await {
                return Err(error);
            }
            let (table, part) = self.part_of(place);
            self.reading.ctx.emit(Event::PartRetried {
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
        let of = (table, table.parts.len() as u32);
        let reading = self.reading.part(of, part, connection, progress);
        let (connection, report) = reading.await?;
        self.finished(place, report);
        Ok(connection)
    }

    fn part_of(&self, (table, part): Place) -> (&TablePlan, &Part) {
        let table = &self.plan.tables[table];
        (table, &table.parts[part])
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
        self.reading.ctx.emit(Event::PartFinished {
            table: table.name.clone(),
            part: part.number,
            rows,
            heap_bytes: part.heap_bytes,
        });
        if let Some(rows) = table_rows {
            self.reading.ctx.emit(Event::TableFinished {
                table: table.name.clone(),
                rows,
            });
        }
    }
}

/// What was read of each table of the plan. Every part must be there; a run that lost one has no result.
pub(crate) fn table_reports(
    plan: &ExportPlan,
    done: Vec<Vec<PartReport>>,
) -> Result<Vec<TableReport>> {
    let tables = plan.tables.iter().zip(done);
    let report = |(table, parts): (&TablePlan, Vec<PartReport>)| {
        if table.parts.len() != parts.len() {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("a part of \"{}\" was not read", table.name),
            ));
        }
        Ok(table_report(table, parts))
    };
    tables.map(report).collect()
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
