//! Values that hold values name the types of those by OID. Before version 14 a server takes in only its own OIDs,
//! so those of the source are replaced. The bytes stay as many as they are.

use super::shape::{ArrayHeader, Reader, cell_of, range};
use super::value::Malformed;
use crate::pgtype::{Form, Node};

/// Replaces the OIDs within a value of type `from` by those of `to`, which is the same type of another database.
pub(super) fn retype(from: &Node, to: &Node, value: &mut [u8]) -> Result<(), Malformed> {
    let mut places = Vec::new();
    find(from, to, value, value, &mut places)?;
    for (at, oid) in places {
        let place = value.get_mut(at..at + 4).ok_or(Malformed)?;
        place.copy_from_slice(&oid.to_be_bytes());
    }
    Ok(())
}

/// Where an OID stands in the whole value, and what it becomes.
type Place = (usize, u32);

/// Finds the OIDs within `bytes`, which is a part of `whole`.
fn find(
    from: &Node,
    to: &Node,
    whole: &[u8],
    bytes: &[u8],
    places: &mut Vec<Place>,
) -> Result<(), Malformed> {
    let start = cell_of(whole, Some(bytes)).start as usize;
    match (&from.form, &to.form) {
        (Form::List(from), Form::List(to)) => {
            let mut reader = Reader::new(bytes);
            let header = ArrayHeader::read(&mut reader)?;
            // After the number of dimensions and the flags.
            places.push((start + 8, renamed(from, to, header.element_oid)?));
            for _ in 0..header.elements()? {
                inner(from, to, whole, reader.field()?, places)?;
            }
            reader.end()
        }
        (Form::Struct(from), Form::Struct(to)) => {
            let mut reader = Reader::new(bytes);
            if usize::try_from(reader.int()?) != Ok(from.len()) || from.len() != to.len() {
                return Err(Malformed);
            }
            for (from, to) in from.iter().zip(to) {
                let at = start + reader.position();
                places.push((at, renamed(&from.node, &to.node, reader.oid()?)?));
                inner(&from.node, &to.node, whole, reader.field()?, places)?;
            }
            reader.end()
        }
        (Form::Range(from), Form::Range(to)) => bounds(from, to, whole, bytes, places),
        (Form::Multirange(from), Form::Multirange(to)) => {
            let mut reader = Reader::new(bytes);
            for _ in 0..reader.int()? {
                let one = reader.field()?.ok_or(Malformed)?;
                bounds(from, to, whole, one, places)?;
            }
            reader.end()
        }
        _ => Ok(()),
    }
}

fn bounds(
    from: &Node,
    to: &Node,
    whole: &[u8],
    bytes: &[u8],
    places: &mut Vec<Place>,
) -> Result<(), Malformed> {
    for bound in range(bytes)?.1 {
        inner(from, to, whole, bound, places)?;
    }
    Ok(())
}

fn inner(
    from: &Node,
    to: &Node,
    whole: &[u8],
    bytes: Option<&[u8]>,
    places: &mut Vec<Place>,
) -> Result<(), Malformed> {
    match bytes {
        Some(bytes) if from.carries_oids() => find(from, to, whole, bytes, places),
        _ => Ok(()),
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
