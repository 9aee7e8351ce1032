//! File formats: rows of a part into bytes of a file.

use super::digest::DigestWriter;
use super::{PartHeader, RowForm, Rows, StoredObject, wrong_form};
use crate::error::{Error, ErrorKind, Result, storage};
use crate::export::parquet::{PAIR_KEY, ParquetKey, ParquetOptions, ParquetWriter, SideWriter};
use crate::export::{ExactBatch, ExactValue, Exactness};
use arrow::ipc::writer::{FileWriter, StreamWriter};
use std::fmt;
use std::io::Write;

/// The format of the files that a sink writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum FileFormat {
    /// Parquet, with a side file for values that have no standard form.
    Parquet(ParquetOptions),
    /// The bytes of `COPY … (FORMAT binary)` in one Zstandard frame of this level; 0 for no compression.
    PgCopy(i32),
    /// Arrow IPC, with a side file as for Parquet.
    Arrow(Exactness),
    /// The server's own CSV, with a header line in each part.
    Csv,
    /// One JSON document per line.
    JsonLines,
}

impl FileFormat {
    /// The form in which rows are needed.
    #[must_use]
    pub fn row_form(self) -> RowForm {
        match self {
            Self::Parquet(_) | Self::Arrow(_) => RowForm::Batches,
            Self::PgCopy(_) => RowForm::Frames,
            Self::Csv => RowForm::Csv,
            Self::JsonLines => RowForm::JsonLines,
        }
    }

    /// The usual suffix of such files, without the dot.
    #[must_use]
    pub fn suffix(self) -> &'static str {
        match self {
            Self::Parquet(_) => "parquet",
            Self::PgCopy(0) => "pgcopy",
            Self::PgCopy(_) => "pgcopy.zst",
            Self::Arrow(_) => "arrow",
            Self::Csv => "csv",
            Self::JsonLines => "jsonl",
        }
    }

    fn keeps_exact_values(self) -> bool {
        match self {
            Self::Parquet(options) => options.exactness == Exactness::Exact,
            Self::Arrow(exactness) => exactness == Exactness::Exact,
            _ => false,
        }
    }
}

/// How Arrow batches are framed: a file can be read at any place, a stream needs no way back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IpcLayout {
    File,
    Stream,
}

type Digested<W> = DigestWriter<W>;

/// Opens the side file, the first time that there is a value for it. An error where there can be none.
pub(crate) type OpenSide<W> = Box<dyn FnMut() -> Result<W> + Send>;

/// The files of one part, while they are written.
pub(crate) struct PartFiles<W: Write + Send> {
    format: FileFormat,
    main: Encoder<Digested<W>>,
    open_side: OpenSide<W>,
    side: Option<SideWriter<Digested<W>>>,
    key: Option<ParquetKey>,
}

/// What is left when the last row is written: the main file, then the side file.
pub(crate) struct FinishedFiles<W> {
    pub(crate) rows: Option<u64>,
    pub(crate) files: Vec<(W, StoredObject)>,
}

enum Encoder<W: Write + Send> {
    Parquet(ParquetWriter<W>),
    ArrowFile(FileWriter<W>, u64),
    ArrowStream(StreamWriter<W>, u64),
    Zstd(zstd::Encoder<'static, W>),
    Plain(W),
}

impl<W: Write + Send> Encoder<W> {
    /// Names the side file in the main file, where its format has a place for that.
    fn pair_with(&mut self, pair: &str) {
        match self {
            Self::Parquet(writer) => writer.pair_with(pair),
            Self::ArrowFile(writer, _) => writer.write_metadata(PAIR_KEY, pair),
            Self::ArrowStream(..) | Self::Zstd(_) | Self::Plain(_) => {}
        }
    }
}

impl<W: Write + Send> fmt::Debug for PartFiles<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PartFiles")
            .field("format", &self.format)
            .finish_non_exhaustive()
    }
}

impl<W: Write + Send> PartFiles<W> {
    pub(crate) fn new(
        file: W,
        header: &PartHeader,
        format: FileFormat,
        layout: IpcLayout,
        open_side: OpenSide<W>,
    ) -> Result<Self> {
        Self::with_key(file, header, (format, layout), open_side, None)
    }

    /// The same; Parquet is encrypted, where there is a key.
    pub(crate) fn with_key(
        file: W,
        header: &PartHeader,
        (format, layout): (FileFormat, IpcLayout),
        open_side: OpenSide<W>,
        key: Option<ParquetKey>,
    ) -> Result<Self> {
        let file = DigestWriter::new(file);
        let schema = || header.row_type.arrow_schema();
        let main = match (format, layout) {
            (FileFormat::Parquet(options), _) => {
                let writer = ParquetWriter::new(file, &header.row_type, options)?;
                Encoder::Parquet(writer.with_key(key.clone()))
            }
            (FileFormat::Arrow(_), IpcLayout::File) => Encoder::ArrowFile(
                FileWriter::try_new(file, &schema()).map_err(arrow_error)?,
                0,
            ),
            (FileFormat::Arrow(_), IpcLayout::Stream) => Encoder::ArrowStream(
                StreamWriter::try_new(file, &schema()).map_err(arrow_error)?,
                0,
            ),
            (FileFormat::PgCopy(level @ 1..), _) => {
                Encoder::Zstd(zstd::Encoder::new(file, level).map_err(write_error)?)
            }
            (FileFormat::PgCopy(_) | FileFormat::Csv | FileFormat::JsonLines, _) => {
                Encoder::Plain(file)
            }
        };
        Ok(Self {
            format,
            main,
            open_side,
            side: None,
            key,
        })
    }

    pub(crate) fn write(&mut self, rows: Rows<'_>) -> Result<()> {
        match rows {
            Rows::Batch(exact) => self.write_batch(&exact),
            Rows::Bytes(bytes) => match &mut self.main {
                Encoder::Zstd(file) => file.write_all(bytes).map_err(write_error),
                Encoder::Plain(file) => file.write_all(bytes).map_err(write_error),
                _ => Err(wrong_form(self.format.row_form())),
            },
        }
    }

    fn write_batch(&mut self, exact: &ExactBatch) -> Result<()> {
        let rows = exact.batch.num_rows() as u64;
        match &mut self.main {
            Encoder::Parquet(writer) => writer.write(&exact.batch)?,
            Encoder::ArrowFile(writer, count) => {
                writer.write(&exact.batch).map_err(arrow_error)?;
                *count += rows;
            }
            Encoder::ArrowStream(writer, count) => {
                writer.write(&exact.batch).map_err(arrow_error)?;
                *count += rows;
            }
            Encoder::Zstd(_) | Encoder::Plain(_) => return Err(wrong_form(self.format.row_form())),
        }
        self.write_side(&exact.exact)
    }

    fn write_side(&mut self, values: &[ExactValue]) -> Result<()> {
        if values.is_empty() || !self.format.keeps_exact_values() {
            return Ok(());
        }
        let side = match &mut self.side {
            Some(side) => side,
            none => {
                let file = DigestWriter::new((self.open_side)()?);
                let side = SideWriter::with_key(file, self.key.as_ref())?;
                self.main.pair_with(side.pair());
                none.insert(side)
            }
        };
        side.write(values)
    }

    /// Ends the files; `names` are those of the main file and the side file.
    pub(crate) fn finish(self, names: [&str; 2]) -> Result<FinishedFiles<W>> {
        let (main, rows) = match self.main {
            Encoder::Parquet(writer) => writer.finish().map(|(file, rows)| (file, Some(rows)))?,
            Encoder::ArrowFile(writer, rows) => {
                (writer.into_inner().map_err(arrow_error)?, Some(rows))
            }
            Encoder::ArrowStream(writer, rows) => {
                (writer.into_inner().map_err(arrow_error)?, Some(rows))
            }
            Encoder::Zstd(file) => (file.finish().map_err(write_error)?, None),
            Encoder::Plain(file) => (file, None),
        };
        let mut files = vec![main.finish(names[0])];
        if let Some(side) = self.side {
            files.push(side.finish()?.finish(names[1]));
        }
        for (file, _) in &mut files {
            file.flush().map_err(write_error)?;
        }
        Ok(FinishedFiles { rows, files })
    }
}

fn write_error(source: std::io::Error) -> Error {
    storage("cannot write the file", source)
}

fn arrow_error(source: arrow::error::ArrowError) -> Error {
    match source {
        arrow::error::ArrowError::IoError(_, source) => write_error(source),
        source => {
            Error::new(ErrorKind::Internal, "cannot encode the Arrow file").with_source(source)
        }
    }
}
