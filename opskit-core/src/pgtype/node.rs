//! A resolved type: the tree that decoder, encoder and fingerprint walk.

use super::Leaf;
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// The identity of a type: its OID in this database, and the name that means the same elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TypeName {
    /// The OID in the database the type was read from.
    pub oid: u32,
    /// Schema and name.
    pub name: QualifiedName,
}

/// A type whose binary form is known in full.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Node {
    /// Which type it is. For a domain this is the domain, and the form is that of its base type.
    pub id: TypeName,
    /// What its values look like.
    pub form: Form,
}

/// What the values of a type look like.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// A value without inner values.
    Leaf(Leaf),
    /// An array. The header of each value names the element type by OID.
    List(Box<Node>),
    /// A composite. Each value names the type of each field by OID.
    Struct(Vec<StructField>),
    /// A range; the node is the subtype.
    Range(Box<Node>),
    /// A multirange; the node is the subtype of its ranges.
    Multirange(Box<Node>),
}

/// A field of a composite type.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StructField {
    /// Its name.
    pub name: String,
    /// Its type.
    pub node: Node,
}

impl Node {
    /// Whether values of this type carry OIDs, so that their bytes differ between databases.
    #[must_use]
    pub fn carries_oids(&self) -> bool {
        match &self.form {
            Form::Leaf(_) => false,
            Form::List(_) | Form::Struct(_) => true,
            Form::Range(bound) | Form::Multirange(bound) => bound.carries_oids(),
        }
    }
}
