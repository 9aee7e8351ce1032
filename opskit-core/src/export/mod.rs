//! The streaming path, pure.
/// Stand-in.
#[derive(Debug)]
pub struct ExactBatch {
    /// Rows.
    pub batch: arrow::record_batch::RecordBatch,
}
