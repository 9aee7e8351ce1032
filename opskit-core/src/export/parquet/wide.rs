//! Tables of many columns: batches gather, then one column after the other is encoded.
//!
//! The ordinary writer has an encoder per column at work, each with buffers and a compressor's memory of some hundred
//! kilobytes; a thousand of them break any bound. Here one column's encoder is at work at a time, at the price of
//! keeping the batches of a row group.

use super::write_error;
use crate::error::{Error, ErrorKind, Result};
use arrow::datatypes::{FieldRef, Schema, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::arrow_writer::{ArrowColumnWriter, ArrowRowGroupWriterFactory, compute_leaves};
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
    schema: SchemaRef,
    encoders: Encoders,
    batches: Vec<RecordBatch>,
    buffered_bytes: usize,
    limit_bytes: usize,
}

/// What makes the encoders of columns.
enum Encoders {
    /// Of each column alone, when its turn comes: from a file's schema of its own, with this column only.
    Alone(Vec<ArrowRowGroupWriterFactory>),
    /// Of all columns of a row group: encryption binds each to its place in the file. They wait with what they have
    /// from the beginning, about 80 kB each.
    Together(ArrowRowGroupWriterFactory),
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
        let properties = Arc::new(properties);
        let mut file =
            SerializedFileWriter::new(file, root, Arc::clone(&properties)).map_err(write_error)?;
        file.append_key_value_metadata(KeyValue::new(
            ARROW_SCHEMA_KEY.to_owned(),
            encode_arrow_schema(schema),
        ));
        Ok(Self {
            encoders: match properties.file_encryption_properties() {
                Some(_) => {
                    Encoders::Together(ArrowRowGroupWriterFactory::new(&file, Arc::clone(schema)))
                }
                None => Encoders::alone(schema, &properties)?,
            },
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
        let mut group = self.file.next_row_group().map_err(write_error)?;
        match &self.encoders {
            Encoders::Alone(columns) => {
                for (at, column) in columns.iter().enumerate() {
                    let mut own = column
                        .create_column_writers(0)
                        .map_err(write_error)?
                        .into_iter();
                    encode(&self.batches, at, &mut own, &mut group)?;
                }
            }
            Encoders::Together(all) => {
                let all = all.create_column_writers(number).map_err(write_error)?;
                let mut all = all.into_iter();
                for at in 0..self.schema.fields().len() {
                    encode(&self.batches, at, &mut all, &mut group)?;
                }
            }
        }
        group.close().map_err(write_error)?;
        self.batches.clear();
        self.buffered_bytes = 0;
        Ok(())
    }
}

impl Encoders {
    fn alone(schema: &SchemaRef, properties: &WriterPropertiesPtr) -> Result<Self> {
        let alone = |field: &FieldRef| {
            let schema = Arc::new(Schema::new(vec![Arc::clone(field)]));
            let root = ArrowSchemaConverter::new()
                .convert(&schema)
                .map_err(write_error)?
                .root_schema_ptr();
            let file = SerializedFileWriter::new(std::io::sink(), root, Arc::clone(properties))
                .map_err(write_error)?;
            Ok(ArrowRowGroupWriterFactory::new(&file, schema))
        };
        let columns: Result<Vec<_>> = schema.fields().iter().map(alone).collect();
        columns.map(Self::Alone)
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
