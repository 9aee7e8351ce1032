//! An export that is read while it runs.

use crate::arrow::{Batch, Schema, Table, stream_capsule};
use crate::error::{json, or_raise, raised};
use crate::operation::Operation;
use crate::runtime::{self, FAREWELL};
use crate::signals::{TICK, interrupted};
use crate::sink::FeedSink;
use arrow::array::{RecordBatch, RecordBatchReader};
use arrow::datatypes::SchemaRef;
use arrow::error::ArrowError;
use opskit_core::cancel::{Cancel, CancelHandle};
use opskit_core::context::OpContext;
use opskit_core::postgres::export::{Export, ExportPlan, ExportRequest};
use opskit_core::postgres::url::DatabaseUrl;
use opskit_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;
use std::sync::{Arc, OnceLock};
use tokio::runtime::Handle;
use tokio::sync::mpsc::{self, Receiver};
use tokio::sync::{oneshot, watch};
use tokio::time::timeout;

/// Batches that wait to be read: enough that the server need not wait, few enough to forget.
pub(crate) const BATCHES_AHEAD: usize = 4;

/// The end of an export that runs for a reader, and what keeps it running: dropping it cancels.
struct Feed {
    rows: Receiver<RecordBatch>,
    cancel: CancelHandle,
    /// How the export ended, told behind its last batch.
    outcome: oneshot::Receiver<Result<String>>,
    report: Arc<OnceLock<String>>,
    /// Nothing follows a failure or the end.
    is_over: bool,
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

impl Feed {
    /// The next batch; none behind the last one, once all counts agreed.
    async fn next(&mut self) -> Result<Option<RecordBatch>> {
        if self.is_over {
            return Ok(None);
        }
        if let Some(batch) = self.rows.recv().await {
            return Ok(Some(batch));
        }
        self.is_over = true;
        let stopped = |_| Err(Error::new(ErrorKind::Internal, "the export stopped"));
        let report = (&mut self.outcome).await.unwrap_or_else(stopped)?;
        // There is one end.
        let _ = self.report.set(report);
        Ok(None)
    }
}

/// Rows of one export. They can be read once, in one of several ways.
#[pyclass(module = "opskit._opskit", frozen)]
pub(crate) struct Stream {
    schema: SchemaRef,
    feed: Arc<tokio::sync::Mutex<Option<Feed>>>,
    cancel: CancelHandle,
    report: Arc<OnceLock<String>>,
    ended: watch::Receiver<bool>,
    runtime: Handle,
}

/// Connects, takes the snapshot, and starts to read.
pub(crate) async fn open(
    ctx: OpContext,
    url: DatabaseUrl,
    request: ExportRequest,
) -> Result<Stream> {
    // Whoever waits for the opening may cancel that, and is gone when rows are read.
    let (cancel, token) = Cancel::pair();
    let reading = OpContext::new(token.clone());
    let batch_rows = request.batch.0;
    let opening = Box::pin(Export::open(&reading, &url, request));
    let export = runtime::passing_on(ctx.cancel(), &cancel, opening).await?;
    let schema = schema_of(export.plan())?;
    let (feed, rows) = mpsc::channel(BATCHES_AHEAD);
    let sink = Arc::new(FeedSink {
        schema: Arc::clone(&schema),
        feed,
        cancel: token,
        batch_rows,
    });
    let runtime = Handle::current();
    let (tell_outcome, outcome) = oneshot::channel();
    let (tell_end, ended) = watch::channel(false);
    let stop = cancel.clone();
    runtime.spawn(async move {
        let running = runtime::until_shut_down(stop, Box::pin(export.run(&reading, sink)));
        // Nobody may be there to hear it.
        let _ = tell_outcome.send(running.await.and_then(|report| json(&report)));
        tell_end.send_replace(true);
    });
    let report = Arc::new(OnceLock::new());
    let feed = Feed {
        rows,
        cancel: cancel.clone(),
        outcome,
        report: Arc::clone(&report),
        is_over: false,
    };
    Ok(Stream {
        schema,
        feed: Arc::new(tokio::sync::Mutex::new(Some(feed))),
        cancel,
        report,
        ended,
        runtime,
    })
}

/// The one schema of all tables of the plan.
pub(crate) fn schema_of(plan: &ExportPlan) -> Result<SchemaRef> {
    let mut tables = plan.tables.iter();
    let Some(first) = tables.next() else {
        return Err(Error::new(
            ErrorKind::Internal,
            "there is no table in the plan",
        ));
    };
    let schema = first.row_type.arrow_schema();
    match tables.find(|table| table.row_type.arrow_schema().fields() != schema.fields()) {
        None => Ok(schema),
        Some(other) => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("tables \"{}\" and \"{}\" have different columns, and a stream has one kind of rows", first.name, other.name),
        )
        .with_hint("Export them one by one, or by a query that names the columns.")),
    }
}

fn read_already() -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        "the stream was read or closed already",
    )
    .with_hint("An export is read once: export again, or keep what read_all() gives.")
}

/// The next batch for whoever holds the feed; lets go of it at the end.
async fn next_of(feed: &tokio::sync::Mutex<Option<Feed>>) -> Result<Option<RecordBatch>> {
    let mut feed = feed.lock().await;
    match feed.as_mut() {
        Some(feed) => feed.next().await,
        None => Err(read_already()),
    }
}

async fn rest_of(feed: &tokio::sync::Mutex<Option<Feed>>) -> Result<Vec<RecordBatch>> {
    let mut batches = Vec::new();
    while let Some(batch) = next_of(feed).await? {
        batches.push(batch);
    }
    Ok(batches)
}

#[pymethods]
impl Stream {
    #[getter]
    fn schema(&self) -> Schema {
        Schema(Arc::clone(&self.schema))
    }

    /// The report as JSON, once the last row was read.
    #[getter]
    fn report(&self) -> Option<&str> {
        self.report.get().map(String::as_str)
    }

    /// The next batch, or none.
    fn next(&self, py: Python<'_>) -> PyResult<Operation> {
        let feed = Arc::clone(&self.feed);
        self.reading(py, async move { Ok(next_of(&feed).await?.map(Batch)) })
    }

    /// What is not read yet.
    fn read_all(&self, py: Python<'_>) -> PyResult<Operation> {
        let (feed, schema) = (Arc::clone(&self.feed), Arc::clone(&self.schema));
        self.reading(py, async move {
            let batches = rest_of(&feed).await?.into();
            Ok(Table { schema, batches })
        })
    }

    /// Cancels what still runs, on the server too, and waits until it has ended.
    fn close(&self, py: Python<'_>) -> PyResult<Operation> {
        self.cancel.cancel();
        let (feed, mut ended) = (Arc::clone(&self.feed), self.ended.clone());
        Operation::start(py, move |_| async move {
            // Whoever still waits for a batch is told that it was cancelled.
            let mut feed = feed.lock().await;
            if let Some(feed) = feed.as_mut() {
                feed.rows.close();
            }
            // A server that does not answer is left alone.
            let _ = timeout(FAREWELL, ended.wait_for(|ended| *ended)).await;
            *feed = None;
            Ok(())
        })
    }

    /// Cancels what still runs, and does not wait.
    fn cancel(&self) {
        self.cancel.cancel();
    }

    #[pyo3(signature = (requested_schema=None))]
    fn __arrow_c_stream__<'py>(
        &self,
        py: Python<'py>,
        requested_schema: Option<Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyCapsule>> {
        // The interface lets a producer ignore what it cannot convert to.
        drop(requested_schema);
        or_raise(py, runtime::handle())?;
        let feed = self.feed.try_lock().ok().and_then(|mut feed| feed.take());
        let Some(feed) = feed else {
            return Err(raised(py, &read_already()));
        };
        let reader = FeedReader {
            feed,
            schema: Arc::clone(&self.schema),
            runtime: self.runtime.clone(),
        };
        stream_capsule(py, Box::new(reader))
    }
}

impl Stream {
    /// Reading that is cancelled ends the export: what was on its way to the reader would be lost.
    fn reading<T>(
        &self,
        py: Python<'_>,
        work: impl Future<Output = Result<T>> + Send + 'static,
    ) -> PyResult<Operation>
    where
        T: for<'py> IntoPyObject<'py> + Send + 'static,
    {
        let stop = self.cancel.clone();
        Operation::start(py, move |ctx| async move {
            let read = ctx.cancel().guard(work).await;
            if ctx.cancel().is_cancelled() {
                stop.cancel();
            }
            read
        })
    }
}

/// Reads for a consumer of the C interface, on whatever thread that has.
struct FeedReader {
    feed: Feed,
    schema: SchemaRef,
    runtime: Handle,
}

impl Iterator for FeedReader {
    type Item = Result<RecordBatch, ArrowError>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let next = self
                .runtime
                .block_on(async { timeout(TICK, self.feed.next()).await });
            match next {
                Ok(Ok(batch)) => return batch.map(Ok),
                Ok(Err(error)) => return Some(Err(ArrowError::ExternalError(said(&error).into()))),
                Err(_) if interrupted() => self.feed.cancel.cancel(),
                Err(_) => {}
            }
        }
    }
}

impl RecordBatchReader for FeedReader {
    fn schema(&self) -> SchemaRef {
        Arc::clone(&self.schema)
    }
}

/// All that a consumer can tell its user of an error is one text.
fn said(error: &Error) -> String {
    let chain = error.chain().join(": ");
    match error.hint() {
        Some(hint) => format!("{chain} (hint: {hint})"),
        None => chain,
    }
}
