//! From the catalog's rows to a [`Node`].

use super::{Form, Leaf, Node, StructField, TypeName};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use std::collections::HashMap;

/// One row of `pg_type` and what belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TypeInfo {
    /// Its OID.
    pub oid: u32,
    /// Schema and name.
    pub name: QualifiedName,
    /// The name of its send function; empty when there is none.
    pub send: String,
    /// Its kind, with the types it is made of.
    pub kind: TypeKind,
}

/// The kind of a type, with the OIDs of the types it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TypeKind {
    /// A base type, enum or pseudo-type.
    Base,
    /// A true array of this element type.
    Array(u32),
    /// A domain over this type with this type modifier.
    Domain(u32, i32),
    /// A range over this subtype.
    Range(u32),
    /// A multirange over this range type.
    Multirange(u32),
    /// A composite with these attributes.
    Composite(Vec<Attribute>),
}

/// An attribute of a composite type.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    /// Its name.
    pub name: String,
    /// Its type.
    pub type_oid: u32,
    /// Its type modifier.
    pub modifier: i32,
}

/// Types by OID, closed under "is made of".
#[derive(Debug, Clone, Default)]
pub struct TypeCatalog(HashMap<u32, TypeInfo>);

/// Types nest a few levels; a catalog that says otherwise is damaged or hostile.
const DEPTH_MAX: u8 = 32;

impl TypeCatalog {
    /// A catalog of these types.
    pub fn new(types: impl IntoIterator<Item = TypeInfo>) -> Self {
        Self(types.into_iter().map(|info| (info.oid, info)).collect())
    }

    /// The type with this OID.
    pub fn get(&self, oid: u32) -> Result<&TypeInfo> {
        self.0.get(&oid).ok_or_else(|| {
            Error::new(
                ErrorKind::Internal,
                format!("type with OID {oid} was not read from the catalog"),
            )
        })
    }

    /// Whether nobody but the server can say what `::text` of this type gives: its own base types, which
    /// no user owns, and domains, whose casts are ignored.
    pub(crate) fn has_own_cast(&self, oid: u32) -> Result<bool> {
        let info = self.get(oid)?;
        Ok(match info.kind {
            TypeKind::Domain(..) => true,
            TypeKind::Base => info.name.schema == "pg_catalog",
            _ => false,
        })
    }

    /// Resolves a type with its modifier. `None` when its values must be read as text, because they or
    /// something inside them have no portable binary form.
    pub fn resolve(&self, oid: u32, modifier: i32) -> Result<Option<Node>> {
        self.resolve_at(oid, modifier, DEPTH_MAX)
    }

    fn resolve_at(&self, oid: u32, modifier: i32, depth: u8) -> Result<Option<Node>> {
        let info = self.get(oid)?;
        let Some(depth) = depth.checked_sub(1) else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("type \"{}\" nests too deeply", info.name),
            ));
        };
        let inner = |oid, modifier| self.resolve_at(oid, modifier, depth);
        let form = match &info.kind {
            TypeKind::Base => match Leaf::of_send_function(&info.send) {
                Some(Leaf::NumericText) => Some(Form::Leaf(Leaf::numeric(modifier))),
                leaf => leaf.map(Form::Leaf),
            },
            // A modifier of an array column is that of its elements.
            TypeKind::Array(element) => {
                inner(*element, modifier)?.map(|node| Form::List(Box::new(node)))
            }
            TypeKind::Domain(base, modifier) => inner(*base, *modifier)?.map(|node| node.form),
            TypeKind::Range(bound) => inner(*bound, -1)?.map(|node| Form::Range(Box::new(node))),
            TypeKind::Multirange(range) => match inner(*range, -1)?.map(|node| node.form) {
                Some(Form::Range(bound)) => Some(Form::Multirange(bound)),
                _ => None,
            },
            TypeKind::Composite(attributes) => {
                let fields: Result<Option<Vec<StructField>>> = attributes
                    .iter()
                    .map(|attribute| {
                        let node = inner(attribute.type_oid, attribute.modifier)?;
                        Ok(node.map(|node| StructField {
                            name: attribute.name.clone(),
                            node,
                        }))
                    })
                    .collect();
                // Arrow and Parquet have no struct without fields; text keeps such a value exactly.
                fields?
                    .filter(|fields| !fields.is_empty())
                    .map(Form::Struct)
            }
        };
        let id = TypeName {
            oid,
            name: info.name.clone(),
        };
        Ok(form.map(|form| Node { id, form }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn info(oid: u32, name: &str, send: &str, kind: TypeKind) -> TypeInfo {
        TypeInfo {
            oid,
            name: QualifiedName::new("pg_catalog", name),
            send: send.into(),
            kind,
        }
    }

    fn catalog() -> TypeCatalog {
        let attribute = |name: &str, type_oid| Attribute {
            name: name.into(),
            type_oid,
            modifier: -1,
        };
        TypeCatalog::new([
            info(23, "int4", "int4send", TypeKind::Base),
            info(142, "xml", "xml_send", TypeKind::Base),
            info(1700, "numeric", "numeric_send", TypeKind::Base),
            info(1231, "_numeric", "array_send", TypeKind::Array(1700)),
            info(
                900,
                "price",
                "domain_send",
                TypeKind::Domain(1700, ((12 << 16) | 2) + 4),
            ),
            info(
                901,
                "pair",
                "record_send",
                TypeKind::Composite(vec![attribute("a", 23), attribute("b", 900)]),
            ),
            info(
                902,
                "doc",
                "record_send",
                TypeKind::Composite(vec![attribute("x", 142)]),
            ),
            info(903, "_doc", "array_send", TypeKind::Array(902)),
            info(904, "loop", "array_send", TypeKind::Array(904)),
        ])
    }

    #[test]
    fn array_elements_take_the_modifier() {
        let node = catalog()
            .resolve(1231, ((9 << 16) | 1) + 4)
            .unwrap()
            .unwrap();
        let Form::List(element) = node.form else {
            panic!("not a list")
        };
        assert_eq!(
            element.form,
            Form::Leaf(Leaf::Decimal {
                precision: 9,
                scale: 1,
                dscale: 1
            })
        );
    }

    #[test]
    fn domains_keep_their_name_and_take_the_base_form() {
        let node = catalog().resolve(900, -1).unwrap().unwrap();
        assert_eq!(node.id.oid, 900);
        assert_eq!(
            node.form,
            Form::Leaf(Leaf::Decimal {
                precision: 12,
                scale: 2,
                dscale: 2
            })
        );
    }

    #[test]
    fn one_field_without_binary_form_makes_the_whole_value_text() {
        assert!(catalog().resolve(902, -1).unwrap().is_none());
        assert!(catalog().resolve(903, -1).unwrap().is_none());
        assert!(catalog().resolve(901, -1).unwrap().is_some());
    }

    #[test]
    fn endless_nesting_is_refused() {
        assert_eq!(
            catalog().resolve(904, -1).unwrap_err().kind(),
            ErrorKind::Unsupported
        );
    }
}
