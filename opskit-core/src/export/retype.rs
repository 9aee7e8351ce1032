//! Values that hold values name the types of those by OID. Before version 14 a server takes in only its own OIDs,
//! so those of the source are replaced. The bytes stay as many as they are.

use super::shape::{ArrayHeader, Reader, cell_of, range};
use super::value::Malformed;
use crate::pgtype::{Form, Node};

/// Replaces the OIDs within a value of type `from` by those of `to`, which is the same type of another database.
pub(super) fn retype(from: &Node, to: &Node, value: &mut [u8]) -> Result<(), Malformed> {
    let mut oids = Oids {
        whole: value,
        found: Vec::new(),
    };
    oids.of_value(from, to, value)?;
    for (at, oid) in oids.found {
        let place = value.get_mut(at..at + 4).ok_or(Malformed)?;
        place.copy_from_slice(&oid.to_be_bytes());
    }
    Ok(())
}

/// The OIDs within a value: where each stands, and what it becomes.
struct Oids<'a> {
    whole: &'a [u8],
    found: Vec<(usize, u32)>,
}

impl Oids<'_> {
    /// Finds those within `bytes`, which is a part of the whole.
    fn of_value(&mut self, from: &Node, to: &Node, bytes: &[u8]) -> Result<(), Malformed> {
        let start = cell_of(self.whole, Some(bytes)).start as usize;
        let mut reader = Reader::new(bytes);
        match (&from.form, &to.form) {
            (Form::List(from), Form::List(to)) => {
                let header = ArrayHeader::read(&mut reader)?;
                // After the number of dimensions and the flags.
                let oid = renamed(from, to, header.element_oid)?;
                self.found.push((start + 8, oid));
                for _ in 0..header.elements()? {
                    self.of_field(from, to, reader.field()?)?;
                }
                reader.end()
            }
            (Form::Struct(from), Form::Struct(to)) => {
                if usize::try_from(reader.int()?) != Ok(from.len()) || from.len() != to.len() {
                    return Err(Malformed);
                }
                for (from, to) in from.iter().zip(to) {
                    let at = start + reader.position();
                    let oid = renamed(&from.node, &to.node, reader.oid()?)?;
                    self.found.push((at, oid));
                    self.of_field(&from.node, &to.node, reader.field()?)?;
                }
                reader.end()
            }
            (Form::Range(from), Form::Range(to)) => self.of_bounds(from, to, bytes),
            (Form::Multirange(from), Form::Multirange(to)) => {
                for _ in 0..reader.int()? {
                    self.of_bounds(from, to, reader.field()?.ok_or(Malformed)?)?;
                }
                reader.end()
            }
            _ => Ok(()),
        }
    }

    fn of_bounds(&mut self, from: &Node, to: &Node, bytes: &[u8]) -> Result<(), Malformed> {
        let bounds = range(bytes)?.1;
        let mut bounds = bounds.into_iter();
        bounds.try_for_each(|bound| self.of_field(from, to, bound))
    }

    fn of_field(&mut self, from: &Node, to: &Node, bytes: Option<&[u8]>) -> Result<(), Malformed> {
        match bytes {
            Some(bytes) if from.carries_oids() => self.of_value(from, to, bytes),
            _ => Ok(()),
        }
    }
}

/// The OID of `to` for what must be that of `from`.
fn renamed(from: &Node, to: &Node, oid: u32) -> Result<u32, Malformed> {
    match oid == from.id.oid {
        true => Ok(to.id.oid),
        false => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::QualifiedName;
    use crate::pgtype::{Leaf, StructField, TypeName};

    fn node(oid: u32, form: Form) -> Node {
        let name = QualifiedName::new("public", "t");
        Node {
            id: TypeName { oid, name },
            form,
        }
    }

    /// An array of composites of one enum.
    fn nested(oid: u32) -> Node {
        let mood = node(oid + 2, Form::Leaf(Leaf::Text));
        let field = StructField {
            name: "m".to_owned(),
            node: mood,
        };
        let row = node(oid + 1, Form::Struct(vec![field]));
        node(oid, Form::List(Box::new(row)))
    }

    fn value(oid: u32) -> Vec<u8> {
        let mut bytes = Vec::new();
        // One dimension of two elements, the second of which is NULL.
        for word in [1, 1, oid as i32 + 1, 2, 1] {
            bytes.extend(i32::to_be_bytes(word));
        }
        for word in [15, 1, oid as i32 + 2, 3] {
            bytes.extend(i32::to_be_bytes(word));
        }
        bytes.extend(b"sad");
        bytes.extend((-1_i32).to_be_bytes());
        bytes
    }

    #[test]
    fn oids_at_every_depth_become_the_targets() {
        let mut bytes = value(100);
        retype(&nested(100), &nested(7000), &mut bytes).unwrap();
        assert_eq!(bytes, value(7000));
    }

    #[test]
    fn a_value_of_another_type_is_refused() {
        let mut bytes = value(100);
        assert!(retype(&nested(200), &nested(7000), &mut bytes).is_err());
        bytes.truncate(30);
        assert!(retype(&nested(100), &nested(7000), &mut bytes).is_err());
    }
}
