//! Types of fixed width that become Arrow primitives.

use super::column::ColumnDecoder;
use crate::export::frames::Cell;
use crate::export::value::time::{date_to_arrow, time_to_arrow, timestamp_to_arrow};
use crate::export::value::{Fit, Malformed};
use arrow::array::{
    ArrayRef, BooleanArray, BooleanBufferBuilder, NullBufferBuilder, PrimitiveArray,
};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, Date32Type, Float32Type, Float64Type, Int16Type, Int32Type, Int64Type,
    Time64MicrosecondType, TimestampMicrosecondType, UInt32Type, UInt64Type,
};
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

/// A type of fixed width.
pub(super) trait Fixed: fmt::Debug + Send + 'static {
    /// Bytes of a value.
    const WIDTH: usize;
    /// What it becomes.
    type Arrow: ArrowPrimitiveType + fmt::Debug;

    /// Reads a value of [`Self::WIDTH`] bytes; `None` when it has no standard form.
    fn read(bytes: &[u8]) -> Option<<Self::Arrow as ArrowPrimitiveType>::Native>;

    /// The finished array, for types that carry more than the primitive.
    fn array(array: PrimitiveArray<Self::Arrow>) -> ArrayRef {
        Arc::new(array)
    }
}

macro_rules! fixed {
    ($name:ident, $width:literal, $arrow:ty, |$bytes:ident| $read:expr $(, |$array:ident| $finish:expr)?) => {
        #[derive(Debug)]
        pub(super) struct $name;

        impl Fixed for $name {
            const WIDTH: usize = $width;
            type Arrow = $arrow;

            #[inline]
            fn read(bytes: &[u8]) -> Option<<$arrow as ArrowPrimitiveType>::Native> {
                let $bytes: [u8; $width] = bytes.try_into().ok()?;
                $read
            }
            $(fn array($array: PrimitiveArray<$arrow>) -> ArrayRef { $finish })?
        }
    };
}

fixed!(Int2, 2, Int16Type, |b| Some(i16::from_be_bytes(b)));
fixed!(Int4, 4, Int32Type, |b| Some(i32::from_be_bytes(b)));
fixed!(Int8, 8, Int64Type, |b| Some(i64::from_be_bytes(b)));
fixed!(UInt4, 4, UInt32Type, |b| Some(u32::from_be_bytes(b)));
fixed!(UInt8, 8, UInt64Type, |b| Some(u64::from_be_bytes(b)));
fixed!(Float4, 4, Float32Type, |b| Some(f32::from_bits(
    u32::from_be_bytes(b)
)));
fixed!(Float8, 8, Float64Type, |b| Some(f64::from_bits(
    u64::from_be_bytes(b)
)));
fixed!(Timestamp, 8, TimestampMicrosecondType, |b| {
    timestamp_to_arrow(i64::from_be_bytes(b))
});
fixed!(
    TimestampTz,
    8,
    TimestampMicrosecondType,
    |b| timestamp_to_arrow(i64::from_be_bytes(b)),
    |array| Arc::new(array.with_timezone("UTC"))
);
fixed!(Date, 4, Date32Type, |b| date_to_arrow(i32::from_be_bytes(
    b
)));
fixed!(Time, 8, Time64MicrosecondType, |b| time_to_arrow(
    i64::from_be_bytes(b)
));

/// A column of such a type.
#[derive(Debug)]
pub(super) struct FixedColumn<F: Fixed> {
    values: Vec<<F::Arrow as ArrowPrimitiveType>::Native>,
    nulls: NullBufferBuilder,
    kind: PhantomData<F>,
}

impl<F: Fixed> Default for FixedColumn<F> {
    fn default() -> Self {
        Self {
            values: Vec::new(),
            nulls: NullBufferBuilder::new(0),
            kind: PhantomData,
        }
    }
}

impl<F: Fixed> ColumnDecoder for FixedColumn<F> {
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        append_primitive(
            &mut self.values,
            &mut self.nulls,
            (data, cells),
            misfits,
            |bytes| {
                if bytes.len() == F::WIDTH {
                    Ok(F::read(bytes))
                } else {
                    Err(Malformed)
                }
            },
        )
    }

    fn fits(&self, bytes: &[u8]) -> Fit {
        if bytes.len() == F::WIDTH {
            Ok(F::read(bytes).is_some())
        } else {
            Err(Malformed)
        }
    }

    fn finish(&mut self) -> ArrayRef {
        let values = take_values(&mut self.values);
        F::array(PrimitiveArray::new(
            ScalarBuffer::from(values),
            self.nulls.finish(),
        ))
    }
}

/// Appends a value per cell, NULL where there is none or it does not fit.
#[inline]
pub(super) fn append_primitive<T: Copy + Default>(
    values: &mut Vec<T>,
    nulls: &mut NullBufferBuilder,
    (data, cells): (&[u8], &[Cell]),
    misfits: &mut Vec<u32>,
    read: impl Fn(&[u8]) -> Result<Option<T>, Malformed>,
) -> Result<(), Malformed> {
    values.reserve(cells.len());
    // Runs of values are marked valid at once; most columns have no NULLs at all.
    let mut valid = 0;
    for (at, cell) in cells.iter().enumerate() {
        let value = match cell.bytes(data) {
            Some(bytes) => {
                let value = read(bytes)?;
                if value.is_none() {
                    misfits.push(at as u32);
                }
                value
            }
            None => None,
        };
        match value {
            Some(value) => {
                values.push(value);
                valid += 1;
            }
            None => {
                values.push(T::default());
                nulls.append_n_non_nulls(valid);
                nulls.append_null();
                valid = 0;
            }
        }
    }
    nulls.append_n_non_nulls(valid);
    Ok(())
}

/// Takes the values out and leaves room for as many.
pub(super) fn take_values<T>(values: &mut Vec<T>) -> Vec<T> {
    let capacity = values.len();
    std::mem::replace(values, Vec::with_capacity(capacity))
}

/// A column of booleans.
#[derive(Debug)]
pub(super) struct BoolColumn {
    values: BooleanBufferBuilder,
    nulls: NullBufferBuilder,
}

impl Default for BoolColumn {
    fn default() -> Self {
        Self {
            values: BooleanBufferBuilder::new(0),
            nulls: NullBufferBuilder::new(0),
        }
    }
}

impl ColumnDecoder for BoolColumn {
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        _misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        for cell in cells {
            match cell.bytes(data) {
                Some([value @ (0 | 1)]) => {
                    self.values.append(*value == 1);
                    self.nulls.append_non_null();
                }
                Some(_) => return Err(Malformed),
                None => {
                    self.values.append(false);
                    self.nulls.append_null();
                }
            }
        }
        Ok(())
    }

    fn fits(&self, bytes: &[u8]) -> Fit {
        if matches!(bytes, [0 | 1]) {
            Ok(true)
        } else {
            Err(Malformed)
        }
    }

    fn finish(&mut self) -> ArrayRef {
        Arc::new(BooleanArray::new(self.values.finish(), self.nulls.finish()))
    }
}
