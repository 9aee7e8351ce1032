//! One decoder per column: bytes of fields in, an Arrow array out.

use super::fixed::{self, FixedColumn};
use super::list::{ListColumn, MapColumn, MultirangeColumn};
use super::nested::{RangeColumn, StructColumn};
use super::pair::{IntervalColumn, TimeTzColumn};
use super::text::{BinaryColumn, ConvertedColumn, FixedBytesColumn, TextColumn};
use crate::export::frames::Cell;
use crate::export::value::{self, Fit, Malformed};
use crate::pgtype::{Form, Leaf, Node};
use arrow::array::ArrayRef;
use std::fmt;

/// Collects the values of one column, or of one place inside the values of a column.
pub(super) trait ColumnDecoder: fmt::Debug + Send {
    /// Appends one value per cell. A value with no standard form is appended as NULL, and its place
    /// among `cells` goes to `misfits`.
    fn append(
        &mut self,
        data: &[u8],
        cells: &[Cell],
        misfits: &mut Vec<u32>,
    ) -> Result<(), Malformed>;

    /// Whether a value, that is not NULL, has a standard form. Parents ask before they append a part
    /// of it, since a value is kept whole or not at all.
    fn fits(&self, bytes: &[u8]) -> Fit;

    /// The values so far; starts anew.
    fn finish(&mut self) -> ArrayRef;
}

/// The decoder for values of type `node`.
pub(super) fn decoder(node: &Node) -> Box<dyn ColumnDecoder> {
    match &node.form {
        Form::Leaf(leaf) => leaf_decoder(*leaf),
        Form::List(element) => Box::new(ListColumn::new(element)),
        Form::Struct(fields) => Box::new(StructColumn::new(fields)),
        Form::Range(bound) => Box::new(RangeColumn::new(bound)),
        Form::Multirange(bound) => Box::new(MultirangeColumn::new(bound)),
    }
}

fn leaf_decoder(leaf: Leaf) -> Box<dyn ColumnDecoder> {
    match leaf {
        Leaf::Bool => Box::new(fixed::BoolColumn::default()),
        Leaf::Int2 => Box::new(FixedColumn::<fixed::Int2>::default()),
        Leaf::Int4 => Box::new(FixedColumn::<fixed::Int4>::default()),
        Leaf::Int8 | Leaf::Money => Box::new(FixedColumn::<fixed::Int8>::default()),
        Leaf::UInt4 => Box::new(FixedColumn::<fixed::UInt4>::default()),
        Leaf::UInt8 => Box::new(FixedColumn::<fixed::UInt8>::default()),
        Leaf::Float4 => Box::new(FixedColumn::<fixed::Float4>::default()),
        Leaf::Float8 => Box::new(FixedColumn::<fixed::Float8>::default()),
        Leaf::Timestamp => Box::new(FixedColumn::<fixed::Timestamp>::default()),
        Leaf::TimestampTz => Box::new(FixedColumn::<fixed::TimestampTz>::default()),
        Leaf::Date => Box::new(FixedColumn::<fixed::Date>::default()),
        Leaf::Time => Box::new(FixedColumn::<fixed::Time>::default()),
        Leaf::TimeTz => Box::new(TimeTzColumn::default()),
        Leaf::Interval => Box::new(IntervalColumn::default()),
        Leaf::Decimal {
            precision,
            scale,
            dscale,
        } => super::decimal::decoder(precision, scale, dscale),
        Leaf::Uuid => Box::new(FixedBytesColumn::new(16)),
        Leaf::MacAddr => Box::new(FixedBytesColumn::new(6)),
        Leaf::MacAddr8 => Box::new(FixedBytesColumn::new(8)),
        Leaf::Bytea | Leaf::Opaque => Box::new(BinaryColumn::default()),
        Leaf::Text | Leaf::Json => Box::new(TextColumn::new(0)),
        Leaf::Jsonb | Leaf::VersionedText => Box::new(TextColumn::new(1)),
        Leaf::Char => Box::new(ConvertedColumn::new(char_text)),
        Leaf::NumericText => Box::new(ConvertedColumn::new(value::numeric::write_text)),
        Leaf::Inet => Box::new(ConvertedColumn::new(|bytes, out| {
            value::address::write_text(bytes, value::address::Kind::Inet, out)
        })),
        Leaf::Cidr => Box::new(ConvertedColumn::new(|bytes, out| {
            value::address::write_text(bytes, value::address::Kind::Cidr, out)
        })),
        Leaf::Bits => Box::new(ConvertedColumn::new(value::bits::write_text)),
        Leaf::Hstore => Box::new(MapColumn::default()),
    }
}

/// `"char"` is one byte, where zero means empty; a byte above ASCII is no text.
fn char_text(bytes: &[u8], out: &mut Vec<u8>) -> Fit {
    match bytes {
        [0] => Ok(true),
        [byte] if byte.is_ascii() => {
            out.push(*byte);
            Ok(true)
        }
        [_] => Ok(false),
        _ => Err(Malformed),
    }
}
