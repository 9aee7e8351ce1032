//! Whether a dictionary pays, by a look at the first values of a column.
//!
//! The writer hashes every value of a column that has a dictionary, also where it gives up later; for a
//! column of distinct values that is the dearest part of writing it. The server's statistics may be
//! missing or stale, so the values themselves are asked.

use arrow::array::{Array, ArrayRef, AsArray};
use arrow::datatypes::{
    DataType, Date32Type, Decimal32Type, Decimal64Type, Decimal128Type, Float32Type, Float64Type,
    Int16Type, Int32Type, Int64Type, Time64MicrosecondType, TimestampMicrosecondType, UInt8Type,
    UInt32Type, UInt64Type,
};
use arrow::record_batch::RecordBatch;
use std::collections::HashSet;
use std::hash::Hash;
use std::sync::Arc;

/// How many values are looked at.
const SAMPLE: usize = 8192;
/// How often the sampled values must repeat, on average.
const REPEATS: usize = 5;

/// The leaf arrays of a batch, in the order of Parquet's columns.
pub(super) fn leaves(batch: &RecordBatch) -> Vec<ArrayRef> {
    let mut leaves = Vec::new();
    batch
        .columns()
        .iter()
        .for_each(|column| collect(column, &mut leaves));
    leaves
}

fn collect(array: &ArrayRef, leaves: &mut Vec<ArrayRef>) {
    match array.data_type() {
        DataType::List(_) => collect(array.as_list::<i32>().values(), leaves),
        DataType::Struct(_) => array
            .as_struct()
            .columns()
            .iter()
            .for_each(|column| collect(column, leaves)),
        DataType::Map(..) => {
            let map = array.as_map();
            collect(map.keys(), leaves);
            collect(map.values(), leaves);
        }
        _ => leaves.push(Arc::clone(array)),
    }
}

/// Whether values of the array repeat so often that a dictionary pays.
pub(super) fn pays(array: &ArrayRef) -> bool {
    macro_rules! primitive {
        ($type:ty) => {
            repeats(array, |at| array.as_primitive::<$type>().value(at))
        };
    }
    match array.data_type() {
        DataType::Int16 => primitive!(Int16Type),
        DataType::Int32 => primitive!(Int32Type),
        DataType::Int64 => primitive!(Int64Type),
        DataType::UInt8 => primitive!(UInt8Type),
        DataType::UInt32 => primitive!(UInt32Type),
        DataType::UInt64 => primitive!(UInt64Type),
        DataType::Date32 => primitive!(Date32Type),
        DataType::Timestamp(..) => primitive!(TimestampMicrosecondType),
        DataType::Time64(_) => primitive!(Time64MicrosecondType),
        DataType::Decimal32(..) => primitive!(Decimal32Type),
        DataType::Decimal64(..) => primitive!(Decimal64Type),
        DataType::Decimal128(..) => primitive!(Decimal128Type),
        DataType::Float32 => repeats(array, |at| {
            array.as_primitive::<Float32Type>().value(at).to_bits()
        }),
        DataType::Float64 => repeats(array, |at| {
            array.as_primitive::<Float64Type>().value(at).to_bits()
        }),
        DataType::Utf8 => repeats(array, |at| array.as_string::<i32>().value(at)),
        DataType::Binary => repeats(array, |at| array.as_binary::<i32>().value(at)),
        DataType::FixedSizeBinary(_) => repeats(array, |at| array.as_fixed_size_binary().value(at)),
        // Booleans are single bits already.
        _ => false,
    }
}

fn repeats<T: Eq + Hash>(array: &ArrayRef, value: impl Fn(usize) -> T) -> bool {
    let step = (array.len() / SAMPLE).max(1);
    let most = array.len().div_ceil(step) / REPEATS;
    let mut seen = HashSet::new();
    let mut looked_at = 0;
    for at in (0..array.len())
        .step_by(step)
        .filter(|at| array.is_valid(*at))
    {
        looked_at += 1;
        seen.insert(value(at));
        if seen.len() > most {
            return false;
        }
    }
    looked_at > 0 && seen.len() * REPEATS <= looked_at
}

#[cfg(test)]
mod tests {
    use super::*;
    use arrow::array::{Int32Array, StringArray};

    #[test]
    fn distinct_values_get_none_and_repeated_ones_do() {
        let distinct: ArrayRef = Arc::new(Int32Array::from_iter_values(0..20_000));
        let repeated: ArrayRef = Arc::new(StringArray::from_iter_values(
            (0..20_000).map(|n| format!("s{}", n % 7)),
        ));
        let nulls: ArrayRef = Arc::new(Int32Array::new_null(100));
        assert!(!pays(&distinct));
        assert!(pays(&repeated));
        assert!(!pays(&nulls));
    }
}
