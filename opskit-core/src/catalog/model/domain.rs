//! Domains, and their constraints as objects of their own.

use super::read::{ReadContext, Reading, not_of_extension};
use super::shape::{Listing, Owner, json, own_collation, parse};
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// `NOT NULL` of a domain is a constraint with a name from this version on.
const NOT_NULL_CONSTRAINTS: u32 = 170_000;

/// A domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Domain {
    /// Its base type, as the server spells it.
    pub base: String,
    /// Its collation, where it is not the base type's.
    pub collation: Option<QualifiedName>,
    /// The expression of its default.
    pub default: Option<String>,
    /// Whether it refuses NULL, where that is no constraint with a name.
    pub not_null: bool,
}

/// A constraint of a domain.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DomainConstraint {
    /// The domain.
    pub domain: QualifiedName,
    /// The constraint as `pg_get_constraintdef` gives it.
    pub text: String,
    /// Whether values that were there before it were checked.
    pub validated: bool,
}

pub(super) fn readings(cx: &ReadContext<'_>) -> Vec<Reading> {
    vec![domains(cx), constraints(cx)]
}

fn domains(cx: &ReadContext<'_>) -> Reading {
    let not_null = if cx.server_version >= NOT_NULL_CONSTRAINTS {
        "false"
    } else {
        "x.typnotnull"
    };
    Listing {
        what: "the domains",
        catalog: CatalogId::TYPE,
        table: "pg_type",
        prefix: "typ",
        owner: Owner::Role,
        fields: &[
            ("base", "pg_catalog.format_type(x.typbasetype, x.typtypmod)"),
            (
                "collation",
                &own_collation("x.typcollation", "x.typbasetype"),
            ),
            ("default", "pg_catalog.pg_get_expr(x.typdefaultbin, 0)"),
            ("not_null", not_null),
        ],
        filter: "x.typtype = 'd'",
        definition: |json| parse(json, Definition::Domain),
    }
    .reading(cx)
}

fn constraints(cx: &ReadContext<'_>) -> Reading {
    let domain = "pg_catalog.json_build_object('schema', n.nspname, 'name', t.typname)";
    let sql = format!(
        "select k.oid, n.nspname, k.conname, null::pg_catalog.text, {} \
         from pg_catalog.pg_constraint k join pg_catalog.pg_type t on t.oid = k.contypid \
         join pg_catalog.pg_namespace n on n.oid = t.typnamespace where {} and {}",
        json(&[
            ("domain", domain),
            ("text", "pg_catalog.pg_get_constraintdef(k.oid)"),
            ("validated", "k.convalidated"),
        ]),
        cx.in_scope("n"),
        not_of_extension(CatalogId::TYPE, "t.oid"),
    );
    Reading {
        what: "the constraints of domains",
        catalog: CatalogId::CONSTRAINT,
        sql,
        definition: |json| parse(json, Definition::DomainConstraint),
    }
}
