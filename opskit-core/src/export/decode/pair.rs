//! `timetz` and `interval`: a few integers side by side.

use super::column::ColumnDecoder;
use crate::export::frames::{Cell, be_i32};
use crate::export::value::time::time_to_arrow;
use crate::export::value::{Fit, Malformed};
use crate::pgtype::Leaf;
use arrow::array::{
    ArrayRef, Int32Array, Int64Array, NullBufferBuilder, StructArray, Time64MicrosecondArray,
};
use arrow::datatypes::{DataType, Fields};
use std::sync::Arc;

fn fields(leaf: Leaf) -> Fields {
    match leaf.data_type() {
        DataType::Struct(fields) => fields,
        _ => Fields::empty(),
    }
}

fn be_i64(bytes: &[u8]) -> Option<i64> {
    Some(i64::from_be_bytes(bytes.get(..8)?.try_into().ok()?))
}

/// Microseconds since midnight, and the zone in seconds west of UTC.
#[derive(Debug)]
pub(super) struct TimeTzColumn {
    times: Vec<i64>,
    zones: Vec<i32>,
    nulls: NullBufferBuilder,
}

impl Default for TimeTzColumn {
    fn default() -> Self {
        Self {
            times: Vec::new(),
            zones: Vec::new(),
            nulls: NullBufferBuilder::new(0),
        }
    }
}

/// `Ok(None)` for a time that Arrow does not have.
fn time_tz(bytes: &[u8]) -> Result<Option<(i64, i32)>, Malformed> {
    if bytes.len() != 12 {
        return Err(Malformed);
    }
    let time = be_i64(bytes).ok_or(Malformed)?;
    let zone = be_i32(bytes, 8).ok_or(Malformed)?;
    Ok(time_to_arrow(time).map(|time| (time, zone)))
}

impl ColumnDecoder for TimeTzColumn {
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        for (at, cell) in cells.iter().enumerate() {
            let value = match cell.bytes(data) {
                Some(bytes) => {
                    let value = time_tz(bytes)?;
                    if value.is_none() {
                        misfits.push(at as u32);
                    }
                    value
                }
                None => None,
            };
            let (time, zone) = value.unwrap_or_default();
            self.times.push(time);
            self.zones.push(zone);
            self.nulls.append(value.is_some());
        }
        Ok(())
    }

    fn fits(&self, bytes: &[u8]) -> Fit {
        time_tz(bytes).map(|value| value.is_some())
    }

    fn finish(&mut self) -> ArrayRef {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Time64MicrosecondArray::from(std::mem::take(
                &mut self.times,
            ))),
            Arc::new(Int32Array::from(std::mem::take(&mut self.zones))),
        ];
        Arc::new(StructArray::new(
            fields(Leaf::TimeTz),
            columns,
            self.nulls.finish(),
        ))
    }
}

/// Months, days and microseconds.
#[derive(Debug)]
pub(super) struct IntervalColumn {
    months: Vec<i32>,
    days: Vec<i32>,
    micros: Vec<i64>,
    nulls: NullBufferBuilder,
}

impl Default for IntervalColumn {
    fn default() -> Self {
        let (months, days, micros) = Default::default();
        Self {
            months,
            days,
            micros,
            nulls: NullBufferBuilder::new(0),
        }
    }
}

fn interval(bytes: &[u8]) -> Option<(i64, i32, i32)> {
    (bytes.len() == 16).then_some(())?;
    Some((be_i64(bytes)?, be_i32(bytes, 8)?, be_i32(bytes, 12)?))
}

impl ColumnDecoder for IntervalColumn {
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        _misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        for cell in cells {
            let (micros, days, months) = match cell.bytes(data) {
                Some(bytes) => interval(bytes).ok_or(Malformed)?,
                None => (0, 0, 0),
            };
            self.micros.push(micros);
            self.days.push(days);
            self.months.push(months);
            self.nulls.append(cell.len >= 0);
        }
        Ok(())
    }

    fn fits(&self, bytes: &[u8]) -> Fit {
        interval(bytes).map(|_| true).ok_or(Malformed)
    }

    fn finish(&mut self) -> ArrayRef {
        let columns: Vec<ArrayRef> = vec![
            Arc::new(Int32Array::from(std::mem::take(&mut self.months))),
            Arc::new(Int32Array::from(std::mem::take(&mut self.days))),
            Arc::new(Int64Array::from(std::mem::take(&mut self.micros))),
        ];
        Arc::new(StructArray::new(
            fields(Leaf::Interval),
            columns,
            self.nulls.finish(),
        ))
    }
}
