//! Operators.

use super::read::{ReadContext, Reading};
use super::shape::{Listing, Owner, function, operator, parse, type_text};
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// An operator.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Operator {
    /// The type on its left; `None`: it stands before its operand.
    pub left: Option<String>,
    /// The type on its right; `None`: it stands after its operand, before version 14.
    pub right: Option<String>,
    /// The function behind it.
    pub function: QualifiedName,
    /// The same with its sides changed.
    pub commutator: Option<QualifiedName>,
    /// Its opposite.
    pub negator: Option<QualifiedName>,
    /// Guesses how many rows it leaves.
    pub restrict: Option<QualifiedName>,
    /// Guesses how many rows a join by it leaves.
    pub join: Option<QualifiedName>,
    /// Whether a merge join may use it.
    pub merges: bool,
    /// Whether a hash join may use it.
    pub hashes: bool,
}

pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let name = |column: &str| function(&format!("x.{column}::pg_catalog.oid"));
    Listing {
        what: "the operators",
        catalog: CatalogId::OPERATOR,
        table: "pg_operator",
        prefix: "opr",
        owner: Owner::Role,
        fields: &[
            ("left", &type_text("x.oprleft")),
            ("right", &type_text("x.oprright")),
            ("function", &name("oprcode")),
            ("commutator", &operator("x.oprcom")),
            ("negator", &operator("x.oprnegate")),
            ("restrict", &name("oprrest")),
            ("join", &name("oprjoin")),
            ("merges", "x.oprcanmerge"),
            ("hashes", "x.oprcanhash"),
        ],
        // Without a function it is a name that another operator mentioned, and comes with that one.
        filter: "x.oprcode::pg_catalog.oid <> 0",
        definition: |json| parse(json, Definition::Operator),
    }
    .reading(cx)
}
