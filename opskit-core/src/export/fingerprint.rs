//! Fingerprints: whether two tables hold the same rows, whatever their order and their databases.
//!
//! A row is hashed in canonical form: its frame (field count, then a length and the bytes per field)
//! with each type OID inside a value replaced by the length and bytes of `schema.name`, and with the flag
//! of an array that says whether it has NULLs set only when it has. The hash is
//! XXH3-128 with seed 0. The fingerprint of a table is the sum of its rows' hashes modulo 2^128: rows
//! may come in any order and in any parts, and unlike with XOR a row that occurs twice counts twice.
//!
//! It finds accidents; it is no signature, since one who can choose rows can make sums meet.

use super::frames::{Block, Cell, RowVisitor};
use super::shape::{ArrayHeader, Reader, range};
use super::value::Malformed;
use crate::error::{Error, ErrorKind, Result};
use crate::pgtype::{Form, Node, RowType, TypeName};
use serde::{Deserialize, Serialize};
use std::fmt;
use xxhash_rust::xxh3::xxh3_128;

/// The fingerprint of some rows. Those of disjoint sets add up to that of their union.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct Fingerprint(u128);

impl Fingerprint {
    /// The fingerprint of these rows and the `other` ones.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self(self.0.wrapping_add(other.0))
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "xxh3-128:{:032x}", self.0)
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl From<Fingerprint> for String {
    fn from(fingerprint: Fingerprint) -> Self {
        fingerprint.to_string()
    }
}

impl TryFrom<String> for Fingerprint {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.strip_prefix("xxh3-128:")
            .filter(|digits| digits.len() == 32)
            .and_then(|digits| u128::from_str_radix(digits, 16).ok())
            .map(Self)
            .ok_or_else(|| format!("\"{text}\" is no fingerprint"))
    }
}

/// Takes the fingerprint of the rows of one stream.
#[derive(Debug)]
pub(crate) struct Fingerprinter {
    sum: u128,
    /// The columns whose values carry OIDs.
    oid_columns: Vec<(usize, Node)>,
    canonical: Vec<u8>,
}

impl Fingerprinter {
    pub(crate) fn new(row_type: &RowType) -> Self {
        let columns = row_type.columns.iter().enumerate();
        let oid_columns = columns.filter(|(_, column)| column.node.carries_oids());
        Self {
            sum: 0,
            oid_columns: oid_columns
                .map(|(at, column)| (at, column.node.clone()))
                .collect(),
            canonical: Vec::new(),
        }
    }

    pub(crate) fn fingerprint(&self) -> Fingerprint {
        Fingerprint(self.sum)
    }

    fn add(&mut self, row: &[u8]) {
        self.sum = self.sum.wrapping_add(xxh3_128(row));
    }

    /// Adds a row some of whose columns carry OIDs; `cell` tells where a column stands within the row.
    fn add_canonical(&mut self, row: &[u8], cell: impl Fn(usize) -> Cell) -> Result<(), Malformed> {
        let out = &mut self.canonical;
        out.clear();
        // Fields between those that carry OIDs are copied as one.
        let mut copied = 0;
        for (column, node) in &self.oid_columns {
            let cell = cell(*column);
            let start = (cell.start as usize).checked_sub(4).ok_or(Malformed)?;
            out.extend_from_slice(row.get(copied..start).ok_or(Malformed)?);
            let bytes = cell.bytes(row);
            field(Some(node), bytes, out)?;
            copied = start + 4 + bytes.map_or(0, <[u8]>::len);
        }
        out.extend_from_slice(row.get(copied..).ok_or(Malformed)?);
        self.sum = self.sum.wrapping_add(xxh3_128(out));
        if out.capacity() > 1 << 20 {
            // One huge row must not keep its memory for the rest of the table.
            *out = Vec::new();
        }
        Ok(())
    }
}

impl RowVisitor for Fingerprinter {
    fn visit(&mut self, block: &Block<'_>) -> Result<()> {
        if self.oid_columns.is_empty() {
            block.rows().for_each(|row| self.add(row));
            return Ok(());
        }
        for (at, (start, row)) in block.row_starts().zip(block.rows()).enumerate() {
            let cell = |column| {
                let cell = block.column(column)[at];
                Cell {
                    start: cell.start.saturating_sub(start),
                    ..cell
                }
            };
            self.add_canonical(row, cell).map_err(|_| {
                Error::new(
                    ErrorKind::Damaged,
                    "a value in the COPY stream is not what its type sends",
                )
            })?;
        }
        Ok(())
    }
}

/// Appends a field in canonical form: its new length, then its bytes.
fn field(node: Option<&Node>, bytes: Option<&[u8]>, out: &mut Vec<u8>) -> Result<(), Malformed> {
    let Some(bytes) = bytes else {
        out.extend((-1_i32).to_be_bytes());
        return Ok(());
    };
    let at = out.len();
    out.extend([0; 4]);
    match node {
        Some(node) => value(node, bytes, out)?,
        None => out.extend(bytes),
    }
    let len = i32::try_from(out.len() - at - 4).map_err(|_| Malformed)?;
    out[at..at + 4].copy_from_slice(&len.to_be_bytes());
    Ok(())
}

fn value(node: &Node, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    if !node.carries_oids() {
        out.extend(bytes);
        return Ok(());
    }
    match &node.form {
        Form::Leaf(_) => out.extend(bytes),
        Form::List(element) => list(element, bytes, out)?,
        Form::Struct(fields) => {
            let mut reader = Reader::new(bytes);
            let count = reader.int()?;
            if usize::try_from(count) != Ok(fields.len()) {
                return Err(Malformed);
            }
            out.extend(count.to_be_bytes());
            for inner in fields {
                type_name(&inner.node.id, reader.oid()?, out)?;
                field(Some(&inner.node), reader.field()?, out)?;
            }
            reader.end()?;
        }
        Form::Range(bound) => range_value(bound, bytes, out)?,
        Form::Multirange(bound) => {
            let mut reader = Reader::new(bytes);
            let count = reader.int()?;
            out.extend(count.to_be_bytes());
            for _ in 0..count {
                let at = out.len();
                out.extend([0; 4]);
                range_value(bound, reader.field()?.ok_or(Malformed)?, out)?;
                let len = i32::try_from(out.len() - at - 4).map_err(|_| Malformed)?;
                out[at..at + 4].copy_from_slice(&len.to_be_bytes());
            }
            reader.end()?;
        }
    }
    Ok(())
}

fn list(element: &Node, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let mut reader = Reader::new(bytes);
    let header = ArrayHeader::read(&mut reader)?;
    out.extend((header.dimensions().len() as i32).to_be_bytes());
    // The flag may stay set after the last NULL is gone, and a server that takes the value in drops it.
    let flag = out.len();
    out.extend(0_i32.to_be_bytes());
    type_name(&element.id, header.element_oid, out)?;
    for (len, lower) in header.dimensions() {
        out.extend(len.to_be_bytes());
        out.extend(lower.to_be_bytes());
    }
    let mut has_nulls = false;
    for _ in 0..header.elements()? {
        let bytes = reader.field()?;
        has_nulls |= bytes.is_none();
        field(Some(element), bytes, out)?;
    }
    out[flag..flag + 4].copy_from_slice(&i32::from(has_nulls).to_be_bytes());
    reader.end()
}

fn range_value(bound: &Node, bytes: &[u8], out: &mut Vec<u8>) -> Result<(), Malformed> {
    let (flags, bounds) = range(bytes)?;
    out.push(flags);
    for bytes in bounds.into_iter().flatten() {
        field(Some(bound), Some(bytes), out)?;
    }
    Ok(())
}

/// Appends the name of the type that the OID must be.
fn type_name(id: &TypeName, oid: u32, out: &mut Vec<u8>) -> Result<(), Malformed> {
    if id.oid != oid {
        return Err(Malformed);
    }
    for part in [&id.name.schema, &id.name.name] {
        out.extend((part.len() as u32).to_be_bytes());
        out.extend(part.as_bytes());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::QualifiedName;
    use crate::pgtype::{ColumnType, Leaf};

    fn int_array_row(oid: u32) -> RowType {
        let int4 = Node {
            id: TypeName {
                oid,
                name: QualifiedName::new("pg_catalog", "int4"),
            },
            form: Form::Leaf(Leaf::Int4),
        };
        let array = Node {
            id: TypeName {
                oid: 1,
                name: QualifiedName::new("pg_catalog", "_int4"),
            },
            form: Form::List(Box::new(int4)),
        };
        let column = ColumnType {
            name: "a".into(),
            sql_type: "integer[]".into(),
            node: array,
            as_text: false,
            by_output: false,
            not_null: false,
            generated: false,
            enum_labels: Vec::new(),
        };
        RowType {
            columns: vec![column],
        }
    }

    fn row(oid: u32) -> Vec<u8> {
        let words = [1, 0, oid as i32, 1, 1, 4, 7];
        let value: Vec<u8> = words
            .iter()
            .flat_map(|word: &i32| word.to_be_bytes())
            .collect();
        let mut row = vec![0, 1];
        row.extend((value.len() as i32).to_be_bytes());
        row.extend(value);
        row
    }

    /// The only field of such a row, after the field count and its length.
    fn only_cell(_: usize) -> Cell {
        Cell { start: 6, len: 28 }
    }

    #[test]
    fn oids_inside_values_do_not_matter() {
        let fingerprint = |oid| {
            let mut fingerprinter = Fingerprinter::new(&int_array_row(oid));
            fingerprinter.add_canonical(&row(oid), only_cell).unwrap();
            fingerprinter.fingerprint()
        };
        assert_eq!(fingerprint(23), fingerprint(90_001));
        let mut other = Fingerprinter::new(&int_array_row(23));
        assert_eq!(other.add_canonical(&row(24), only_cell), Err(Malformed));
    }

    #[test]
    fn a_row_that_occurs_twice_counts_twice() {
        let mut once = Fingerprinter::new(&RowType::default());
        once.add(b"row");
        let one = once.fingerprint();
        once.add(b"row");
        assert_eq!(once.fingerprint(), one.plus(one));
        assert_ne!(once.fingerprint(), Fingerprint::default());
    }

    #[test]
    fn text_form_comes_back() {
        let text = String::from(Fingerprint(42));
        assert_eq!(text, "xxh3-128:0000000000000000000000000000002a");
        assert_eq!(Fingerprint::try_from(text), Ok(Fingerprint(42)));
        assert!(Fingerprint::try_from("xxh3-128:2a".to_owned()).is_err());
    }
}
