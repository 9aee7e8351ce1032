//! Tables of many columns: batches gather, then one column after the other is encoded.
//!
//! The ordinary writer has an encoder per column at work, each with buffers and a compressor's memory of some hundred
//! kilobytes; a thousand of them break any bound. Here one column's encoder is at work at a time, at the price of
//! keeping the batches of a row group.

use super::write_error;
use crate::error::{Error, ErrorKind, Result};
use arrow::datatypes::SchemaRef;
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
use parquet::arrow::encode_arrow_schema;
use parquet::file::metadata::KeyValue;
use parquet::file::properties::WriterProperties;
use parquet::file::writer::{SerializedFileWriter, SerializedRowGroupWriter};
use std::io::Write;
use std::sync::Arc;

/// The key under which readers of Arrow look for the schema (as `parquet` writes it).
const ARROW_SCHEMA_KEY: &str = "ARROW:schema";

pub(super) struct WideWriter<W: Write + Send> {
    file: SerializedFileWriter<W>,
    schema: SchemaRef,
    encoders: ArrowRowGroupWriterFactory,
    batches: Vec<RecordBatch>,
    buffered_bytes: usize,
    limit_bytes: usize,
}

impl<W: Write + Send> WideWriter<W> {
    /// A writer that keeps about `limit_bytes` of batches.
    pub(super) fn new(
        file: W,
        schema: &SchemaRef,
        properties: WriterProperties,
        limit_bytes: usize,
    ) -> Result<Self> {
        let root = ArrowSchemaConverter::new()
            .convert(schema)
            .map_err(write_error)?
            .root_schema_ptr();
        let mut file =
            SerializedFileWriter::new(file, root, Arc::new(properties)).map_err(write_error)?;
        file.append_key_value_metadata(KeyValue::new(
            ARROW_SCHEMA_KEY.to_owned(),
            encode_arrow_schema(schema),
        ));
        Ok(Self {
            encoders: ArrowRowGroupWriterFactory::new(&file, Arc::clone(schema)),
            file,
            schema: Arc::clone(schema),
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
        let number = self.file.flushed_row_groups().len();
        let encoders = self.encoders.create_column_writers(number);
        let mut encoders = encoders.map_err(write_error)?.into_iter();
        let mut group = self.file.next_row_group().map_err(write_error)?;
        for at in 0..self.schema.fields().len() {
            encode(&self.batches, at, &mut encoders, &mut group)?;
        }
        group.close().map_err(write_error)?;
        self.batches.clear();
        self.buffered_bytes = 0;
        Ok(())
    }
}

/// Encodes a column of all batches into the row group; it has as many encoders as leaves.
fn encode<W: Write + Send>(
    batches: &[RecordBatch],
    at: usize,
    encoders: &mut impl Iterator<Item = ArrowColumnWriter>,
    group: &mut SerializedRowGroupWriter<'_, W>,
) -> Result<()> {
    let mut own: Vec<ArrowColumnWriter> = Vec::new();
    for batch in batches {
        let schema = batch.schema_ref();
        let leaves = compute_leaves(schema.field(at), batch.column(at)).map_err(write_error)?;
        if own.is_empty() {
            own.extend(encoders.take(leaves.len()));
        }
        if own.len() != leaves.len() {
            return Err(Error::new(
                ErrorKind::Internal,
                "a column has no encoder for each of its leaves",
            ));
        }
        for (encoder, leaf) in own.iter_mut().zip(&leaves) {
            encoder.write(leaf).map_err(write_error)?;
        }
    }
    for encoder in own {
        let chunk = encoder.close().map_err(write_error)?;
        chunk.append_to_row_group(group).map_err(write_error)?;
    }
    Ok(())
}
