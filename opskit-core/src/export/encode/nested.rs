//! Values that hold values.

use super::column::{ColumnEncoder, Written, encoder, null, sized, write_bytes};
use crate::pgtype::{Node, StructField};
use arrow::array::{
    Array, ArrayRef, AsArray, ListArray, MapArray, StringArray, StructArray, UInt8Array,
};
use arrow::datatypes::UInt8Type;

/// The items of one row of a list.
fn items(offsets: &[i32], row: usize) -> std::ops::Range<usize> {
    offsets[row] as usize..offsets[row + 1] as usize
}

/// An array of one dimension from 1, or an empty one.
pub(super) struct ListEncoder {
    oid: u32,
    array: ListArray,
    child: Box<dyn ColumnEncoder>,
}

impl ListEncoder {
    pub(super) fn new(element: &Node, array: &ArrayRef) -> Option<Self> {
        let array = array.as_list_opt::<i32>()?.clone();
        let child = encoder(element, array.values())?;
        Some(Self {
            oid: element.id.oid,
            array,
            child,
        })
    }
}

impl ColumnEncoder for ListEncoder {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.array.is_null(row) {
            null(out);
            return Ok(());
        }
        let items = items(self.array.value_offsets(), row);
        sized(out, |out| {
            let nulls = items.clone().any(|item| self.array.values().is_null(item));
            out.extend(i32::from(!items.is_empty()).to_be_bytes());
            out.extend(i32::from(nulls).to_be_bytes());
            out.extend(self.oid.to_be_bytes());
            if !items.is_empty() {
                out.extend((items.len() as i32).to_be_bytes());
                out.extend(1_i32.to_be_bytes());
            }
            items
                .into_iter()
                .try_for_each(|item| self.child.write(item, out))
        })
    }
}

/// A composite.
pub(super) struct StructEncoder {
    array: StructArray,
    children: Vec<(u32, Box<dyn ColumnEncoder>)>,
}

impl StructEncoder {
    pub(super) fn new(fields: &[StructField], array: &ArrayRef) -> Option<Self> {
        let array = array.as_struct_opt()?.clone();
        if array.num_columns() != fields.len() {
            return None;
        }
        let children: Option<Vec<_>> = fields
            .iter()
            .zip(array.columns())
            .map(|(field, column)| Some((field.node.id.oid, encoder(&field.node, column)?)))
            .collect();
        Some(Self {
            children: children?,
            array,
        })
    }
}

impl ColumnEncoder for StructEncoder {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.array.is_null(row) {
            null(out);
            return Ok(());
        }
        sized(out, |out| {
            out.extend((self.children.len() as i32).to_be_bytes());
            for (oid, child) in &self.children {
                out.extend(oid.to_be_bytes());
                child.write(row, out)?;
            }
            Ok(())
        })
    }
}

/// A range.
pub(super) struct RangeEncoder {
    array: StructArray,
    flags: UInt8Array,
    bounds: [Box<dyn ColumnEncoder>; 2],
}

impl RangeEncoder {
    pub(super) fn new(bound: &Node, array: &ArrayRef) -> Option<Self> {
        let array = array.as_struct_opt()?.clone();
        let [flags, lower, upper] = array.columns() else {
            return None;
        };
        let flags = flags.as_primitive_opt::<UInt8Type>()?.clone();
        let bounds = [encoder(bound, lower)?, encoder(bound, upper)?];
        Some(Self {
            flags,
            bounds,
            array,
        })
    }
}

impl ColumnEncoder for RangeEncoder {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.array.is_null(row) {
            null(out);
            return Ok(());
        }
        let flags = self.flags.value(row);
        sized(out, |out| {
            out.push(flags);
            let [lower, upper] = &self.bounds;
            // A bound is there unless the range is empty (1) or has none on that side (8, 16).
            if flags & 0x09 == 0 {
                lower.write(row, out)?;
            }
            if flags & 0x11 == 0 {
                upper.write(row, out)?;
            }
            Ok(())
        })
    }
}

/// A multirange.
pub(super) struct MultirangeEncoder {
    array: ListArray,
    child: RangeEncoder,
}

impl MultirangeEncoder {
    pub(super) fn new(bound: &Node, array: &ArrayRef) -> Option<Self> {
        let array = array.as_list_opt::<i32>()?.clone();
        let child = RangeEncoder::new(bound, array.values())?;
        Some(Self { array, child })
    }
}

impl ColumnEncoder for MultirangeEncoder {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.array.is_null(row) {
            null(out);
            return Ok(());
        }
        let items = items(self.array.value_offsets(), row);
        sized(out, |out| {
            out.extend((items.len() as i32).to_be_bytes());
            items
                .into_iter()
                .try_for_each(|item| self.child.write(item, out))
        })
    }
}

/// `hstore`.
pub(super) struct MapEncoder {
    array: MapArray,
    keys: StringArray,
    values: StringArray,
}

impl MapEncoder {
    pub(super) fn new(array: &ArrayRef) -> Option<Self> {
        let array = array.as_map_opt()?.clone();
        let keys = array.keys().as_string_opt::<i32>()?.clone();
        let values = array.values().as_string_opt::<i32>()?.clone();
        Some(Self {
            array,
            keys,
            values,
        })
    }
}

impl ColumnEncoder for MapEncoder {
    fn write(&self, row: usize, out: &mut Vec<u8>) -> Written {
        if self.array.is_null(row) {
            null(out);
            return Ok(());
        }
        let items = items(self.array.value_offsets(), row);
        sized(out, |out| {
            out.extend((items.len() as i32).to_be_bytes());
            for item in items {
                write_bytes(Some(self.keys.value(item).as_bytes()), out)?;
                let value = self
                    .values
                    .is_valid(item)
                    .then(|| self.values.value(item).as_bytes());
                write_bytes(value, out)?;
            }
            Ok(())
        })
    }
}
