//! Values that hold any number of others: arrays, multiranges, `hstore`.

use super::column::{ColumnDecoder, decoder};
use super::nested::{RangeColumn, append_parts, part_fits, split_values};
use super::text::TextColumn;
use crate::export::frames::Cell;
use crate::export::shape::{ArrayHeader, Reader, cell_of};
use crate::export::value::{Fit, Malformed};
use crate::pgtype::{Node, arrow_field, hstore_fields};
use arrow::array::{Array, ArrayRef, ListArray, MapArray, NullBufferBuilder, StructArray};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{Field, FieldRef};
use std::sync::Arc;

/// Offsets and NULLs of a list.
#[derive(Debug)]
struct Lists {
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
    items: i32,
}

impl Default for Lists {
    fn default() -> Self {
        Self {
            offsets: vec![0],
            nulls: NullBufferBuilder::new(0),
            items: 0,
        }
    }
}

impl Lists {
    fn push(&mut self, items: Option<usize>) -> Result<(), Malformed> {
        let added = i32::try_from(items.unwrap_or(0)).map_err(|_| Malformed)?;
        self.items = self.items.checked_add(added).ok_or(Malformed)?;
        self.offsets.push(self.items);
        self.nulls.append(items.is_some());
        Ok(())
    }

    fn finish(&mut self) -> (OffsetBuffer<i32>, Option<arrow::buffer::NullBuffer>) {
        self.items = 0;
        let offsets = std::mem::replace(&mut self.offsets, vec![0]);
        (
            OffsetBuffer::new(ScalarBuffer::from(offsets)),
            self.nulls.finish(),
        )
    }
}

/// An array of one dimension from 1; any other shape does not fit.
#[derive(Debug)]
pub(super) struct ListColumn {
    element_oid: u32,
    field: FieldRef,
    child: Box<dyn ColumnDecoder>,
    lists: Lists,
}

impl ListColumn {
    pub(super) fn new(element: &Node) -> Self {
        Self {
            element_oid: element.id.oid,
            field: Arc::new(arrow_field("element", element)),
            child: decoder(element),
            lists: Lists::default(),
        }
    }

    fn split(&self, data: &[u8], bytes: &[u8], parts: &mut Vec<Cell>) -> Fit {
        let mut reader = Reader::new(bytes);
        let header = ArrayHeader::read(&mut reader)?;
        let mut nulls = false;
        let mut fits = header.is_list() && header.element_oid == self.element_oid;
        for _ in 0..header.elements()? {
            let element = reader.field()?;
            nulls |= element.is_none();
            fits = fits && part_fits(&*self.child, element)?;
            parts.push(cell_of(data, element));
        }
        reader.end()?;
        // The flag may say "has NULLs" where there are none left; then only the bytes tell.
        Ok(fits && header.has_nulls == i32::from(nulls))
    }
}

impl ColumnDecoder for ListColumn {
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        let mut lists = std::mem::take(&mut self.lists);
        let split = |bytes, parts: &mut _| self.split(data, bytes, parts);
        let parts = split_values((data, cells), misfits, split, |items| lists.push(items));
        self.lists = lists;
        append_parts(&mut *self.child, data, &parts?)
    }

    fn fits(&self, bytes: &[u8]) -> Fit {
        self.split(bytes, bytes, &mut Vec::new())
    }

    fn finish(&mut self) -> ArrayRef {
        let (offsets, nulls) = self.lists.finish();
        Arc::new(ListArray::new(
            Arc::clone(&self.field),
            offsets,
            self.child.finish(),
            nulls,
        ))
    }
}

/// A multirange: a list of ranges.
#[derive(Debug)]
pub(super) struct MultirangeColumn {
    ranges: RangeColumn,
    lists: Lists,
}

impl MultirangeColumn {
    pub(super) fn new(bound: &Node) -> Self {
        Self {
            ranges: RangeColumn::new(bound),
            lists: Lists::default(),
        }
    }

    fn split(&self, data: &[u8], bytes: &[u8], parts: &mut Vec<Cell>) -> Fit {
        let mut reader = Reader::new(bytes);
        let count = u32::try_from(reader.int()?).map_err(|_| Malformed)?;
        let mut fits = true;
        for _ in 0..count {
            let range = reader.field()?.ok_or(Malformed)?;
            fits = fits && self.ranges.fits(range)?;
            parts.push(cell_of(data, Some(range)));
        }
        reader.end()?;
        Ok(fits)
    }
}

impl ColumnDecoder for MultirangeColumn {
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        let mut lists = std::mem::take(&mut self.lists);
        let split = |bytes, parts: &mut _| self.split(data, bytes, parts);
        let parts = split_values((data, cells), misfits, split, |items| lists.push(items));
        self.lists = lists;
        append_parts(&mut self.ranges, data, &parts?)
    }

    fn fits(&self, bytes: &[u8]) -> Fit {
        self.split(bytes, bytes, &mut Vec::new())
    }

    fn finish(&mut self) -> ArrayRef {
        let (offsets, nulls) = self.lists.finish();
        let ranges = self.ranges.finish();
        let field = Arc::new(Field::new("element", ranges.data_type().clone(), true));
        Arc::new(ListArray::new(field, offsets, ranges, nulls))
    }
}

/// `hstore`: keys with values or NULLs.
#[derive(Debug)]
pub(super) struct MapColumn {
    keys: TextColumn,
    values: TextColumn,
    lists: Lists,
}

impl Default for MapColumn {
    fn default() -> Self {
        Self {
            keys: TextColumn::new(0),
            values: TextColumn::new(0),
            lists: Lists::default(),
        }
    }
}

impl MapColumn {
    /// Keys and values in turn.
    fn split(&self, data: &[u8], bytes: &[u8], parts: &mut Vec<Cell>) -> Fit {
        let mut reader = Reader::new(bytes);
        let count = u32::try_from(reader.int()?).map_err(|_| Malformed)?;
        let mut fits = true;
        for _ in 0..count {
            let key = reader.field()?.ok_or(Malformed)?;
            let value = reader.field()?;
            fits = fits && self.keys.fits(key)? && part_fits(&self.values, value)?;
            parts.extend([cell_of(data, Some(key)), cell_of(data, value)]);
        }
        reader.end()?;
        Ok(fits)
    }
}

impl ColumnDecoder for MapColumn {
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        let mut lists = std::mem::take(&mut self.lists);
        let split = |bytes, parts: &mut _| self.split(data, bytes, parts);
        let parts = split_values((data, cells), misfits, split, |parts| {
            lists.push(parts.map(|n| n / 2))
        });
        self.lists = lists;
        let parts = parts?;
        let keys: Vec<Cell> = parts.iter().step_by(2).copied().collect();
        let values: Vec<Cell> = parts.iter().skip(1).step_by(2).copied().collect();
        append_parts(&mut self.keys, data, &keys)?;
        append_parts(&mut self.values, data, &values)
    }

    fn fits(&self, bytes: &[u8]) -> Fit {
        self.split(bytes, bytes, &mut Vec::new())
    }

    fn finish(&mut self) -> ArrayRef {
        let (offsets, nulls) = self.lists.finish();
        let fields = hstore_fields();
        let columns = vec![self.keys.finish(), self.values.finish()];
        let entries = StructArray::new(fields, columns, None);
        let field = Field::new("entries", entries.data_type().clone(), false);
        Arc::new(MapArray::new(
            Arc::new(field),
            offsets,
            entries,
            nulls,
            false,
        ))
    }
}
