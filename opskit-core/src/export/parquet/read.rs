//! Reading a part back, with what stands in its side file.

use super::side::SideReader;
use super::size::batch_rows;
use super::{PAIR_KEY, ParquetKey, ROW_TYPE_KEY, VERSION, VERSION_KEY, guarded, read_error, value};
use crate::error::{Error, ErrorKind, Result};
use crate::export::ExactBatch;
use crate::pgtype::RowType;
use parquet::arrow::arrow_reader::{
    ArrowReaderMetadata, ArrowReaderOptions, ParquetRecordBatchReader,
    ParquetRecordBatchReaderBuilder,
};
use parquet::file::metadata::KeyValue;
use parquet::file::reader::ChunkReader;
use std::fmt;
use std::sync::Arc;

/// A part that was written as Parquet: an iterator of its batches, values of the side file included.
///
/// ```
/// use bytes::Bytes;
/// use opskit_core::export::parquet::{ParquetOptions, ParquetPart, ParquetWriter};
/// use opskit_core::pgtype::RowType;
/// let writer = ParquetWriter::new(Vec::new(), &RowType::default(), ParquetOptions::default())?;
/// let (file, _) = writer.finish()?;
/// let part = ParquetPart::open(Bytes::from(file), None::<Bytes>)?;
/// assert_eq!(part.row_type(), &RowType::default());
/// assert_eq!(part.count(), 0);
/// # Ok::<(), opskit_core::Error>(())
/// ```
pub struct ParquetPart {
    row_type: RowType,
    batches: ParquetRecordBatchReader,
    side: Option<SideReader>,
    rows: u64,
    ended: bool,
}

impl fmt::Debug for ParquetPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ParquetPart")
            .field("rows", &self.rows)
            .finish_non_exhaustive()
    }
}

impl ParquetPart {
    /// Opens a main file and its side file, where there is one.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] when they are not such files, not of one pair, or the side file is
    /// missing; [`ErrorKind::Unsupported`] when a later version wrote them.
    pub fn open<R: ChunkReader + 'static, S: ChunkReader + 'static>(
        main: R,
        side: Option<S>,
    ) -> Result<Self> {
        Self::open_with(main, side, None)
    }

    /// The same of files that may be encrypted by a key.
    ///
    /// # Errors
    /// As [`Self::open`]; [`ErrorKind::Damaged`] when the key does not open them.
    pub fn open_with<R: ChunkReader + 'static, S: ChunkReader + 'static>(
        main: R,
        side: Option<S>,
        key: Option<&ParquetKey>,
    ) -> Result<Self> {
        let opening = match key {
            Some(key) => {
                ArrowReaderOptions::new().with_file_decryption_properties(key.decryption()?)
            }
            None => ArrowReaderOptions::new(),
        };
        let metadata =
            guarded(|| ArrowReaderMetadata::load(&main, opening.clone()).map_err(read_error))?;
        let pairs = metadata.metadata().file_metadata().key_value_metadata();
        let pairs = pairs.map_or(&[][..], |pairs| pairs);
        let row_type = row_type(pairs)?;
        let side = side.map(|side| SideReader::new(side, opening.clone()));
        let side = side.transpose()?;
        check_pair(value(pairs, PAIR_KEY), side.as_ref())?;
        let options = opening.with_schema(row_type.arrow_schema());
        let metadata = guarded(|| {
            let metadata = Arc::clone(metadata.metadata());
            ArrowReaderMetadata::try_new(metadata, options).map_err(read_error)
        })?;
        let batch_rows = batch_rows(metadata.metadata().row_groups());
        let builder = ParquetRecordBatchReaderBuilder::new_with_metadata(main, metadata);
        let batches = guarded(|| {
            builder
                .with_batch_size(batch_rows)
                .build()
                .map_err(read_error)
        })?;
        Ok(Self {
            row_type,
            batches,
            side,
            rows: 0,
            ended: false,
        })
    }

    /// The columns, with the OIDs of the database they were read from.
    #[must_use]
    pub fn row_type(&self) -> &RowType {
        &self.row_type
    }

    fn read(&mut self) -> Result<Option<ExactBatch>> {
        let next = guarded(|| self.batches.next().transpose().map_err(read_error))?;
        let Some(batch) = next else {
            return match &self.side {
                Some(side) if !side.is_empty() => Err(Error::new(
                    ErrorKind::Damaged,
                    "the side file names a row after the last",
                )),
                _ => Ok(None),
            };
        };
        self.rows += batch.num_rows() as u64;
        let exact = match &mut self.side {
            Some(side) => side.until(self.rows)?,
            None => Vec::new(),
        };
        Ok(Some(ExactBatch { batch, exact }))
    }
}

impl Iterator for ParquetPart {
    type Item = Result<ExactBatch>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let next = self.read().transpose();
        self.ended = !matches!(next, Some(Ok(_)));
        next
    }
}

/// A side file belongs to the main file that names the same pair, and the other way round.
fn check_pair(pair: Option<&str>, side: Option<&SideReader>) -> Result<()> {
    let what = match (pair, side) {
        (None, None) => return Ok(()),
        (Some(pair), Some(side)) if side.pair() == pair => return Ok(()),
        (Some(_), Some(_)) => "the side file belongs to another file",
        (None, Some(_)) => "a side file stands beside a file that has none",
        (Some(_), None) => "the side file is missing",
    };
    Err(Error::new(ErrorKind::Damaged, what).with_hint(
        "Both files must come from the same export; if one of them was copied, copy both.",
    ))
}

fn row_type(pairs: &[KeyValue]) -> Result<RowType> {
    match value(pairs, VERSION_KEY) {
        Some(VERSION) => {}
        Some(version) => {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("the file has layout version {version}"),
            )
            .with_hint("Read it with the version of opskit that wrote it, or a later one."));
        }
        None => {
            return Err(Error::new(
                ErrorKind::Damaged,
                "the file was not written by opskit",
            ));
        }
    }
    let json = value(pairs, ROW_TYPE_KEY).ok_or_else(|| {
        Error::new(
            ErrorKind::Damaged,
            "the file does not tell the types of its columns",
        )
    })?;
    serde_json::from_str(json).map_err(read_error)
}
