//! The outer layout of values that hold values: arrays, composites, ranges, multiranges, hstore.
//! Shared by the decoder, the fingerprint and what replaces OIDs.

use super::frames::{Cell, be_i32};
use super::value::Malformed;

/// Reads such a layout from its start, field by field.
#[derive(Debug)]
pub(super) struct Reader<'a> {
    data: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn new(data: &'a [u8]) -> Self {
        Self { data, at: 0 }
    }

    /// How much was read.
    pub(super) fn position(&self) -> usize {
        self.at
    }

    pub(super) fn int(&mut self) -> Result<i32, Malformed> {
        let value = be_i32(self.data, self.at).ok_or(Malformed)?;
        self.at += 4;
        Ok(value)
    }

    pub(super) fn oid(&mut self) -> Result<u32, Malformed> {
        Ok(self.int()? as u32)
    }

    pub(super) fn byte(&mut self) -> Result<u8, Malformed> {
        let value = *self.data.get(self.at).ok_or(Malformed)?;
        self.at += 1;
        Ok(value)
    }

    /// A length and as many bytes, or NULL.
    pub(super) fn field(&mut self) -> Result<Option<&'a [u8]>, Malformed> {
        let len = self.int()?;
        if len == -1 {
            return Ok(None);
        }
        let len = usize::try_from(len).map_err(|_| Malformed)?;
        let end = self.at.checked_add(len).ok_or(Malformed)?;
        let bytes = self.data.get(self.at..end).ok_or(Malformed)?;
        self.at = end;
        Ok(Some(bytes))
    }

    pub(super) fn end(&self) -> Result<(), Malformed> {
        if self.at == self.data.len() {
            Ok(())
        } else {
            Err(Malformed)
        }
    }
}

/// The header of an array: element type, and length and lower bound of each dimension (`array_send`).
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ArrayHeader {
    pub(super) has_nulls: i32,
    pub(super) element_oid: u32,
    /// Of fixed size, because a header is read for every value.
    dimensions: [(i32, i32); DIMENSIONS_MAX],
    count: usize,
}

/// The server's own limit (`MAXDIM`).
const DIMENSIONS_MAX: usize = 6;

impl ArrayHeader {
    pub(super) fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let count = usize::try_from(reader.int()?).map_err(|_| Malformed)?;
        let has_nulls = reader.int()?;
        let element_oid = reader.oid()?;
        let mut dimensions = [(0, 0); DIMENSIONS_MAX];
        for dimension in dimensions.get_mut(..count).ok_or(Malformed)? {
            let len = reader.int()?;
            if len < 0 {
                return Err(Malformed);
            }
            *dimension = (len, reader.int()?);
        }
        Ok(Self {
            has_nulls,
            element_oid,
            dimensions,
            count,
        })
    }

    /// Length and lower bound of each dimension.
    pub(super) fn dimensions(&self) -> &[(i32, i32)] {
        &self.dimensions[..self.count]
    }

    /// How many elements follow; the product of untrusted lengths, so it may not be used to allocate.
    pub(super) fn elements(&self) -> Result<u64, Malformed> {
        if self.count == 0 {
            return Ok(0);
        }
        self.dimensions()
            .iter()
            .try_fold(1_u64, |product, (len, _)| product.checked_mul(*len as u64))
            .ok_or(Malformed)
    }

    /// A plain list: empty, or one dimension from 1.
    pub(super) fn is_list(&self) -> bool {
        matches!(self.dimensions(), [] | [(1.., 1)])
    }
}

/// Flag bits of a range (`rangetypes.h`).
pub(super) mod range_flag {
    pub(crate) const EMPTY: u8 = 0x01;
    pub(crate) const NO_LOWER: u8 = 0x08;
    pub(crate) const NO_UPPER: u8 = 0x10;
    /// Flags that a range can have at all.
    pub(crate) const KNOWN: u8 = 0x1f;
}

/// Flags, lower and upper bound of a range; an absent bound is `None`.
type RangeParts<'a> = (u8, [Option<&'a [u8]>; 2]);

/// Takes a range apart.
pub(super) fn range(bytes: &[u8]) -> Result<RangeParts<'_>, Malformed> {
    let mut reader = Reader::new(bytes);
    let flags = reader.byte()?;
    if flags & !range_flag::KNOWN != 0 {
        return Err(Malformed);
    }
    let mut bound = |absent: u8| {
        if flags & (range_flag::EMPTY | absent) != 0 {
            return Ok(None);
        }
        reader.field()?.map(Some).ok_or(Malformed)
    };
    let bounds = [bound(range_flag::NO_LOWER)?, bound(range_flag::NO_UPPER)?];
    reader.end()?;
    Ok((flags, bounds))
}

/// The cell of `field` within `data`, of which it is a part.
pub(super) fn cell_of(data: &[u8], field: Option<&[u8]>) -> Cell {
    match field {
        Some(field) => Cell {
            start: (field.as_ptr() as usize - data.as_ptr() as usize) as u32,
            len: field.len() as i32,
        },
        None => Cell::NULL,
    }
}
