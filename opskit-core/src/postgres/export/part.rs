//! One part: a thread reads the socket (with TLS, a task), another decodes and writes rows, and a few buffers
//! go round between them. Their number bounds the memory and lets the server go on while we encode.

use super::reader::{Stopped, read};
use super::report::PartReport;
use crate::cancel::{Cancel, cancelled};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::export::frames::FrameScanner;
use crate::export::text::{CsvCounter, JsonLines};
use crate::export::{DecodeOptions, Decoder, Fingerprint, Fingerprinter};
use crate::postgres::wire::{CopyBuffer, WireConnection};
use crate::sink::{PartHeader, PartReceipt, PartWriter, RowForm, Rows};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};

/// A buffer holds what a few reads of the socket bring.
const BUFFER_BYTES: usize = 1 << 20;
/// How long a consumer may take to notice that the reader is gone.
const FAREWELL: Duration = Duration::from_secs(3);

/// What a part needs besides its connection.
pub(super) struct PartJob {
    pub(super) header: PartHeader,
    pub(super) form: RowForm,
    pub(super) decode: DecodeOptions,
    pub(super) queue_bytes: usize,
    pub(super) progress: Arc<Progress>,
}

/// Rows and bytes of a part so far, as the events told them.
#[derive(Debug, Default)]
pub(super) struct Progress {
    pub(super) rows: AtomicU64,
    pub(super) wire_bytes: AtomicU64,
}

/// What the consumer of a part counted.
struct Consumed {
    receipt: PartReceipt,
    rows: u64,
    wire_bytes: u64,
    misfits: u64,
    fingerprint: Option<Fingerprint>,
}

/// Reads a part to its end, writes it, and checks that all counts agree.
pub(super) async fn run(
    ctx: &OpContext,
    connection: WireConnection,
    sql: &str,
    job: PartJob,
    writer: Box<dyn PartWriter>,
) -> Result<(WireConnection, PartReport)> {
    let header = job.header.clone();
    let copy = connection.copy_out(sql).await?;
    let buffers = (job.queue_bytes / BUFFER_BYTES).max(2);
    let (full_in, full_out) = mpsc::channel(buffers);
    let (empty_in, empty_out) = mpsc::channel(buffers);
    for _ in 0..buffers {
        // The channel has room for all of them.
        let _ = empty_in.try_send(CopyBuffer::with_capacity(BUFFER_BYTES));
    }
    let consumer = Consumer {
        ctx: ctx.clone(),
        job,
        full: full_out,
        empty: empty_in,
    };
    let handle = tokio::runtime::Handle::current();
    let consuming = tokio::task::spawn_blocking(move || consumer.run(&handle, writer));
    let reading = read(ctx.cancel(), copy, full_in, empty_out);
    let ((connection, server_rows), consumed) = both(ctx.cancel(), reading, consuming).await?;
    check_counts(&header, server_rows, &consumed)?;
    let report = PartReport {
        part: header.part,
        rows: consumed.rows,
        wire_bytes: consumed.wire_bytes,
        misfits: consumed.misfits,
        fingerprint: consumed.fingerprint,
        objects: consumed.receipt.objects,
    };
    Ok((connection, report))
}

/// Waits for both sides. Each only sees that the other is gone; the cause is what the other one says.
async fn both<R>(
    cancel: &Cancel,
    reading: impl Future<Output = Result<R, Stopped>>,
    mut consuming: JoinHandle<Result<Consumed, Stopped>>,
) -> Result<(R, Consumed)> {
    let mut reading = std::pin::pin!(reading);
    let (read, consumed) = tokio::select! {
        read = &mut reading => {
            let reader = match read {
                Ok(_) => Reader::Done,
                Err(_) => Reader::Failed,
            };
            let consumed = ended(cancel, consuming, reader).await;
            (read, consumed)
        }
        consumed = &mut consuming => match stopped(consumed) {
            // What the server still sends, at whatever pace, is for nobody: the reader goes at once.
            Err(Stopped::Failed(error)) => return Err(error),
            consumed => (reading.await, consumed),
        },
    };
    match (read, consumed) {
        (Ok(read), Ok(consumed)) => Ok((read, consumed)),
        (Err(Stopped::Failed(error)), _) | (_, Err(Stopped::Failed(error))) => Err(error),
        (Err(Stopped::Alone), _) | (_, Err(Stopped::Alone)) => Err(Error::new(
            ErrorKind::Internal,
            "the reader and the decoder lost each other",
        )),
    }
}

fn stopped(consumed: Result<Result<Consumed, Stopped>, JoinError>) -> Result<Consumed, Stopped> {
    consumed.map_err(|source| {
        Error::new(ErrorKind::Internal, "the decoder stopped").with_source(source)
    })?
}

/// How the reader ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Done,
    Failed,
}

/// Waits for the consumer; after a failure or once cancelled, only as long as it takes one that is not held up.
async fn ended(
    cancel: &Cancel,
    mut consuming: JoinHandle<Result<Consumed, Stopped>>,
    reader: Reader,
) -> Result<Consumed, Stopped> {
    if reader == Reader::Done {
        tokio::select! {
            consumed = &mut consuming => return stopped(consumed),
            () = cancel.cancelled() => {}
        }
    }
    match tokio::time::timeout(FAREWELL, consuming).await {
        Ok(consumed) => stopped(consumed),
        Err(_) if reader == Reader::Done => Err(cancelled().into()),
        // What the reader says is the cause.
        Err(_) => Err(Stopped::Alone),
    }
}

/// The other side: decodes and writes.
struct Consumer {
    ctx: OpContext,
    job: PartJob,
    full: mpsc::Receiver<Option<CopyBuffer>>,
    empty: mpsc::Sender<CopyBuffer>,
}

impl Consumer {
    fn run(
        mut self,
        handle: &tokio::runtime::Handle,
        writer: Box<dyn PartWriter>,
    ) -> Result<Consumed, Stopped> {
        let mut stage = Stage::new(&self.job, writer);
        let (mut wire_bytes, mut rows_told) = (0, 0);
        while let Some(mut buffer) = self.full.blocking_recv().ok_or(Stopped::Alone)? {
            handle.block_on(stage.take(buffer.as_slice()))?;
            let bytes = buffer.len() as u64;
            wire_bytes += bytes;
            let rows = stage.rows() - rows_told;
            rows_told += rows;
            self.tell(rows, bytes);
            buffer.clear();
            buffer.shrink_to(BUFFER_BYTES);
            // The reader is gone after the last buffer.
            let _ = self.empty.blocking_send(buffer);
        }
        let consumed = handle.block_on(stage.finish(wire_bytes))?;
        self.tell(consumed.rows - rows_told, 0);
        Ok(consumed)
    }

    fn tell(&self, rows: u64, wire_bytes: u64) {
        self.job.progress.rows.fetch_add(rows, Ordering::Relaxed);
        self.job
            .progress
            .wire_bytes
            .fetch_add(wire_bytes, Ordering::Relaxed);
        let (table, part) = (self.job.header.table.clone(), self.job.header.part);
        self.ctx.emit(Event::Progress {
            table,
            part,
            rows,
            wire_bytes,
        });
    }
}

/// What happens to the bytes, by the form that the sink takes.
struct Stage {
    writer: Box<dyn PartWriter>,
    kind: StageKind,
}

enum StageKind {
    Batches(Box<Decoder>),
    Frames(FrameScanner, Fingerprinter),
    Csv(CsvCounter),
    JsonLines(JsonLines, Vec<u8>),
}

impl Stage {
    fn new(job: &PartJob, writer: Box<dyn PartWriter>) -> Self {
        let row_type = &job.header.row_type;
        let kind = match job.form {
            RowForm::Batches => StageKind::Batches(Box::new(Decoder::new(row_type, job.decode))),
            RowForm::Frames => StageKind::Frames(
                FrameScanner::new(row_type.columns.len()),
                Fingerprinter::new(row_type),
            ),
            RowForm::Csv => StageKind::Csv(CsvCounter::default()),
            RowForm::JsonLines => StageKind::JsonLines(JsonLines::default(), Vec::new()),
        };
        Self { writer, kind }
    }

    fn rows(&self) -> u64 {
        match &self.kind {
            StageKind::Batches(decoder) => decoder.rows(),
            StageKind::Frames(scanner, _) => scanner.rows(),
            // The header is no row.
            StageKind::Csv(counter) => counter.records().saturating_sub(1),
            StageKind::JsonLines(lines, _) => lines.rows(),
        }
    }

    async fn take(&mut self, bytes: &[u8]) -> Result<()> {
        match &mut self.kind {
            StageKind::Batches(decoder) => {
                let mut rest = bytes;
                while !rest.is_empty() {
                    let used = decoder.push(rest)?;
                    rest = &rest[used..];
                    if let Some(batch) = decoder.full_batch()? {
                        self.writer.write(Rows::Batch(batch)).await?;
                    }
                }
                Ok(())
            }
            StageKind::Frames(scanner, fingerprinter) => {
                scanner.push(bytes, fingerprinter)?;
                self.writer.write(Rows::Bytes(bytes)).await
            }
            StageKind::Csv(counter) => {
                counter.push(bytes);
                self.writer.write(Rows::Bytes(bytes)).await
            }
            StageKind::JsonLines(lines, text) => {
                text.clear();
                lines.push(bytes, text)?;
                self.writer.write(Rows::Bytes(text)).await
            }
        }
    }

    async fn finish(mut self, wire_bytes: u64) -> Result<Consumed> {
        let rows = self.rows();
        let (mut misfits, mut fingerprint) = (0, None);
        match self.kind {
            StageKind::Batches(decoder) => {
                let (last, summary) = decoder.finish()?;
                if let Some(batch) = last {
                    self.writer.write(Rows::Batch(batch)).await?;
                }
                (misfits, fingerprint) = (summary.misfits, Some(summary.fingerprint));
            }
            StageKind::Frames(scanner, fingerprinter) => {
                scanner.finish()?;
                fingerprint = Some(fingerprinter.fingerprint());
            }
            StageKind::Csv(..) | StageKind::JsonLines(..) => {}
        }
        let receipt = self.writer.finish().await?;
        Ok(Consumed {
            receipt,
            rows,
            wire_bytes,
            misfits,
            fingerprint,
        })
    }
}

/// Rows counted by us, by the server and by the writer must be the same.
fn check_counts(header: &PartHeader, server: u64, consumed: &Consumed) -> Result<()> {
    let written = consumed.receipt.rows.unwrap_or(consumed.rows);
    if server == consumed.rows && written == consumed.rows {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Damaged,
        format!(
            "part {} of \"{}\" has {} rows by our count, {server} by the server's and {written} in the file",
            header.part, header.table, consumed.rows
        ),
    ))
}
