//! Tables of many columns: batches gather, then one column after the other is encoded.
//!
//! The ordinary writer keeps an encoder per column, each with buffers and a compressor's memory of some
//! hundred kilobytes; a thousand of them break any bound. Here one column's encoder lives at a time, at
//! the price of keeping the batches of a row group.

use super::write_error;
use crate::error::Result;
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::encode_arrow_schema;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{WriterProperties, WriterPropertiesPtr};
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use std::io::Write;
use std::sync::Arc;

/// The key under which readers of Arrow look for the schema (as `parquet` writes it).
const ARROW_SCHEMA_KEY: &str = "ARROW:schema";

pub(super) struct WideWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    columns: Vec<ColumnEncoder>,
    batches: Vec<RecordBatch>,
    buffered_bytes: usize,
    limit_bytes: usize,
}

/// What makes the encoders of one field: a file's schema of its own, with this field only.
struct ColumnEncoder {
    field: FieldRef,
    factory: ArrowRowGroupWriterFactory,
}

impl<W: Write + Send> WideWriter<W> {
    /// A writer that keeps about `limit_bytes` of batches.
    pub(super) fn new(
        file: W,
        schema: &SchemaRef,
        properties: WriterProperties,
        limit_bytes: usize,
    ) -> Result<Self> {
        let properties = Arc::new(properties);
        let root = ArrowSchemaConverter::new()
            .convert(schema)
            .map_err(write_error)?
            .root_schema_ptr();
        let mut file =
            SerializedFileWriter::new(file, root, Arc::clone(&properties)).map_err(write_error)?;
        file.append_key_value_metadata(KeyValue::new(
            ARROW_SCHEMA_KEY.to_owned(),
            encode_arrow_schema(schema),
        ));
        let columns: Result<Vec<_>> = schema
            .fields()
            .iter()
            .map(|field| ColumnEncoder::new(field, &properties))
            .collect();
        Ok(Self {
            file,
            columns: columns?,
            batches: Vec::new(),
            buffered_bytes: 0,
            limit_bytes,
        })
    }

    pub(super) fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        self.buffered_bytes += batch.get_array_memory_size();
        self.batches.push(batch.clone());
        if self.buffered_bytes >= self.limit_bytes {
            self.flush()
        } else {
            Ok(())
        }
    }

    /// Ends the file, with one more pair in its metadata.
    pub(super) fn finish(mut self, more: Option<KeyValue>) -> Result<W> {
        self.flush()?;
        if let Some(more) = more {
            self.file.append_key_value_metadata(more);
        }
        self.file.into_inner().map_err(write_error)
    }

    fn flush(&mut self) -> Result<()> {
        if self.batches.is_empty() {
            return Ok(());
        }
        let mut group = self.file.next_row_group().map_err(write_error)?;
        for (at, column) in self.columns.iter().enumerate() {
            column.encode(at, &self.batches, &mut group)?;
        }
        group.close().map_err(write_error)?;
        self.batches.clear();
        self.buffered_bytes = 0;
        Ok(())
    }
}

impl ColumnEncoder {
    fn new(field: &FieldRef, properties: &WriterPropertiesPtr) -> Result<Self> {
        let schema = Arc::new(Schema::new(vec![Arc::clone(field)]));
        let root = ArrowSchemaConverter::new()
            .convert(&schema)
            .map_err(write_error)?
            .root_schema_ptr();
        let alone = SerializedFileWriter::new(std::io::sink(), root, Arc::clone(properties))
            .map_err(write_error)?;
        Ok(Self {
            field: Arc::clone(field),
            factory: ArrowRowGroupWriterFactory::new(&alone, schema),
        })
    }

    /// Encodes the field's column of all batches into the row group.
    fn encode<W: Write + Send>(
        &self,
        at: usize,
        batches: &[RecordBatch],
        group: &mut SerializedRowGroupWriter<'_, W>,
    ) -> Result<()> {
        let mut leaves = self.factory.create_column_writers(0).map_err(write_error)?;
        for batch in batches {
            let values = compute_leaves(&self.field, batch.column(at)).map_err(write_error)?;
            for (leaf, values) in leaves.iter_mut().zip(&values) {
                leaf.write(values).map_err(write_error)?;
            }
        }
        for leaf in leaves {
            let chunk = leaf.close().map_err(write_error)?;
            chunk.append_to_row_group(group).map_err(write_error)?;
        }
        Ok(())
    }
}
