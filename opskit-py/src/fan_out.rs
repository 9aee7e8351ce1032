//! Snapshots that are held here while others read: backups and exports whose parts are read anywhere.

use crate::arrow::{Schema, Table};
use crate::backup::request;
use crate::database::{ExportOptions, Source};
use crate::error::{json, or_raise};
use crate::operation::Operation;
use crate::options::parse;
use crate::repository::Store;
use crate::runtime;
use crate::sink::FeedSink;
use crate::stream::{BATCHES_AHEAD, schema_of};
use arrow::array::RecordBatch;
use arrow::datatypes::SchemaRef;
use opskit_core::backup::fan_out::{FanOut, FanOutPart, FanOutReceipt, run_part as run};
use opskit_core::cancel::{Cancel, CancelHandle};
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::postgres::export::{Export, ExportRequest, PartTicket};
use opskit_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use serde::Deserialize;
use std::sync::Arc;
use tokio::runtime::Handle;
use tokio::sync::{Mutex, mpsc};

/// A part as Python shows it: table, number, of how many, bytes on the server's disk; and the text of it.
type Shown = (String, u32, u32, u64, String);

/// Something of the library that holds connections between calls. It has a context of its own: whoever waited for its
/// opening is gone then.
struct Held<T: Send + 'static> {
    slot: Arc<Mutex<Option<T>>>,
    cancel: CancelHandle,
    runtime: Handle,
}

impl<T: Send + 'static> Drop for Held<T> {
    fn drop(&mut self) {
        self.cancel.cancel();
        let slot = Arc::clone(&self.slot);
        // Connections are closed by the runtime.
        self.runtime
            .spawn(async move { drop(slot.lock().await.take()) });
    }
}

impl<T: Send + 'static> Held<T> {
    async fn open<F: Future<Output = Result<T>>>(
        ctx: OpContext,
        opening: impl FnOnce(OpContext) -> F,
    ) -> Result<(Self, Arc<Mutex<Option<T>>>)> {
        let (cancel, token) = Cancel::pair();
        let listener = ctx.clone();
        let own = OpContext::new(token).with_observer(move |event: &Event| {
            listener.emit(event.clone());
        });
        let opened = runtime::passing_on(ctx.cancel(), &cancel, Box::pin(opening(own))).await?;
        let slot = Arc::new(Mutex::new(Some(opened)));
        let held = Self {
            slot: Arc::clone(&slot),
            cancel,
            runtime: Handle::current(),
        };
        Ok((held, slot))
    }

    /// Ends it by `work`. `ready` is asked first, and may leave it as it is.
    fn end<R, F>(
        &self,
        py: Python<'_>,
        ready: impl FnOnce(&T) -> Result<()> + Send + 'static,
        work: impl FnOnce(T) -> F + Send + 'static,
    ) -> PyResult<Operation>
    where
        R: for<'py> IntoPyObject<'py> + Send + 'static,
        F: Future<Output = Result<R>> + Send + 'static,
    {
        let (slot, cancel) = (Arc::clone(&self.slot), self.cancel.clone());
        Operation::start(py, move |ctx| async move {
            let mut slot = slot.lock().await;
            ready(slot.as_ref().ok_or_else(over)?)?;
            let held = slot.take().ok_or_else(over)?;
            let work = Box::pin(work(held));
            runtime::passing_on(ctx.cancel(), &cancel, work).await
        })
    }
}

fn over() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "the plan was committed or closed already",
    )
    .with_hint("Make a new plan: its parts are of another snapshot.")
}

/// A backup whose parts are read by others.
#[pyclass(module = "opskit._opskit", frozen)]
pub(crate) struct FanOutPlan {
    held: Held<FanOut>,
    plan: String,
    parts: Vec<Shown>,
}

/// Locks the tables, takes the snapshot, and begins a backup whose parts are read by others.
#[pyfunction]
pub(crate) fn fan_out(
    py: Python<'_>,
    source: &Source,
    to: &Store,
    options: &str,
) -> PyResult<Operation> {
    let request = or_raise(py, request(options))?;
    let (url, repository) = (source.0.clone(), to.0.clone());
    Operation::start(py, move |ctx| async move {
        let opening = async move |ctx: OpContext| {
            Box::pin(FanOut::open(&ctx, &url, &repository, request)).await
        };
        let (held, slot) = Held::open(ctx, opening).await?;
        let open = slot.lock().await;
        let open = open.as_ref().ok_or_else(over)?;
        let shown = |part: &FanOutPart| Ok(shown(&part.ticket, part.to_json()?));
        let parts: Result<_> = open.parts().iter().map(shown).collect();
        Ok(FanOutPlan {
            held,
            plan: json(open.plan())?,
            parts: parts?,
        })
    })
}

fn shown(ticket: &PartTicket, text: Vec<u8>) -> Shown {
    let text = String::from_utf8_lossy(&text).into_owned();
    let part = &ticket.part;
    (
        ticket.table.to_string(),
        part.number,
        ticket.parts,
        part.heap_bytes,
        text,
    )
}

fn read_receipts(receipts: &[String]) -> Result<Vec<FanOutReceipt>> {
    let receipts = receipts.iter();
    receipts
        .map(|text| FanOutReceipt::parse(text.as_bytes()))
        .collect()
}

#[pymethods]
impl FanOutPlan {
    /// What the backup will hold, as JSON.
    #[getter]
    fn plan(&self) -> &str {
        &self.plan
    }

    /// The parts, the largest first.
    #[getter]
    fn parts(&self) -> Vec<Shown> {
        self.parts.clone()
    }

    /// Commits the backup. Receipts that are not those of all parts leave it open.
    fn commit(&self, py: Python<'_>, receipts: Vec<String>) -> PyResult<Operation> {
        let receipts = Arc::new(or_raise(py, read_receipts(&receipts))?);
        let checked = Arc::clone(&receipts);
        self.held.end(
            py,
            move |open| open.check(&checked),
            async move |open| json(&Box::pin(open.commit(&receipts)).await?),
        )
    }

    /// Gives the backup up. Nothing, when it is over already.
    fn abandon(&self, py: Python<'_>, why: String) -> PyResult<Operation> {
        let slot = Arc::clone(&self.held.slot);
        Operation::start(py, move |_| async move {
            if let Some(open) = slot.lock().await.take() {
                let why = Error::new(ErrorKind::Cancelled, why);
                Box::pin(open.abandon(&why)).await;
            }
            Ok(())
        })
    }
}

/// Reads a part of a plan that is open somewhere, and stores it. The receipt, as JSON.
#[pyfunction]
pub(crate) fn run_part(
    py: Python<'_>,
    source: &Source,
    to: &Store,
    part: &str,
) -> PyResult<Operation> {
    let part = or_raise(py, FanOutPart::parse(part.as_bytes()))?;
    let (url, repository) = (source.0.clone(), to.0.clone());
    Operation::start(py, move |ctx| async move {
        let receipt = Box::pin(run(&ctx, &url, &repository, &part)).await?;
        json(&receipt)
    })
}

/// A snapshot whose parts are read by others.
#[pyclass(module = "opskit._opskit", frozen)]
pub(crate) struct SnapshotPlan {
    held: Held<Export>,
    schema: SchemaRef,
    parts: Vec<Shown>,
}

/// Locks a table or what a query reads, and takes the snapshot.
#[pyfunction]
pub(crate) fn snapshot(py: Python<'_>, source: &Source, options: &str) -> PyResult<Operation> {
    let options: Result<ExportOptions> = parse(options);
    let request = or_raise(py, options.and_then(ExportOptions::request))?;
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        let opening = async move |ctx: OpContext| Box::pin(Export::open(&ctx, &url, request)).await;
        let (held, slot) = Held::open(ctx, opening).await?;
        let open = slot.lock().await;
        let open = open.as_ref().ok_or_else(over)?;
        let part = |ticket: PartTicket| Ok(shown(&ticket, json(&ticket)?.into_bytes()));
        let parts: Result<_> = open.tickets().into_iter().map(part).collect();
        Ok(SnapshotPlan {
            held,
            schema: schema_of(open.plan())?,
            parts: parts?,
        })
    })
}

#[pymethods]
impl SnapshotPlan {
    /// The columns.
    #[getter]
    fn schema(&self) -> Schema {
        Schema(Arc::clone(&self.schema))
    }

    /// The parts, the largest first.
    #[getter]
    fn parts(&self) -> Vec<Shown> {
        self.parts.clone()
    }

    /// Ends the snapshot, and fails when it was lost or what was read may be of two states.
    fn release(&self, py: Python<'_>) -> PyResult<Operation> {
        let work = async |open: Export| Box::pin(open.release()).await;
        self.held.end(py, |_| Ok(()), work)
    }

    /// Ends the snapshot. Nothing, when it is over already.
    fn close(&self, py: Python<'_>) -> PyResult<Operation> {
        let slot = Arc::clone(&self.held.slot);
        Operation::start(py, move |_| async move {
            drop(slot.lock().await.take());
            Ok(())
        })
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReadOptions {
    exactness: Option<opskit_core::export::Exactness>,
}

/// Reads a part of a snapshot that is held somewhere into memory.
#[pyfunction]
pub(crate) fn read_part(
    py: Python<'_>,
    source: &Source,
    part: &str,
    options: &str,
) -> PyResult<Operation> {
    let options: ReadOptions = or_raise(py, parse(options))?;
    let ticket = or_raise(py, PartTicket::parse(part.as_bytes()))?;
    let exactness = or_raise(py, crate::database::exactness(options.exactness))?;
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        let schema = ticket.row_type.arrow_schema();
        let (feed, rows) = mpsc::channel(BATCHES_AHEAD);
        let request = ExportRequest::query("").with_exactness(exactness);
        let sink = Arc::new(FeedSink {
            schema: Arc::clone(&schema),
            feed,
            cancel: ctx.cancel().clone(),
            batch_rows: request.batch.0,
        });
        let reading = Box::pin(ticket.read(&ctx, &url, &request, sink));
        let (report, batches) = tokio::join!(reading, all(rows));
        // Counted by us and by the server alike.
        report?;
        let batches = batches.into();
        Ok(Table { schema, batches })
    })
}

async fn all(mut rows: mpsc::Receiver<RecordBatch>) -> Vec<RecordBatch> {
    let mut batches = Vec::new();
    while let Some(batch) = rows.recv().await {
        batches.push(batch);
    }
    batches
}
