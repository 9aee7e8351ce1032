//! From frames to Arrow batches, with no I/O: give it bytes, take batches.

mod column;
mod decimal;
mod fixed;
mod footprint;
mod list;
mod nested;
mod pair;
mod text;

use super::fingerprint::{Fingerprint, Fingerprinter};
use super::frames::{Block, FrameScanner, RowVisitor};
use super::{ExactBatch, ExactValue, Exactness};
use crate::error::{Error, ErrorKind, Result};
use crate::pgtype::RowType;
use arrow::array::{ArrayRef, Int64Array};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use column::ColumnDecoder;
use footprint::RowFootprint;
use std::sync::Arc;

/// A batch, and a row, at most: two of them still have offsets of 31 bits.
const BYTES_MAX: usize = 1 << 30;

/// How large a batch may grow, and what to do with values that have no standard form.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub struct DecodeOptions {
    /// Rows per batch at most. Default 65,536.
    pub batch_rows: usize,
    /// Bytes per batch at most, received or decoded, one row aside; it may take twice of that when
    /// decoding adds to what was received. At most 1 GiB, default 2 MiB: what is decoded is encoded
    /// while the second-level cache still has it, and the server is not kept waiting for long.
    pub batch_bytes: usize,
    /// What to do with values that have no standard form. Default: keep them aside.
    pub exactness: Exactness,
}

impl Default for DecodeOptions {
    fn default() -> Self {
        Self {
            batch_rows: 65_536,
            batch_bytes: 2 << 20,
            exactness: Exactness::Exact,
        }
    }
}

impl DecodeOptions {
    /// Sets the bounds of a batch.
    #[must_use]
    pub fn with_batch(mut self, rows: usize, bytes: usize) -> Self {
        self.batch_rows = rows.max(1);
        self.batch_bytes = bytes.max(1);
        self
    }

    /// Sets what to do with values that have no standard form.
    #[must_use]
    pub fn with_exactness(mut self, exactness: Exactness) -> Self {
        self.exactness = exactness;
        self
    }
}

/// What a decoder saw in all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DecodeSummary {
    /// Rows.
    pub rows: u64,
    /// Values that had no standard form.
    pub misfits: u64,
    /// The fingerprint of all rows.
    pub fingerprint: Fingerprint,
}

/// Decodes the stream of one `COPY … (FORMAT binary)`, cut anywhere, into batches.
///
/// ```
/// use opskit_core::export::{DecodeOptions, Decoder};
/// use opskit_core::pgtype::RowType;
///
/// // A table without columns, two rows: header, two field counts of zero, trailer.
/// let mut stream = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0".to_vec();
/// stream.extend([0, 0, 0, 0, 0xff, 0xff]);
///
/// let mut decoder = Decoder::new(&RowType::default(), DecodeOptions::default());
/// let mut rest = &stream[..];
/// while !rest.is_empty() {
///     let used = decoder.push(rest)?;
///     rest = &rest[used..];
///     if let Some(batch) = decoder.full_batch()? {
///         println!("{} rows", batch.batch.num_rows());
///     }
/// }
/// let (last, summary) = decoder.finish()?;
/// assert_eq!(last.unwrap().batch.num_rows(), 2);
/// assert_eq!(summary.rows, 2);
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Decoder {
    scanner: FrameScanner,
    batch: BatchBuilder,
}

/// The batch that is growing.
#[derive(Debug)]
struct BatchBuilder {
    schema: SchemaRef,
    names: Vec<String>,
    columns: Vec<Box<dyn ColumnDecoder>>,
    options: DecodeOptions,
    fingerprinter: Fingerprinter,
    footprint: RowFootprint,
    rows: usize,
    bytes: usize,
    /// What the block that is to be visited next adds to `bytes`.
    block_bytes: usize,
    rows_before: u64,
    exact: Vec<ExactValue>,
    misfits: u64,
    scratch: Vec<u32>,
}

impl Decoder {
    /// A decoder for rows of this type.
    #[must_use]
    pub fn new(row_type: &RowType, options: DecodeOptions) -> Self {
        Self {
            scanner: FrameScanner::new(row_type.columns.len()),
            batch: BatchBuilder {
                schema: row_type.arrow_schema(),
                names: row_type
                    .columns
                    .iter()
                    .map(|column| column.name.clone())
                    .collect(),
                columns: row_type
                    .columns
                    .iter()
                    .map(|column| column::decoder(&column.node))
                    .collect(),
                options,
                fingerprinter: Fingerprinter::new(row_type),
                footprint: RowFootprint::new(row_type),
                rows: 0,
                bytes: 0,
                block_bytes: 0,
                rows_before: 0,
                exact: Vec::new(),
                misfits: 0,
                scratch: Vec::new(),
            },
        }
    }

    /// Takes bytes until a batch is full or they are used up, and returns how many it took. Give the
    /// rest again after [`Self::full_batch`].
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] when the bytes are not such a stream, [`ErrorKind::CheckFailed`] for the
    /// first value without a standard form in strict mode.
    pub fn push(&mut self, data: &[u8]) -> Result<usize> {
        self.scanner.push(data, &mut self.batch)
    }

    /// The batch, once it is full.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when Arrow refuses the columns.
    pub fn full_batch(&mut self) -> Result<Option<ExactBatch>> {
        if self.batch.is_full() {
            self.batch.take().map(Some)
        } else {
            Ok(None)
        }
    }

    /// Rows so far.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.scanner.rows()
    }

    /// Ends the stream: the last batch, if there are rows left, and the totals.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] when the stream ends before its trailer.
    pub fn finish(mut self) -> Result<(Option<ExactBatch>, DecodeSummary)> {
        self.scanner.finish()?;
        let last = if self.batch.rows > 0 {
            Some(self.batch.take()?)
        } else {
            None
        };
        let summary = DecodeSummary {
            rows: self.scanner.rows(),
            misfits: self.batch.misfits,
            fingerprint: self.batch.fingerprinter.fingerprint(),
        };
        Ok((last, summary))
    }
}

impl RowVisitor for BatchBuilder {
    fn rows_to_take(&mut self, block: &Block<'_>) -> Result<usize> {
        let room = self.batch_bytes().saturating_sub(self.bytes);
        if let Some(fixed) = self.footprint.fixed() {
            self.block_bytes = block.bytes_of(block.rows).max(fixed * block.rows);
            if self.block_bytes <= room {
                return Ok(block.rows);
            }
        }
        let mut decoded = 0;
        for row in 0..block.rows {
            decoded += self.footprint.of(block, row);
            let bytes = decoded.max(block.bytes_of(row + 1));
            if row == 0 && bytes > BYTES_MAX {
                return Err(too_large());
            }
            if row > 0 && bytes > room {
                return Ok(row);
            }
            self.block_bytes = bytes;
        }
        Ok(block.rows)
    }

    fn visit(&mut self, block: &Block<'_>) -> Result<()> {
        self.fingerprinter.visit(block)?;
        for at in 0..self.columns.len() {
            let cells = block.column(at);
            self.scratch.clear();
            self.columns[at]
                .append(block.data, cells, &mut self.scratch)
                .map_err(|_| {
                    Error::new(
                        ErrorKind::Damaged,
                        format!(
                            "a value of column \"{}\" is not what its type sends",
                            self.names[at]
                        ),
                    )
                    .with_hint("If the table was altered while it was read, run it again.")
                })?;
            if !self.scratch.is_empty() {
                self.keep_misfits(at, block)?;
            }
        }
        self.rows += block.rows;
        self.bytes += self.block_bytes;
        Ok(())
    }

    fn is_full(&self) -> bool {
        self.rows >= self.options.batch_rows || self.bytes >= self.batch_bytes()
    }
}

fn too_large() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "a row takes more than 1 GiB when it is decoded",
    )
    .with_hint("Export this table in the pgcopy format, which keeps rows as the server sends them.")
}

impl BatchBuilder {
    fn batch_bytes(&self) -> usize {
        self.options.batch_bytes.min(BYTES_MAX)
    }

    fn keep_misfits(&mut self, at: usize, block: &Block<'_>) -> Result<()> {
        if self.options.exactness == Exactness::Strict {
            return Err(Error::new(
                ErrorKind::CheckFailed,
                format!("column \"{}\" has a value with no standard Arrow form", self.names[at]),
            )
            .with_hint("Use the exact mode, which keeps such values beside the file, or the interop mode, which drops and counts them."));
        }
        self.misfits += self.scratch.len() as u64;
        if self.options.exactness == Exactness::Exact {
            let cells = block.column(at);
            for row in &self.scratch {
                let bytes = cells[*row as usize].bytes(block.data).unwrap_or_default();
                self.bytes += size_of::<ExactValue>() + bytes.len();
                self.exact.push(ExactValue {
                    row: self.rows_before + self.rows as u64 + u64::from(*row),
                    column: at as u16,
                    bytes: bytes.into(),
                });
            }
        }
        Ok(())
    }

    fn take(&mut self) -> Result<ExactBatch> {
        let columns: Vec<ArrayRef> = if self.columns.is_empty() {
            let first = self.rows_before as i64;
            vec![Arc::new(Int64Array::from_iter_values(
                first..first + self.rows as i64,
            ))]
        } else {
            self.columns
                .iter_mut()
                .map(|column| column.finish())
                .collect()
        };
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), columns).map_err(|source| {
            Error::new(
                ErrorKind::Internal,
                "the decoded columns do not make a batch",
            )
            .with_source(source)
        })?;
        self.rows_before += self.rows as u64;
        (self.rows, self.bytes) = (0, 0);
        Ok(ExactBatch {
            batch,
            exact: std::mem::take(&mut self.exact),
        })
    }
}
