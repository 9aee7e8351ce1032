//! Values that hold values: each finds the fields inside and hands them to the decoders below.

use super::column::{ColumnDecoder, decoder};
use super::text::TextColumn;
use crate::export::frames::Cell;
use crate::export::shape::{ArrayHeader, Reader, cell_of, range};
use crate::export::value::{Fit, Malformed};
use crate::pgtype::{Node, StructField, arrow_field};
use arrow::array::{
    Array, ArrayRef, ListArray, MapArray, NullBufferBuilder, StructArray, UInt8Array,
};
use arrow::buffer::{OffsetBuffer, ScalarBuffer};
use arrow::datatypes::{DataType, Field, FieldRef, Fields};
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

/// Appends parts that were all found to fit.
fn append_parts(
    child: &mut dyn ColumnDecoder,
    data: &[u8],
    cells: &[Cell],
) -> Result<(), Malformed> {
    let mut misfits = Vec::new();
    child.append(data, cells, &mut misfits)?;
    if misfits.is_empty() {
        Ok(())
    } else {
        Err(Malformed)
    }
}

fn part_fits(child: &dyn ColumnDecoder, part: Option<&[u8]>) -> Fit {
    part.map_or(Ok(true), |bytes| child.fits(bytes))
}

/// The parts of each value that fits, in order; `on_value` is told each value's part count.
fn split_values<'a>(
    (data, cells): (&'a [u8], &[Cell]),
    misfits: &mut Vec<u32>,
    mut split: impl FnMut(&'a [u8], &mut Vec<Cell>) -> Fit,
    mut on_value: impl FnMut(Option<usize>) -> Result<(), Malformed>,
) -> Result<Vec<Cell>, Malformed> {
    let mut parts = Vec::new();
    for (at, cell) in cells.iter().enumerate() {
        let Some(bytes) = cell.bytes(data) else {
            on_value(None)?;
            continue;
        };
        let before = parts.len();
        if split(bytes, &mut parts)? {
            on_value(Some(parts.len() - before))?;
        } else {
            parts.truncate(before);
            misfits.push(at as u32);
            on_value(None)?;
        }
    }
    Ok(parts)
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

/// A composite with exactly the fields of its type.
#[derive(Debug)]
pub(super) struct StructColumn {
    oids: Vec<u32>,
    fields: Fields,
    children: Vec<Box<dyn ColumnDecoder>>,
    nulls: NullBufferBuilder,
}

impl StructColumn {
    pub(super) fn new(fields: &[StructField]) -> Self {
        Self {
            oids: fields.iter().map(|field| field.node.id.oid).collect(),
            fields: fields
                .iter()
                .map(|field| arrow_field(&field.name, &field.node))
                .collect(),
            children: fields.iter().map(|field| decoder(&field.node)).collect(),
            nulls: NullBufferBuilder::new(0),
        }
    }

    fn split(&self, data: &[u8], bytes: &[u8], parts: &mut Vec<Cell>) -> Fit {
        let mut reader = Reader::new(bytes);
        if usize::try_from(reader.int()?) != Ok(self.oids.len()) {
            return Err(Malformed);
        }
        let mut fits = true;
        for (oid, child) in self.oids.iter().zip(&self.children) {
            fits &= reader.oid()? == *oid;
            let field = reader.field()?;
            fits = fits && part_fits(&**child, field)?;
            parts.push(cell_of(data, field));
        }
        reader.end()?;
        Ok(fits)
    }
}

impl ColumnDecoder for StructColumn {
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        let width = self.children.len();
        let mut present = Vec::with_capacity(cells.len());
        let split = |bytes, parts: &mut _| self.split(data, bytes, parts);
        let parts = split_values((data, cells), misfits, split, |fields| {
            present.push(fields.is_some());
            Ok(())
        })?;
        let mut column = Vec::with_capacity(cells.len());
        for (at, child) in self.children.iter_mut().enumerate() {
            let mut values = parts.iter().skip(at).step_by(width);
            column.clear();
            column.extend(present.iter().map(|present| match present {
                true => values.next().copied().unwrap_or(Cell::NULL),
                false => Cell::NULL,
            }));
            append_parts(&mut **child, data, &column)?;
        }
        present
            .iter()
            .for_each(|present| self.nulls.append(*present));
        Ok(())
    }

    fn fits(&self, bytes: &[u8]) -> Fit {
        self.split(bytes, bytes, &mut Vec::new())
    }

    fn finish(&mut self) -> ArrayRef {
        let columns = self
            .children
            .iter_mut()
            .map(|child| child.finish())
            .collect();
        Arc::new(StructArray::new(
            self.fields.clone(),
            columns,
            self.nulls.finish(),
        ))
    }
}

/// A range: flags and bounds.
#[derive(Debug)]
pub(super) struct RangeColumn {
    fields: Fields,
    flags: Vec<u8>,
    bounds: [Box<dyn ColumnDecoder>; 2],
    nulls: NullBufferBuilder,
}

impl RangeColumn {
    pub(super) fn new(bound: &Node) -> Self {
        Self {
            fields: Fields::from(vec![
                Field::new("flags", DataType::UInt8, true),
                arrow_field("lower", bound),
                arrow_field("upper", bound),
            ]),
            flags: Vec::new(),
            bounds: [decoder(bound), decoder(bound)],
            nulls: NullBufferBuilder::new(0),
        }
    }
}

impl ColumnDecoder for RangeColumn {
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        let mut sides = [
            Vec::with_capacity(cells.len()),
            Vec::with_capacity(cells.len()),
        ];
        for (at, cell) in cells.iter().enumerate() {
            let mut value = (0, [None, None], false);
            if let Some(bytes) = cell.bytes(data) {
                let (flags, bounds) = range(bytes)?;
                if self.fits(bytes)? {
                    value = (flags, bounds, true);
                } else {
                    misfits.push(at as u32);
                }
            }
            let (flags, bounds, present) = value;
            self.flags.push(flags);
            self.nulls.append(present);
            for (side, bound) in sides.iter_mut().zip(bounds) {
                side.push(cell_of(data, bound));
            }
        }
        for (decoder, side) in self.bounds.iter_mut().zip(&sides) {
            append_parts(&mut **decoder, data, side)?;
        }
        Ok(())
    }

    fn fits(&self, bytes: &[u8]) -> Fit {
        let (_, [lower, upper]) = range(bytes)?;
        Ok(part_fits(&*self.bounds[0], lower)? && part_fits(&*self.bounds[1], upper)?)
    }

    fn finish(&mut self) -> ArrayRef {
        let flags: ArrayRef = Arc::new(UInt8Array::from(std::mem::take(&mut self.flags)));
        let [lower, upper] = &mut self.bounds;
        let columns = vec![flags, lower.finish(), upper.finish()];
        Arc::new(StructArray::new(
            self.fields.clone(),
            columns,
            self.nulls.finish(),
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
        let DataType::Map(entries_field, _) = crate::pgtype::Leaf::Hstore.data_type() else {
            return Arc::new(arrow::array::NullArray::new(0));
        };
        let DataType::Struct(fields) = entries_field.data_type() else {
            return Arc::new(arrow::array::NullArray::new(0));
        };
        let entries = StructArray::new(
            fields.clone(),
            vec![self.keys.finish(), self.values.finish()],
            None,
        );
        Arc::new(MapArray::new(entries_field, offsets, entries, nulls, false))
    }
}
