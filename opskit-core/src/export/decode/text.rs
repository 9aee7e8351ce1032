//! Types of variable width, and bytes of fixed width.

use super::column::ColumnDecoder;
use super::fixed::take_values;
use crate::export::frames::Cell;
use crate::export::value::{Fit, Malformed};
use arrow::array::{ArrayRef, BinaryArray, FixedSizeBinaryArray, NullBufferBuilder, StringArray};
use arrow::buffer::{Buffer, OffsetBuffer, ScalarBuffer};
use std::sync::Arc;

/// Bytes behind offsets, with NULLs: what all columns of variable width are made of.
#[derive(Debug)]
pub(super) struct Bytes {
    pub(super) data: Vec<u8>,
    offsets: Vec<i32>,
    nulls: NullBufferBuilder,
}

/// The parts of a finished array.
struct BytesParts {
    offsets: OffsetBuffer<i32>,
    data: Buffer,
    nulls: Option<arrow::buffer::NullBuffer>,
}

impl Default for Bytes {
    fn default() -> Self {
        Self {
            data: Vec::new(),
            offsets: vec![0],
            nulls: NullBufferBuilder::new(0),
        }
    }
}

impl Bytes {
    /// Ends a value whose bytes were appended to `data`.
    #[inline]
    pub(super) fn end_value(&mut self) -> Result<(), Malformed> {
        self.offsets
            .push(i32::try_from(self.data.len()).map_err(|_| Malformed)?);
        self.nulls.append_non_null();
        Ok(())
    }

    pub(super) fn push_null(&mut self) {
        // A value that did not fit may have left bytes behind.
        let end = self.last_offset();
        self.data.truncate(end);
        self.offsets.push(end as i32);
        self.nulls.append_null();
    }

    /// Drops all values but the first `rows`.
    fn truncate(&mut self, rows: usize) {
        self.data.truncate(self.offsets[rows] as usize);
        self.offsets.truncate(rows + 1);
        self.nulls.truncate(rows);
    }

    fn last_offset(&self) -> usize {
        self.offsets.last().map_or(0, |offset| *offset as usize)
    }

    /// Appends a value per cell, without the first `skip` bytes of each.
    fn extend(&mut self, data: &[u8], cells: &[Cell], skip: usize) -> Result<(), Malformed> {
        let total: usize = cells.iter().map(|cell| cell.len.max(0) as usize).sum();
        if i32::try_from(self.data.len() + total).is_err() {
            return Err(Malformed);
        }
        self.data.reserve(total);
        self.offsets.reserve(cells.len());
        let mut valid = 0;
        for cell in cells {
            if let Some(bytes) = cell.bytes(data) {
                self.data
                    .extend_from_slice(bytes.get(skip..).ok_or(Malformed)?);
                valid += 1;
            } else {
                self.nulls.append_n_non_nulls(valid);
                self.nulls.append_null();
                valid = 0;
            }
            self.offsets.push(self.data.len() as i32);
        }
        self.nulls.append_n_non_nulls(valid);
        Ok(())
    }

    fn finish(&mut self) -> BytesParts {
        let rows = self.offsets.len();
        let offsets = std::mem::replace(&mut self.offsets, Vec::with_capacity(rows));
        self.offsets.push(0);
        BytesParts {
            // The offsets start at 0 and never fall, because `data` only grows between them.
            offsets: OffsetBuffer::new(ScalarBuffer::from(offsets)),
            data: Buffer::from_vec(take_bytes(&mut self.data)),
            nulls: self.nulls.finish(),
        }
    }

    fn finish_text(&mut self) -> ArrayRef {
        let BytesParts {
            offsets,
            data,
            nulls,
        } = self.finish();
        #[expect(
            unsafe_code,
            reason = "checking every value again costs a second pass over all text"
        )]
        // SAFETY: every value that `TextColumn` and `ConvertedColumn` leave between two offsets was
        // checked to be UTF-8 when it was appended, or was built from ASCII.
        let array = unsafe { StringArray::new_unchecked(offsets, data, nulls) };
        Arc::new(array)
    }
}

/// Takes bytes out and leaves room for as many, unless one value was huge.
fn take_bytes(bytes: &mut Vec<u8>) -> Vec<u8> {
    if bytes.len() > 1 << 24 {
        std::mem::take(bytes)
    } else {
        take_values(bytes)
    }
}

/// Text as the server sends it, after `skip` bytes that are a version.
#[derive(Debug)]
pub(super) struct TextColumn {
    bytes: Bytes,
    skip: usize,
}

/// The only version of the types that have one (`jsonb_send`, `ltree_send`).
const VERSION: u8 = 1;

impl TextColumn {
    pub(super) fn new(skip: usize) -> Self {
        Self {
            bytes: Bytes::default(),
            skip,
        }
    }

    fn text<'a>(&self, bytes: &'a [u8]) -> Result<Option<&'a [u8]>, Malformed> {
        let text = match (self.skip, bytes) {
            (0, _) => bytes,
            (_, [VERSION, text @ ..]) => text,
            (_, [_, ..]) => return Ok(None),
            (_, []) => return Err(Malformed),
        };
        // Most text in arrays is short and plain.
        let is_text = text.is_ascii() || simdutf8::basic::from_utf8(text).is_ok();
        Ok(is_text.then_some(text))
    }

    fn versions_are_known(&self, data: &[u8], cells: &[Cell]) -> bool {
        let known = |cell: &Cell| {
            cell.bytes(data)
                .is_none_or(|bytes| bytes.first() == Some(&VERSION))
        };
        self.skip == 0 || cells.iter().all(known)
    }

    /// Whether all values from the offset at `first` on are UTF-8: the whole, in one pass, and no value
    /// may start in the middle of a character.
    fn is_text_from(&self, first: usize) -> bool {
        let start = self.bytes.offsets[first] as usize;
        let data = &self.bytes.data;
        simdutf8::basic::from_utf8(&data[start..]).is_ok()
            && self.bytes.offsets[first..].iter().all(|offset| {
                data.get(*offset as usize)
                    .is_none_or(|byte| (*byte as i8) >= -0x40)
            })
    }

    /// Looks at each value alone, for the rare block that holds one that is no text.
    fn append_each(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        for (at, cell) in cells.iter().enumerate() {
            let Some(bytes) = cell.bytes(data) else {
                self.bytes.push_null();
                continue;
            };
            if let Some(text) = self.text(bytes)? {
                self.bytes.data.extend_from_slice(text);
                self.bytes.end_value()?;
            } else {
                self.bytes.push_null();
                misfits.push(at as u32);
            }
        }
        Ok(())
    }
}

impl ColumnDecoder for TextColumn {
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        let rows = self.bytes.offsets.len() - 1;
        if self.versions_are_known(data, cells) {
            let extended = self.bytes.extend(data, cells, self.skip);
            if extended.is_ok() && self.is_text_from(rows) {
                return Ok(());
            }
            // Nothing unchecked may stay, whatever happens next.
            self.bytes.truncate(rows);
            extended?;
        }
        self.append_each(data, cells, misfits)
    }

    fn fits(&self, bytes: &[u8]) -> Fit {
        self.text(bytes).map(|text| text.is_some())
    }

    fn finish(&mut self) -> ArrayRef {
        self.bytes.finish_text()
    }
}

/// Text made from a binary form, value by value.
pub(super) struct ConvertedColumn<W> {
    bytes: Bytes,
    write: W,
}

impl<W> std::fmt::Debug for ConvertedColumn<W> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ConvertedColumn").finish_non_exhaustive()
    }
}

impl<W: Fn(&[u8], &mut Vec<u8>) -> Fit> ConvertedColumn<W> {
    /// `write` must append ASCII only.
    pub(super) fn new(write: W) -> Self {
        Self {
            bytes: Bytes::default(),
            write,
        }
    }
}

impl<W: Fn(&[u8], &mut Vec<u8>) -> Fit + Send> ColumnDecoder for ConvertedColumn<W> {
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        for (at, cell) in cells.iter().enumerate() {
            let Some(bytes) = cell.bytes(data) else {
                self.bytes.push_null();
                continue;
            };
            let start = self.bytes.data.len();
            if (self.write)(bytes, &mut self.bytes.data)? && self.bytes.data[start..].is_ascii() {
                self.bytes.end_value()?;
            } else {
                self.bytes.push_null();
                misfits.push(at as u32);
            }
        }
        Ok(())
    }

    fn fits(&self, bytes: &[u8]) -> Fit {
        (self.write)(bytes, &mut Vec::new())
    }

    fn finish(&mut self) -> ArrayRef {
        self.bytes.finish_text()
    }
}

/// Bytes as they are.
#[derive(Debug, Default)]
pub(super) struct BinaryColumn {
    bytes: Bytes,
}

impl ColumnDecoder for BinaryColumn {
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        _misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        self.bytes.extend(data, cells, 0)
    }

    fn fits(&self, _bytes: &[u8]) -> Fit {
        Ok(true)
    }

    fn finish(&mut self) -> ArrayRef {
        let BytesParts {
            offsets,
            data,
            nulls,
        } = self.bytes.finish();
        Arc::new(BinaryArray::new(offsets, data, nulls))
    }
}

/// Bytes of one width.
#[derive(Debug)]
pub(super) struct FixedBytesColumn {
    width: usize,
    data: Vec<u8>,
    nulls: NullBufferBuilder,
}

impl FixedBytesColumn {
    pub(super) fn new(width: usize) -> Self {
        Self {
            width,
            data: Vec::new(),
            nulls: NullBufferBuilder::new(0),
        }
    }
}

impl ColumnDecoder for FixedBytesColumn {
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        _misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed> {
        self.data.reserve(cells.len() * self.width);
        for cell in cells {
            if let Some(bytes) = cell.bytes(data) {
                if bytes.len() != self.width {
                    return Err(Malformed);
                }
                self.data.extend_from_slice(bytes);
                self.nulls.append_non_null();
            } else {
                self.data.resize(self.data.len() + self.width, 0);
                self.nulls.append_null();
            }
        }
        Ok(())
    }

    fn fits(&self, bytes: &[u8]) -> Fit {
        if bytes.len() == self.width {
            Ok(true)
        } else {
            Err(Malformed)
        }
    }

    fn finish(&mut self) -> ArrayRef {
        let data = Buffer::from_vec(take_values(&mut self.data));
        let width = self.width as i32;
        Arc::new(FixedSizeBinaryArray::new(width, data, self.nulls.finish()))
    }
}
