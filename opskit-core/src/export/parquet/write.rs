//! Batches into a Parquet file, in bounded memory.

use super::wide::WideWriter;
use super::{
    EXACT_KEY, EXACT_NONE, EXACT_SIDECAR, PAIR_KEY, ParquetKey, ROW_TYPE_KEY, VERSION, VERSION_KEY,
    dictionary, write_error,
};
use crate::error::{Error, ErrorKind, Result};
use crate::export::Exactness;
use crate::pgtype::RowType;
use arrow::datatypes::{DataType, SchemaRef};
use arrow::record_batch::RecordBatch;
use parquet::arrow::ArrowSchemaConverter;
use parquet::arrow::ArrowWriter;
use parquet::basic::{Compression, Encoding, ZstdLevel};
use parquet::file::metadata::KeyValue;
use parquet::file::properties::{EnabledStatistics, WriterProperties, WriterPropertiesBuilder};
use parquet::schema::types::ColumnPath;
use std::fmt;
use std::io::Write;
use std::sync::Arc;

/// From this many columns on, what each of them keeps for itself counts.
const MANY_COLUMNS: usize = 128;
/// A page at most: it is built, compressed and written while the second-level cache has it.
const PAGE_BYTES: usize = 256 << 10;
/// A dictionary at most.
const DICTIONARY_BYTES: usize = 1 << 20;

/// How many times larger than in the file a row group may be in memory: a reader that takes it whole must
/// have room for it.
const DECODED_FACTOR: usize = 4;

/// How a Parquet file is laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ParquetOptions {
    /// Zstandard level, 1 to 22; 0 for no compression. Default 1.
    pub zstd_level: i32,
    /// Rows per row group at most. Default 1,048,576.
    pub row_group_rows: usize,
    /// Bytes of a row group that is being written, at most, one batch aside. It bounds the memory of
    /// the writer. Default 48 MiB.
    pub row_group_bytes: usize,
    /// Whether values without a standard form stand in a side file.
    pub exactness: Exactness,
}

impl Default for ParquetOptions {
    fn default() -> Self {
        Self {
            zstd_level: 1,
            row_group_rows: 1 << 20,
            row_group_bytes: 48 << 20,
            exactness: Exactness::Exact,
        }
    }
}

impl ParquetOptions {
    /// Sets the Zstandard level; 0 for no compression.
    #[must_use]
    pub fn with_zstd_level(mut self, level: i32) -> Self {
        self.zstd_level = level;
        self
    }

    /// Sets the bound of a row group in bytes.
    #[must_use]
    pub fn with_row_group_bytes(mut self, bytes: usize) -> Self {
        self.row_group_bytes = bytes.max(1 << 20);
        self
    }

    /// Sets what the file says about values without a standard form.
    #[must_use]
    pub fn with_exactness(mut self, exactness: Exactness) -> Self {
        self.exactness = exactness;
        self
    }
}

/// Writes batches as one Parquet file.
///
/// ```
/// use opskit_core::export::parquet::{ParquetOptions, ParquetWriter};
/// use opskit_core::pgtype::RowType;
/// let writer = ParquetWriter::new(Vec::new(), &RowType::default(), ParquetOptions::default())?;
/// let (file, rows) = writer.finish()?;
/// assert_eq!(&file[..4], b"PAR1");
/// assert_eq!(rows, 0);
/// # Ok::<(), opskit_core::Error>(())
/// ```
pub struct ParquetWriter<W: Write + Send> {
    state: State<W>,
    schema: SchemaRef,
    row_type: RowType,
    options: ParquetOptions,
    rows: u64,
    /// What was written into the row group, as it was in memory.
    group_bytes: usize,
    pair: Option<KeyValue>,
    key: Option<ParquetKey>,
}

/// Dictionaries are chosen by looking at the first batch.
enum State<W: Write + Send> {
    Waiting(W),
    Open(Box<ArrowWriter<W>>),
    Wide(Box<WideWriter<W>>),
    Failed,
}

impl<W: Write + Send> fmt::Debug for ParquetWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetWriter")
            .field("options", &self.options)
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl<W: Write + Send> ParquetWriter<W> {
    /// A writer for rows of this type.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a compression level that does not exist.
    pub fn new(file: W, row_type: &RowType, options: ParquetOptions) -> Result<Self> {
        compression(options.zstd_level)?;
        Ok(Self {
            state: State::Waiting(file),
            schema: row_type.arrow_schema(),
            row_type: row_type.clone(),
            options,
            rows: 0,
            group_bytes: 0,
            pair: None,
            key: None,
        })
    }

    /// Encrypts the file by this key. For a writer that has written nothing yet.
    #[must_use]
    pub fn with_key(mut self, key: Option<ParquetKey>) -> Self {
        self.key = key;
        self
    }

    /// Appends a batch.
    ///
    /// # Errors
    /// [`ErrorKind::Storage`] when the file below cannot be written; the writer is of no use then.
    pub fn write(&mut self, batch: &RecordBatch) -> Result<()> {
        let limit = self.options.row_group_bytes;
        self.open(Some(batch))?;
        match &mut self.state {
            State::Open(writer) => {
                writer.write(batch).map_err(write_error)?;
                self.group_bytes += batch.get_array_memory_size();
                let encoded = writer.in_progress_size().max(writer.memory_size());
                if encoded >= limit || self.group_bytes / DECODED_FACTOR >= limit {
                    writer.flush().map_err(write_error)?;
                    self.group_bytes = 0;
                }
            }
            State::Wide(writer) => writer.write(batch)?,
            State::Waiting(_) | State::Failed => return Err(failed()),
        }
        self.rows += batch.num_rows() as u64;
        Ok(())
    }

    /// Names the side file that belongs to this one, by its [`pair`](super::SideWriter::pair).
    pub fn pair_with(&mut self, pair: &str) {
        self.pair = Some(KeyValue::new(PAIR_KEY.to_owned(), pair.to_owned()));
    }

    /// Ends the file; gives back what it was written to, and the rows in it.
    ///
    /// # Errors
    /// As [`Self::write`].
    pub fn finish(mut self) -> Result<(W, u64)> {
        self.open(None)?;
        let file = match std::mem::replace(&mut self.state, State::Failed) {
            State::Open(mut writer) => {
                if let Some(pair) = self.pair {
                    writer.append_key_value_metadata(pair);
                }
                writer.into_inner().map_err(write_error)?
            }
            State::Wide(writer) => writer.finish(self.pair)?,
            State::Waiting(_) | State::Failed => return Err(failed()),
        };
        Ok((file, self.rows))
    }

    fn open(&mut self, first: Option<&RecordBatch>) -> Result<()> {
        if !matches!(self.state, State::Waiting(_)) {
            return Ok(());
        }
        let properties = self.properties(first)?;
        let State::Waiting(file) = std::mem::replace(&mut self.state, State::Failed) else {
            return Err(failed());
        };
        self.state = if self.schema.fields().len() > MANY_COLUMNS {
            // The encoded column and its buffers come on top of the batches.
            let limit = self.options.row_group_bytes / 2;
            State::Wide(Box::new(WideWriter::new(
                file,
                &self.schema,
                properties,
                limit,
            )?))
        } else {
            let writer = ArrowWriter::try_new(file, Arc::clone(&self.schema), Some(properties));
            State::Open(Box::new(writer.map_err(write_error)?))
        };
        Ok(())
    }

    fn properties(&self, first: Option<&RecordBatch>) -> Result<WriterProperties> {
        let descriptor = ArrowSchemaConverter::new()
            .convert(&self.schema)
            .map_err(write_error)?;
        let mut builder = WriterProperties::builder()
            .set_compression(compression(self.options.zstd_level)?)
            .set_created_by(concat!("opskit ", env!("CARGO_PKG_VERSION")).to_owned())
            .set_max_row_group_row_count(Some(self.options.row_group_rows))
            .set_data_page_size_limit(PAGE_BYTES)
            .set_dictionary_page_size_limit(DICTIONARY_BYTES)
            .set_dictionary_enabled(false)
            .set_statistics_enabled(EnabledStatistics::Chunk)
            .set_key_value_metadata(Some(self.metadata()?));
        if let Some(key) = &self.key {
            builder = builder.with_file_encryption_properties(key.encryption()?);
        }
        let leaves = first.map(dictionary::leaves).unwrap_or_default();
        for (column, leaf) in descriptor.columns().iter().zip(&leaves) {
            builder = leaf_properties(builder, column.path(), leaf);
        }
        Ok(builder.build())
    }

    fn metadata(&self) -> Result<Vec<KeyValue>> {
        let row_type = serde_json::to_string(&self.row_type).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot describe the columns").with_source(source)
        })?;
        let exact = match self.options.exactness {
            Exactness::Exact => EXACT_SIDECAR,
            Exactness::Strict | Exactness::Interop => EXACT_NONE,
        };
        let pairs = [
            (VERSION_KEY, VERSION.to_owned()),
            (ROW_TYPE_KEY, row_type),
            (EXACT_KEY, exact.to_owned()),
        ];
        Ok(pairs
            .into_iter()
            .map(|(key, value)| KeyValue::new(key.to_owned(), value))
            .collect())
    }
}

/// Dictionary, statistics and encoding of one leaf column, by a look at its first values.
fn leaf_properties(
    builder: WriterPropertiesBuilder,
    path: &ColumnPath,
    leaf: &arrow::array::ArrayRef,
) -> WriterPropertiesBuilder {
    let dictionary = dictionary::pays(leaf);
    let builder = builder.set_column_dictionary_enabled(path.clone(), dictionary);
    if dictionary {
        return builder;
    }
    match leaf.data_type() {
        // Nobody prunes by the order of documents, comments and bytes; comparing them costs.
        DataType::Binary | DataType::Utf8 | DataType::FixedSizeBinary(_) => {
            builder.set_column_statistics_enabled(path.clone(), EnabledStatistics::None)
        }
        // Distances are small where values are not, and packed bits are quicker to compress.
        DataType::Int32
        | DataType::Int64
        | DataType::Date32
        | DataType::Timestamp(..)
        | DataType::Decimal32(..)
        | DataType::Decimal64(..) => {
            builder.set_column_encoding(path.clone(), Encoding::DELTA_BINARY_PACKED)
        }
        _ => builder,
    }
}

fn compression(zstd_level: i32) -> Result<Compression> {
    if zstd_level == 0 {
        return Ok(Compression::UNCOMPRESSED);
    }
    ZstdLevel::try_new(zstd_level)
        .map(Compression::ZSTD)
        .map_err(|_| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("zstd level {zstd_level} does not exist"),
            )
            .with_hint("Choose a level from 1 to 22, or no compression.")
        })
}

fn failed() -> Error {
    Error::new(
        ErrorKind::Internal,
        "the Parquet writer was used after it failed",
    )
}
