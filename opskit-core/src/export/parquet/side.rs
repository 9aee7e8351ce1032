//! The side file: values that have no standard form, bit for bit.

use super::size::batch_rows;
use super::{PAIR_KEY, ParquetKey, VERSION, VERSION_KEY, guarded, read_error, value, write_error};
use crate::error::{Error, ErrorKind, Result};
use crate::export::ExactValue;
use crate::name::random_hex;
use arrow::array::{ArrayRef, AsArray, BinaryBuilder, Int16Builder, Int64Builder};
use arrow::datatypes::{DataType, Field, Int16Type, Int64Type, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{
    ArrowReaderOptions, ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder,
};
use parquet::basic::{Compression, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::reader::ChunkReader;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

fn schema() -> SchemaRef {
    Arc::new(Schema::new(vec![
        Field::new("row", DataType::Int64, false),
        Field::new("column", DataType::Int16, false),
        Field::new("value", DataType::Binary, false),
    ]))
}

/// Writes a side file.
pub struct SideWriter<W: Write + Send> {
    writer: ArrowWriter<W>,
    schema: SchemaRef,
    pair: String,
}

impl<W: Write + Send> fmt::Debug for SideWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SideWriter").finish_non_exhaustive()
    }
}

impl<W: Write + Send> SideWriter<W> {
    /// Starts the file.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the file below cannot be written.
    pub fn new(file: W) -> Result<Self> {
        Self::with_key(file, None)
    }

    /// The same; encrypts the file, where there is a key.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn with_key(file: W, key: Option<&ParquetKey>) -> Result<Self> {
        let schema = schema();
        let pair = random_hex();
        let mut builder = WriterProperties::builder()
            .set_compression(Compression::ZSTD(ZstdLevel::default()))
            .set_created_by(concat!("opskit ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_dictionary_enabled(false)
            .set_key_value_metadata(Some(vec![
                KeyValue::new(VERSION_KEY.to_owned(), VERSION.to_owned()),
                KeyValue::new(PAIR_KEY.to_owned(), pair.clone()),
            ]));
        if let Some(key) = key {
            builder = builder.with_file_encryption_properties(key.encryption()?);
        }
        let properties = Some(builder.build());
        let writer =
            ArrowWriter::try_new(file, Arc::clone(&schema), properties).map_err(write_error)?;
        Ok(Self {
            writer,
            schema,
            pair,
        })
    }

    /// What the main file must name, by [`ParquetWriter::pair_with`](super::ParquetWriter::pair_with).
    #[must_use]
    pub fn pair(&self) -> &str {
        &self.pair
    }

    /// Appends the values of one batch. Batches must come in order of their rows.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn write(&mut self, values: &[ExactValue]) -> Result<()> {
        let mut sorted: Vec<&ExactValue> = values.iter().collect();
        sorted.sort_unstable_by_key(|value| (value.row, value.column));
        let (mut rows, mut columns, mut bytes) = (
            Int64Builder::new(),
            Int16Builder::new(),
            BinaryBuilder::new(),
        );
        for value in sorted {
            rows.append_value(value.row as i64);
            columns.append_value(value.column as i16);
            bytes.append_value(&value.bytes);
        }
        let arrays: Vec<ArrayRef> = vec![
            Arc::new(rows.finish()),
            Arc::new(columns.finish()),
            Arc::new(bytes.finish()),
        ];
        let batch = RecordBatch::try_new(Arc::clone(&self.schema), arrays).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot build the side file").with_source(source)
        })?;
        self.writer.write(&batch).map_err(write_error)?;
        if self.writer.memory_size() >= 16 << 20 {
            self.writer.flush().map_err(write_error)?;
        }
        Ok(())
    }

    /// Ends the file.
    ///
    /// # Errors
    /// As [`Self::new`].
    pub fn finish(self) -> Result<W> {
        self.writer.into_inner().map_err(write_error)
    }
}

/// Reads a side file in order of its rows.
pub(super) struct SideReader {
    pair: String,
    batches: ParquetRecordBatchReader,
    waiting: std::vec::IntoIter<ExactValue>,
    next: Option<ExactValue>,
    last: Option<(u64, u16)>,
}

impl SideReader {
    pub(super) fn new<R: ChunkReader + 'static>(
        file: R,
        options: ArrowReaderOptions,
    ) -> Result<Self> {
        let opened = ParquetRecordBatchReaderBuilder::try_new_with_options;
        let builder = guarded(|| opened(file, options).map_err(read_error))?;
        if builder.schema().fields() != schema().fields() {
            return Err(damaged("does not have the columns of a side file"));
        }
        let pairs = builder.metadata().file_metadata().key_value_metadata();
        let pair = pairs.and_then(|pairs| value(pairs, PAIR_KEY));
        let pair = pair.ok_or_else(|| damaged("does not tell what it belongs to"))?;
        let pair = pair.to_owned();
        let batch_rows = batch_rows(builder.metadata().row_groups());
        let batches = guarded(|| {
            builder
                .with_batch_size(batch_rows)
                .build()
                .map_err(read_error)
        })?;
        let mut reader = Self {
            pair,
            batches,
            waiting: Vec::new().into_iter(),
            next: None,
            last: None,
        };
        reader.advance()?;
        Ok(reader)
    }

    pub(super) fn pair(&self) -> &str {
        &self.pair
    }

    /// The values of rows before `end`, in order.
    pub(super) fn until(&mut self, end: u64) -> Result<Vec<ExactValue>> {
        let mut values = Vec::new();
        while let Some(value) = self.next.take_if(|value| value.row < end) {
            values.push(value);
            self.advance()?;
        }
        Ok(values)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.next.is_none()
    }

    fn advance(&mut self) -> Result<()> {
        while self.waiting.len() == 0 {
            match guarded(|| self.batches.next().transpose().map_err(read_error))? {
                Some(batch) => self.waiting = values(&batch)?.into_iter(),
                None => return Ok(()),
            }
        }
        self.next = self.waiting.next();
        let place = self.next.as_ref().map(|value| (value.row, value.column));
        if place <= self.last {
            return Err(damaged("is not in order"));
        }
        self.last = place;
        Ok(())
    }
}

fn values(batch: &RecordBatch) -> Result<Vec<ExactValue>> {
    let rows = batch.column(0).as_primitive::<Int64Type>();
    let columns = batch.column(1).as_primitive::<Int16Type>();
    let bytes = batch.column(2).as_binary::<i32>();
    (0..batch.num_rows())
        .map(|at| {
            let row = u64::try_from(rows.value(at))
                .map_err(|_| damaged("names a row before the first"))?;
            let column = u16::try_from(columns.value(at))
                .map_err(|_| damaged("names a column before the first"))?;
            Ok(ExactValue {
                row,
                column,
                bytes: bytes.value(at).into(),
            })
        })
        .collect()
}

fn damaged(what: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("the side file {what}"))
}
