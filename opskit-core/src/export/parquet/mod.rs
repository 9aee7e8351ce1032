//! Parquet files: a main file that any reader opens, and beside it the values that have no standard
//! form.
//!
//! The side file is Parquet too, with the columns `row` (within the part), `column` and `value` (the
//! bytes of the field as the server sent them), sorted by row and column. Both files carry
//! `opskit.parquet` = `1`, the version of this layout, and the main one `opskit.row_type` (the
//! [`RowType`](crate::pgtype::RowType) as JSON) and `opskit.exact` (`sidecar` or `none`). Where there is
//! a side file, both carry the same random `opskit.pair`, so that neither is taken for another's.

mod dictionary;
mod key;
mod read;
mod side;
mod size;
mod wide;
mod write;

pub use key::ParquetKey;
pub use read::ParquetPart;
pub use side::SideWriter;
pub use write::{ParquetOptions, ParquetWriter};

use crate::error::{Error, ErrorKind, Result};
use ::parquet::file::metadata::KeyValue;

const VERSION_KEY: &str = "opskit.parquet";
const VERSION: &str = "1";
const ROW_TYPE_KEY: &str = "opskit.row_type";
/// Names the pair that a main file and its side file are.
pub(crate) const PAIR_KEY: &str = "opskit.pair";
const EXACT_KEY: &str = "opskit.exact";
const EXACT_SIDECAR: &str = "sidecar";
const EXACT_NONE: &str = "none";

/// Runs a step of the library below that reads a file. On some bytes that are no such file it panics; for
/// the caller that is damage like any other.
fn guarded<T>(read: impl FnOnce() -> Result<T>) -> Result<T> {
    match std::panic::catch_unwind(std::panic::AssertUnwindSafe(read)) {
        Ok(done) => done,
        Err(_) => Err(Error::new(
            ErrorKind::Damaged,
            "the reader of Parquet gave up on the file",
        )),
    }
}

fn value<'a>(pairs: &'a [KeyValue], key: &str) -> Option<&'a str> {
    pairs.iter().find(|pair| pair.key == key)?.value.as_deref()
}

/// An error of the Parquet writer: mostly the file below it.
fn write_error(source: parquet::errors::ParquetError) -> Error {
    match source {
        parquet::errors::ParquetError::External(source) => {
            match source.downcast::<std::io::Error>() {
                Ok(io) => crate::error::storage("cannot write the Parquet file", *io),
                Err(source) => internal(source),
            }
        }
        source => internal(source.into()),
    }
}

fn internal(source: Box<dyn std::error::Error + Send + Sync>) -> Error {
    Error::new(ErrorKind::Internal, "cannot encode the Parquet file").with_source(source)
}

/// An error of the Parquet reader: the bytes are not what we wrote.
fn read_error(source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
    Error::new(ErrorKind::Damaged, "cannot decode the Parquet file").with_source(source)
}
