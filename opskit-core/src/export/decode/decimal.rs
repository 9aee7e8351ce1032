//! `numeric(p, s)` into the narrowest Arrow decimal.

use super::column::ColumnDecoder;
use super::fixed::{append_primitive, take_values};
use crate::export::frames::Cell;
use crate::export::value::numeric::to_decimal;
use crate::export::value::{Fit, Malformed};
use arrow::array::{ArrayRef, NullBufferBuilder, PrimitiveArray};
use arrow::buffer::ScalarBuffer;
use arrow::datatypes::{
    ArrowPrimitiveType, DataType, Decimal32Type, Decimal64Type, Decimal128Type,
};
use std::sync::Arc;

/// The decoder for a decimal of these bounds.
pub(super) fn decoder(precision: u8, scale: i8, dscale: u16) -> Box<dyn ColumnDecoder> {
    let bounds = Bounds {
        precision,
        scale,
        dscale,
    };
    match precision {
        ..=9 => Box::new(DecimalColumn::<Decimal32Type>::new(bounds)),
        10..=18 => Box::new(DecimalColumn::<Decimal64Type>::new(bounds)),
        _ => Box::new(DecimalColumn::<Decimal128Type>::new(bounds)),
    }
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    precision: u8,
    scale: i8,
    dscale: u16,
}

impl Bounds {
    #[inline]
    fn read(self, bytes: &[u8]) -> Result<Option<i128>, Malformed> {
        to_decimal(bytes, self.precision, self.scale, self.dscale)
    }

    fn data_type(self) -> DataType {
        match self.precision {
            ..=9 => DataType::Decimal32(self.precision, self.scale),
            10..=18 => DataType::Decimal64(self.precision, self.scale),
            _ => DataType::Decimal128(self.precision, self.scale),
        }
    }
}

#[derive(Debug)]
struct DecimalColumn<T: ArrowPrimitiveType> {
    bounds: Bounds,
    values: Vec<T::Native>,
    nulls: NullBufferBuilder,
}

impl<T: ArrowPrimitiveType> DecimalColumn<T> {
    fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            values: Vec::new(),
            nulls: NullBufferBuilder::new(0),
        }
    }
}

impl<T> ColumnDecoder for DecimalColumn<T>
where
    T: ArrowPrimitiveType + std::fmt::Debug,
    T::Native: TryFrom<i128>,
{
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        let bounds = self.bounds;
        append_primitive(
            &mut self.values,
            &mut self.nulls,
            (data, cells),
            misfits,
            |bytes| {
                let value = bounds.read(bytes)?;
                Ok(value.and_then(|value| T::Native::try_from(value).ok()))
            },
        )
    }

    fn fits(&self, bytes: &[u8]) -> Fit {
        self.bounds.read(bytes).map(|value| value.is_some())
    }

    fn finish(&mut self) -> ArrayRef {
        let values = ScalarBuffer::from(take_values(&mut self.values));
        let array = PrimitiveArray::<T>::new(values, self.nulls.finish());
        Arc::new(array.with_data_type(self.bounds.data_type()))
    }
}
