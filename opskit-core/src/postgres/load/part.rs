//! One part: read and re-encoded on a thread, sent on a task.

use super::table::LoadTable;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::export::parquet::ParquetPart;
use crate::export::{ColumnMap, FrameReloader, Reloader};
use crate::postgres::wire::{CopyIn, WireConnection};
use std::fmt;
use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::mpsc;

/// A buffer goes to the sender once it holds this much.
const FILL_BYTES: usize = 1 << 20;
/// Buffers between reader and sender.
const BUFFERS: usize = 2;

/// The rows of a stored part.
pub enum PartRows {
    /// Parquet, with its side file.
    Parquet(Box<ParquetPart>),
    /// The frames of `COPY … (FORMAT binary)`, as they were read.
    Frames(Box<dyn Read + Send>),
}

impl fmt::Debug for PartRows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Parquet(_) => "Parquet",
            Self::Frames(_) => "Frames",
        })
    }
}

/// The transaction that the rows of a part belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transaction {
    /// One of their own.
    Own,
    /// One of their own, which empties the table first: its rows can then be written frozen.
    Truncating,
    /// The caller's, which is open.
    Callers,
    /// The caller's, which emptied the table ([`LoadTable::empty`]): rows can be written frozen.
    Emptied,
}

impl Transaction {
    fn is_callers(self) -> bool {
        matches!(self, Self::Callers | Self::Emptied)
    }
}

/// What is loaded, and what must come out.
#[derive(Debug, Clone)]
pub struct PartJob {
    /// The part's number within its table, for events.
    pub part: u32,
    /// The columns.
    pub map: ColumnMap,
    /// How many rows there must be.
    pub rows: u64,
    /// The transaction.
    pub transaction: Transaction,
    /// Is set once the rows are about to be committed: from then on nobody knows, when the connection is
    /// lost, whether they were.
    pub committing: Arc<AtomicBool>,
}

/// Loads a part and returns the connection.
///
/// The rows are committed only when as many were read and loaded as `job` says.
///
/// # Errors
/// Of kind `Damaged` when the part cannot be read or counts differ, `InvalidInput` when the table
/// refuses a row, `PermissionDenied`, `Connection`, `Cancelled`. The connection is closed then, and
/// nothing is loaded.
pub async fn load_part(
    ctx: &OpContext,
    mut connection: WireConnection,
    table: &LoadTable,
    job: &PartJob,
    rows: PartRows,
) -> Result<WireConnection> {
    let statements = table.statements(&job.map, job.transaction);
    if !job.transaction.is_callers() {
        connection.execute("BEGIN").await?;
    }
    if job.transaction == Transaction::Truncating {
        table.empty(&mut connection).await?;
    }
    if let Some(before) = &statements.before {
        connection.query_one(before).await?;
    }
    let copy = connection.copy_in(&statements.copy).await?;
    let (mut connection, read, mut loaded) = stream(ctx, copy, table, job, rows).await?;
    if let Some(after) = &statements.after {
        let moved = connection.query_one(after).await?;
        loaded = moved
            .tag
            .rsplit(' ')
            .next()
            .and_then(|rows| rows.parse().ok())
            .unwrap_or_default();
        if job.transaction.is_callers() {
            connection
                .execute("DROP TABLE pg_temp.opskit_stage")
                .await?;
        }
    }
    if read != job.rows || loaded != job.rows {
        return Err(Error::new(
            ErrorKind::Damaged,
            format!(
                "part {} of \"{}\" must have {} rows; {read} were read and {loaded} loaded",
                job.part,
                table.name(),
                job.rows
            ),
        ));
    }
    if !job.transaction.is_callers() {
        job.committing.store(true, Ordering::Relaxed);
        connection.execute("COMMIT").await?;
    }
    Ok(connection)
}

/// Moves all rows; returns how many were read, and how many the server counted.
async fn stream(
    ctx: &OpContext,
    mut copy: CopyIn,
    table: &LoadTable,
    job: &PartJob,
    rows: PartRows,
) -> Result<(WireConnection, u64, u64)> {
    let (full_in, mut full_out) = mpsc::channel(BUFFERS);
    let (empty_in, empty_out) = mpsc::channel(BUFFERS + 1);
    let reader = Reader {
        full: full_in,
        empty: empty_out,
        buffer: Vec::new(),
    };
    let map = job.map.clone();
    let reading = tokio::task::spawn_blocking(move || reader.run(map, rows));
    let sending = async {
        while let Some(Piece { mut bytes, rows }) = full_out.recv().await {
            copy.write(&bytes).await?;
            ctx.emit(Event::Progress {
                table: table.name().clone(),
                part: job.part,
                rows,
                wire_bytes: bytes.len() as u64,
            });
            bytes.clear();
            bytes.shrink_to(2 * FILL_BYTES);
            // The reader is gone after the last one.
            let _ = empty_in.try_send(bytes);
        }
        Ok(())
    };
    let sent: Result<()> = sending.await;
    drop(full_out);
    drop(empty_in);
    let read = reading.await.map_err(|source| {
        Error::new(ErrorKind::Internal, "the reader of a part stopped").with_source(source)
    })?;
    // A sender that failed leaves the reader alone, which then has nothing to say.
    sent?;
    let read = read?.ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "the reader and the sender of a part lost each other",
        )
    })?;
    let (connection, loaded) = copy.finish().await?;
    Ok((connection, read, loaded))
}

/// Some bytes to send, and the rows that they add.
struct Piece {
    bytes: Vec<u8>,
    rows: u64,
}

/// The thread's side.
struct Reader {
    full: mpsc::Sender<Piece>,
    empty: mpsc::Receiver<Vec<u8>>,
    buffer: Vec<u8>,
}

impl Reader {
    /// The number of rows, or `None` when the sender is gone.
    fn run(mut self, map: ColumnMap, rows: PartRows) -> Result<Option<u64>> {
        match rows {
            PartRows::Parquet(part) => self.parquet(Reloader::new(map), *part),
            PartRows::Frames(file) => self.frames(FrameReloader::new(map), file),
        }
    }

    fn parquet(&mut self, mut reloader: Reloader, part: ParquetPart) -> Result<Option<u64>> {
        reloader.start(&mut self.buffer);
        let mut told = 0;
        for batch in part {
            reloader.push(batch?, &mut self.buffer)?;
            if self.buffer.len() >= FILL_BYTES {
                if !self.pass_on(reloader.rows() - told) {
                    return Ok(None);
                }
                told = reloader.rows();
            }
        }
        reloader.end(&mut self.buffer);
        Ok(self
            .pass_on(reloader.rows() - told)
            .then(|| reloader.rows()))
    }

    fn frames(
        &mut self,
        mut reloader: FrameReloader,
        mut file: Box<dyn Read + Send>,
    ) -> Result<Option<u64>> {
        reloader.start(&mut self.buffer);
        let mut bytes = vec![0; 256 << 10];
        let mut told = 0;
        loop {
            let read = file.read(&mut bytes).map_err(|source| {
                Error::new(ErrorKind::Damaged, "the stored frames cannot be read")
                    .with_source(source)
            })?;
            if read == 0 {
                break;
            }
            reloader.push(&bytes[..read], &mut self.buffer)?;
            if self.buffer.len() >= FILL_BYTES {
                if !self.pass_on(reloader.rows() - told) {
                    return Ok(None);
                }
                told = reloader.rows();
            }
        }
        let rows = reloader.finish(&mut self.buffer)?;
        Ok(self.pass_on(rows - told).then_some(rows))
    }

    /// Gives the buffer to the sender and takes an empty one.
    fn pass_on(&mut self, rows: u64) -> bool {
        let bytes = std::mem::take(&mut self.buffer);
        let passed = self.full.blocking_send(Piece { bytes, rows }).is_ok();
        self.buffer = self.empty.try_recv().unwrap_or_default();
        passed
    }
}
