//! Functions, procedures and window functions.

use super::read::{ReadContext, Reading};
use super::shape::{Listing, Owner, not_internal, parse};
use super::{CatalogId, Definition};
use serde::{Deserialize, Serialize};

/// A function, procedure or window function.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Function {
    /// What it is.
    pub kind: FunctionKind,
    /// What tells it from others of its name.
    pub arguments: String,
    /// Its language.
    pub language: String,
    /// Whether that language keeps it from what its owner may not do.
    pub language_is_trusted: bool,
    /// The planner may run it before a security barrier.
    pub leakproof: bool,
    /// The planner asks a function about it.
    pub has_support: bool,
    /// It sets a parameter that only a superuser may set.
    pub sets_reserved: bool,
    /// The whole statement, as `pg_get_functiondef` gives it.
    pub text: String,
}

/// Kinds of functions that are made alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum FunctionKind {
    /// An ordinary function.
    #[serde(alias = "f")]
    Function,
    /// A procedure.
    #[serde(alias = "p")]
    Procedure,
    /// A window function.
    #[serde(alias = "w")]
    Window,
}

pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let language = |column: &str| {
        format!("(select l.{column} from pg_catalog.pg_language l where l.oid = x.prolang)")
    };
    let sets_reserved = "exists (select from pg_catalog.unnest(x.proconfig) s (setting) \
         where pg_catalog.lower(pg_catalog.split_part(s.setting, '=', 1)) = any \
         ((select pg_catalog.array_agg(pg_catalog.lower(g.name)) from pg_catalog.pg_settings g \
         where g.context like 'superuser%')::pg_catalog.text[]))";
    Listing {
        what: "the functions",
        catalog: CatalogId::PROC,
        table: "pg_proc",
        prefix: "pro",
        owner: Owner::Role,
        fields: &[
            ("kind", "x.prokind"),
            (
                "arguments",
                "pg_catalog.pg_get_function_identity_arguments(x.oid)",
            ),
            ("language", &language("lanname")),
            ("language_is_trusted", &language("lanpltrusted")),
            ("leakproof", "x.proleakproof"),
            ("has_support", "x.prosupport::pg_catalog.oid <> 0"),
            ("sets_reserved", sets_reserved),
            ("text", "pg_catalog.pg_get_functiondef(x.oid)"),
        ],
        filter: &format!(
            "x.prokind in ('f', 'p', 'w') and {}",
            not_internal(CatalogId::PROC, "x.oid")
        ),
        definition: |json| parse(json, Definition::Function),
    }
    .reading(cx)
}
