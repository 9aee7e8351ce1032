//! Values that hold a fixed number of others, composites and ranges; and what all share that hold
//! values: each finds the fields inside and hands them to the decoders below.

use super::column::{ColumnDecoder, decoder};
use crate::export::frames::Cell;
use crate::export::shape::{Reader, cell_of, range};
use crate::export::value::{Fit, Malformed};
use crate::pgtype::{Node, StructField, arrow_field};
use arrow::array::{ArrayRef, NullBufferBuilder, StructArray, UInt8Array};
use arrow::datatypes::{DataType, Field, Fields};
use std::sync::Arc;

/// Appends parts that were all found to fit.
pub(super) fn append_parts(
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

pub(super) fn part_fits(child: &dyn ColumnDecoder, part: Option<&[u8]>) -> Fit {
    part.map_or(Ok(true), |bytes| child.fits(bytes))
}

/// The parts of each value that fits, in order; `on_value` is told each value's part count.
pub(super) fn split_values<'a>(
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
