//! How much is read at a time.

use parquet::basic::Type;
use parquet::file::metadata::{ColumnChunkMetaData, RowGroupMetaData};

/// The most rows of a batch, and the size that a batch should not exceed by much.
const BATCH_ROWS: usize = 8192;
const BATCH_BYTES: u64 = 4 << 20;

/// How many rows make a batch: few where they are wide, so that the memory for one is bounded.
pub(super) fn batch_rows(groups: &[RowGroupMetaData]) -> usize {
    let widest = groups.iter().filter_map(|group| {
        let rows = u64::try_from(group.num_rows())
            .ok()
            .filter(|rows| *rows > 0)?;
        let columns = group.columns().iter().map(decoded_bytes);
        Some(columns.fold(0, u64::saturating_add) / rows)
    });
    let row_bytes = widest.max().unwrap_or_default().max(1);
    usize::try_from(BATCH_BYTES / row_bytes).map_or(BATCH_ROWS, |rows| rows.clamp(1, BATCH_ROWS))
}

/// What the values of a column take once they are decoded. What repeats takes little in the file, and so
/// do NULLs; in a batch each has its place.
fn decoded_bytes(column: &ColumnChunkMetaData) -> u64 {
    let count = |number: i64| u64::try_from(number).unwrap_or_default();
    let value_bytes = match column.column_descr().physical_type() {
        Type::BOOLEAN => 1,
        Type::INT32 | Type::FLOAT => 4,
        Type::INT64 | Type::DOUBLE => 8,
        Type::INT96 | Type::FIXED_LEN_BYTE_ARRAY => 16,
        // Where a value begins; its bytes are counted apart.
        Type::BYTE_ARRAY => 4,
    };
    let places = count(column.num_values()).saturating_mul(value_bytes);
    let bytes = column.unencoded_byte_array_data_bytes().map_or(0, count);
    count(column.uncompressed_size()).max(places.saturating_add(bytes))
}
