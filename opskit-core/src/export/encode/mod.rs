//! From Arrow batches back to frames, with the OIDs of the database they are for.

mod column;
mod nested;

use super::frames::TRAILER;
use super::{ExactBatch, ExactValue};
use crate::error::{Error, ErrorKind, Result};
use crate::pgtype::RowType;
use arrow::array::Array as _;
use column::{ColumnEncoder, encoder};
use std::iter::Peekable;

/// Encodes batches as the stream of `COPY … FROM STDIN (FORMAT binary)`: the inverse of
/// [`Decoder`](super::Decoder), bit for bit.
///
/// ```
/// use opskit_core::export::RowEncoder;
/// use opskit_core::pgtype::RowType;
/// let mut out = Vec::new();
/// let encoder = RowEncoder::new(RowType::default());
/// encoder.start(&mut out);
/// encoder.end(&mut out);
/// assert_eq!(out.len(), 19 + 2);
/// ```
#[derive(Debug)]
pub struct RowEncoder {
    row_type: RowType,
    rows: u64,
}

impl RowEncoder {
    /// An encoder for rows of this type; its OIDs are written.
    #[must_use]
    pub fn new(row_type: RowType) -> Self {
        Self { row_type, rows: 0 }
    }

    /// Appends what stands before the first row.
    pub fn start(&self, out: &mut Vec<u8>) {
        out.extend(b"PGCOPY\n\xff\r\n\0");
        out.extend([0; 8]);
    }

    /// Appends what stands after the last row.
    pub fn end(&self, out: &mut Vec<u8>) {
        out.extend(TRAILER);
    }

    /// Appends the rows of a batch. Batches must come in the order in which they were decoded.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] when the batch does not have the columns of the row type, or a value does
    /// not have the form of its type.
    pub fn encode(&mut self, exact: &ExactBatch, out: &mut Vec<u8>) -> Result<()> {
        let columns = self.columns(exact)?;
        let mut aside: Vec<&ExactValue> = exact.exact.iter().collect();
        aside.sort_unstable_by_key(|value| (value.row, value.column));
        let mut aside = aside.into_iter().peekable();
        let count = (columns.len() as i16).to_be_bytes();
        for row in 0..exact.batch.num_rows() {
            out.extend_from_slice(&count);
            let place = self.rows + row as u64;
            if aside.peek().is_some_and(|value| value.row == place) {
                self.row_with_exact(&columns, exact, row, &mut aside, out)?;
                continue;
            }
            for (at, column) in columns.iter().enumerate() {
                column.write(row, out).map_err(|_| self.malformed(at))?;
            }
        }
        self.rows += exact.batch.num_rows() as u64;
        match aside.next() {
            None => Ok(()),
            Some(_) => Err(damaged(
                "the side file has a value for a place that does not exist",
            )),
        }
    }

    /// Appends the fields of a row some of whose values stand aside.
    fn row_with_exact<'a>(
        &self,
        columns: &[Box<dyn ColumnEncoder>],
        exact: &ExactBatch,
        row: usize,
        aside: &mut Peekable<impl Iterator<Item = &'a ExactValue>>,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        for (at, column) in columns.iter().enumerate() {
            let place = (self.rows + row as u64, at as u16);
            let value = aside.next_if(|value| (value.row, value.column) == place);
            let Some(value) = value else {
                column.write(row, out).map_err(|_| self.malformed(at))?;
                continue;
            };
            if exact.batch.column(at).is_valid(row) {
                return Err(damaged(
                    "the side file has a value for a place that holds one already",
                ));
            }
            out.extend_from_slice(&(value.bytes.len() as i32).to_be_bytes());
            out.extend_from_slice(&value.bytes);
        }
        Ok(())
    }

    fn malformed(&self, column: usize) -> Error {
        let name = &self.row_type.columns[column].name;
        damaged(&format!(
            "a value of column \"{name}\" does not have the form of its type"
        ))
    }

    fn columns(&self, exact: &ExactBatch) -> Result<Vec<Box<dyn ColumnEncoder>>> {
        if exact.batch.schema_ref().fields() != self.row_type.arrow_schema().fields() {
            return Err(damaged(
                "the file does not have the columns that its row type tells",
            ));
        }
        let columns = self.row_type.columns.iter().zip(exact.batch.columns());
        let encoders: Option<Vec<_>> = columns
            .map(|(column, array)| encoder(&column.node, array))
            .collect();
        encoders
            .ok_or_else(|| damaged("the file does not have the columns that its row type tells"))
    }
}

fn damaged(message: &str) -> Error {
    Error::new(ErrorKind::Damaged, message)
}
