//! The streaming path, pure: planning parts, frames to batches, batches to frames, fingerprints,
//! Parquet. Nothing here opens a socket or a file.

mod decode;
mod encode;
mod fingerprint;
pub(crate) mod frames;
pub mod parquet;
pub mod plan;
mod reload;
mod retype;
mod shape;
pub(crate) mod text;
mod value;

pub use decode::{DecodeOptions, DecodeSummary, Decoder};
pub use encode::RowEncoder;
pub use fingerprint::Fingerprint;
pub(crate) use fingerprint::Fingerprinter;
pub use reload::{ColumnMap, FrameReloader, Reloader};

use arrow::record_batch::RecordBatch;
use serde::{Deserialize, Serialize};

/// What becomes of a value that has no standard Arrow form, such as a numeric NaN in a decimal column, a
/// timestamp past the year 294246 or an array of two dimensions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Exactness {
    /// It is NULL in the main column and kept bit for bit in a side file.
    #[default]
    Exact,
    /// The first one is an error.
    Strict,
    /// It is NULL in the main column, counted and reported, and not kept.
    Interop,
}

/// A value that has no standard form, with the place it belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExactValue {
    /// The row within the part, from 0.
    pub row: u64,
    /// The column, from 0.
    pub column: u16,
    /// The bytes of the field, as the server sent them.
    pub bytes: Box<[u8]>,
}

/// Rows as Arrow columns, and the values among them that Arrow has no form for.
#[derive(Debug, Clone)]
pub struct ExactBatch {
    /// The rows. A value of `exact` is NULL here.
    pub batch: RecordBatch,
    /// The values without a standard form, in no particular order.
    pub exact: Vec<ExactValue>,
}
