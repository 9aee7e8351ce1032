//! What values take once they are decoded, asked before they are: most take about what they took on the
//! wire, but a short `numeric` can have a long text, and a NULL composite is a NULL in each of its fields.

use crate::export::frames::Block;
use crate::export::shape::{ArrayHeader, Reader, range};
use crate::export::value::Malformed;
use crate::export::value::numeric::text_len;
use crate::pgtype::{Form, Leaf, Node, RowType};
use arrow::datatypes::DataType;

/// An offset of a list or a text.
const OFFSET: usize = 4;

/// What the values of a row take beside the bytes that are copied from the wire as they are.
#[derive(Debug)]
pub(super) struct RowFootprint {
    /// The columns whose values take the same, whatever they are.
    fixed: usize,
    /// The others, with their places.
    growing: Vec<(usize, Footprint)>,
}

impl RowFootprint {
    pub(super) fn new(row_type: &RowType) -> Self {
        let mut row = Self {
            fixed: 0,
            growing: Vec::new(),
        };
        for (at, column) in row_type.columns.iter().enumerate() {
            match Footprint::of(&column.node) {
                Footprint::Fixed(bytes) => row.fixed += bytes,
                footprint => row.growing.push((at, footprint)),
            }
        }
        row
    }

    /// What each row takes, where that is the same for all.
    pub(super) fn fixed(&self) -> Option<usize> {
        self.growing.is_empty().then_some(self.fixed)
    }

    /// What row `row` of the block takes.
    #[inline]
    pub(super) fn of(&self, block: &Block<'_>, row: usize) -> usize {
        let cell = |at: usize| block.column(at)[row].bytes(block.data);
        let growing = self.growing.iter();
        self.fixed + growing.map(|(at, of)| of.field(cell(*at))).sum::<usize>()
    }
}

/// What a value of some type takes.
#[derive(Debug)]
enum Footprint {
    /// Always as much.
    Fixed(usize),
    /// So many times what it took on the wire.
    Times(usize),
    Numeric,
    List(Box<Self>),
    Struct(Vec<Self>),
    Range(Box<Self>),
    Multirange(Box<Self>),
}

impl Footprint {
    fn of(node: &Node) -> Self {
        match &node.form {
            Form::Leaf(leaf) => Self::of_leaf(*leaf),
            Form::List(element) => Self::List(Box::new(Self::of(element))),
            Form::Struct(fields) => {
                Self::Struct(fields.iter().map(|field| Self::of(&field.node)).collect())
            }
            Form::Range(bound) => Self::Range(Box::new(Self::of(bound))),
            Form::Multirange(bound) => {
                Self::Multirange(Box::new(Self::Range(Box::new(Self::of(bound)))))
            }
        }
    }

    fn of_leaf(leaf: Leaf) -> Self {
        match leaf {
            Leaf::NumericText => Self::Numeric,
            // A character for each bit.
            Leaf::Bits => Self::Times(8),
            // 43 characters for 20 bytes.
            Leaf::Inet | Leaf::Cidr => Self::Times(3),
            // Two offsets for an entry, which took two lengths.
            Leaf::Hstore => Self::Times(1),
            _ => Self::Fixed(width(&leaf.data_type())),
        }
    }

    fn field(&self, bytes: Option<&[u8]>) -> usize {
        match bytes {
            None => self.null(),
            // The decoder says what is wrong with it.
            Some(bytes) => self.value(bytes).unwrap_or_else(|_| self.null()),
        }
    }

    fn null(&self) -> usize {
        match self {
            Self::Fixed(bytes) => *bytes,
            Self::Times(_) | Self::Numeric | Self::List(_) | Self::Multirange(_) => OFFSET,
            Self::Struct(fields) => fields.iter().map(Self::null).sum(),
            Self::Range(bound) => 1 + 2 * bound.null(),
        }
    }

    fn value(&self, bytes: &[u8]) -> Result<usize, Malformed> {
        match self {
            Self::Fixed(_) => Ok(self.null()),
            Self::Times(times) => Ok(OFFSET + times * bytes.len()),
            Self::Numeric => Ok(OFFSET + text_len(bytes)?),
            Self::List(element) => Ok(OFFSET + element.list(bytes)?),
            Self::Struct(fields) => {
                let mut reader = Reader::new(bytes);
                reader.int()?;
                let mut sum = 0;
                for field in fields {
                    reader.oid()?;
                    sum += field.field(reader.field()?);
                }
                Ok(sum)
            }
            Self::Range(bound) => {
                let (_, bounds) = range(bytes)?;
                Ok(1 + bounds.into_iter().map(|at| bound.field(at)).sum::<usize>())
            }
            Self::Multirange(range) => {
                let mut reader = Reader::new(bytes);
                let count = reader.int()?;
                let mut sum = OFFSET;
                for _ in 0..count {
                    sum += range.field(reader.field()?);
                }
                Ok(sum)
            }
        }
    }

    /// What the elements of an array take.
    fn list(&self, bytes: &[u8]) -> Result<usize, Malformed> {
        let mut reader = Reader::new(bytes);
        let count = ArrayHeader::read(&mut reader)?.elements()?;
        // Each element has at least a length, whatever the header says.
        let count = usize::try_from(count).map_or(usize::MAX, |count| count.min(bytes.len() / 4));
        if let Self::Fixed(width) = self {
            return Ok(count * width);
        }
        let mut sum = 0;
        for _ in 0..count {
            sum += self.field(reader.field()?);
        }
        Ok(sum)
    }
}

/// What a value of this type takes, beside bytes that are copied.
fn width(data_type: &DataType) -> usize {
    match data_type {
        DataType::FixedSizeBinary(width) => usize::try_from(*width).unwrap_or(0),
        DataType::Struct(fields) => fields.iter().map(|field| width(field.data_type())).sum(),
        DataType::Boolean => 1,
        other => other.primitive_width().unwrap_or(OFFSET),
    }
}
