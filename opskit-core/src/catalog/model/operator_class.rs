//! Operator families and classes, and the operators and functions in them.

use super::read::{ReadContext, Reading};
use super::shape::{Listing, Owner, json_value, parse, qualified, type_text};
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// An operator family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorFamily {
    /// The access method that it is for.
    pub method: String,
    /// What is in the family, but in none of its classes.
    pub members: Members,
}

/// An operator class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct OperatorClass {
    /// The access method that it is for.
    pub method: String,
    /// The family that it is in.
    pub family: QualifiedName,
    /// The type that it is for, as the server spells it.
    pub data_type: String,
    /// Whether an index on that type uses it when none is named.
    pub is_default: bool,
    /// The type that the index stores, where it is another.
    pub storage: Option<String>,
    /// What is in it.
    pub members: Members,
}

/// What an operator class or family holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Members {
    /// Its operators.
    pub operators: Vec<MemberOperator>,
    /// Its support functions.
    pub functions: Vec<MemberFunction>,
}

/// An operator in a class or family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberOperator {
    /// What the access method takes it for.
    pub strategy: u16,
    /// The operator with its types, as the server spells it.
    pub operator: String,
    /// The family that orders what it gives, for operators that order.
    pub orders_by: Option<QualifiedName>,
}

/// A support function in a class or family.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MemberFunction {
    /// What the access method takes it for.
    pub number: u16,
    /// The type on the left that it is for.
    pub left: String,
    /// The type on the right that it is for.
    pub right: String,
    /// The function with its types, as the server spells it.
    pub function: String,
}

pub(super) fn readings(cx: &ReadContext<'_>) -> Vec<Reading> {
    vec![families(cx), classes(cx)]
}

fn families(cx: &ReadContext<'_>) -> Reading {
    Listing {
        what: "the operator families",
        catalog: CatalogId::OPERATOR_FAMILY,
        table: "pg_opfamily",
        prefix: "opf",
        owner: Owner::Role,
        fields: &[
            ("method", &method("x.opfmethod")),
            ("members", &members(CatalogId::OPERATOR_FAMILY)),
        ],
        filter: "true",
        definition: |json| parse(json, Definition::OperatorFamily),
    }
    .reading(cx)
}

fn classes(cx: &ReadContext<'_>) -> Reading {
    Listing {
        what: "the operator classes",
        catalog: CatalogId::OPERATOR_CLASS,
        table: "pg_opclass",
        prefix: "opc",
        owner: Owner::Role,
        fields: &[
            ("method", &method("x.opcmethod")),
            ("family", &qualified("pg_opfamily", "opf", "x.opcfamily")),
            ("data_type", &type_text("x.opcintype")),
            ("is_default", "x.opcdefault"),
            ("storage", &type_text("x.opckeytype")),
            ("members", &members(CatalogId::OPERATOR_CLASS)),
        ],
        filter: "true",
        definition: |json| parse(json, Definition::OperatorClass),
    }
    .reading(cx)
}

fn method(oid: &str) -> String {
    format!("(select m.amname from pg_catalog.pg_am m where m.oid = {oid})")
}

/// The SQL of the [`Members`] that depend on the object `x` of `owner` itself.
fn members(owner: CatalogId) -> String {
    let (operator_rows, function_rows) = (rows_of(owner, "pg_amop"), rows_of(owner, "pg_amproc"));
    let operator = json_value(&[
        ("strategy", "m.amopstrategy"),
        (
            "operator",
            "m.amopopr::pg_catalog.regoperator::pg_catalog.text",
        ),
        (
            "orders_by",
            &qualified("pg_opfamily", "opf", "m.amopsortfamily"),
        ),
    ]);
    let function = json_value(&[
        ("number", "m.amprocnum"),
        ("left", "pg_catalog.format_type(m.amproclefttype, null)"),
        ("right", "pg_catalog.format_type(m.amprocrighttype, null)"),
        (
            "function",
            "m.amproc::pg_catalog.oid::pg_catalog.regprocedure::pg_catalog.text",
        ),
    ]);
    json_value(&[
        (
            "operators",
            &format!(
                "array(select {operator} {operator_rows} order by m.amopstrategy, \
                 m.amopopr::pg_catalog.regoperator::pg_catalog.text)"
            ),
        ),
        (
            "functions",
            &format!(
                "array(select {function} {function_rows} order by m.amprocnum, \
                 m.amproc::pg_catalog.oid::pg_catalog.regprocedure::pg_catalog.text)"
            ),
        ),
    ])
}

/// A member belongs to what it depends on directly: its class, or the family when it is loose.
fn rows_of(owner: CatalogId, table: &str) -> String {
    format!(
        "from pg_catalog.pg_depend d join pg_catalog.{table} m on m.oid = d.objid \
         where d.classid = 'pg_catalog.{table}'::pg_catalog.regclass \
         and d.refclassid = {} and d.refobjid = x.oid",
        owner.0
    )
}
