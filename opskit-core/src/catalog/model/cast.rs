//! Casts.

use super::read::{ReadContext, Reading, not_of_extension};
use super::shape::{FIRST_USER_OID, json, not_internal, parse};
use super::{CatalogId, Definition};
use serde::{Deserialize, Serialize};

/// A cast. Its name is `(source AS target)`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Cast {
    /// How values are converted.
    pub method: CastMethod,
    /// When the server does it unasked.
    pub context: CastContext,
    /// The function with its types, as the server spells it.
    pub function: Option<String>,
    /// One of its types was made by a user, so that it has an owner who may make casts.
    pub has_user_type: bool,
}

/// How a cast converts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CastMethod {
    /// By a function.
    #[serde(alias = "f")]
    Function,
    /// Through text.
    #[serde(alias = "i")]
    InOut,
    /// Not at all: both types have the same bytes.
    #[serde(alias = "b")]
    Binary,
}

/// When a cast is applied.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CastContext {
    /// When asked for.
    #[serde(alias = "e")]
    Explicit,
    /// In assignments too.
    #[serde(alias = "a")]
    Assignment,
    /// In any expression.
    #[serde(alias = "i")]
    Implicit,
}

/// Casts have no schema: one is in scope when its types and its function are the server's, an
/// extension's, or in scope themselves.
pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let outside = |catalog: CatalogId, table: &str, prefix: &str, oid: &str| {
        format!(
            "exists (select from pg_catalog.{table} o \
             join pg_catalog.pg_namespace n on n.oid = o.{prefix}namespace where o.oid = {oid} \
             and n.nspname not in ('pg_catalog', 'information_schema') and not {} and {})",
            cx.in_scope("n"),
            not_of_extension(catalog, "o.oid"),
        )
    };
    let user_type = format!(
        "exists (select from pg_catalog.pg_type o where o.oid in (x.castsource, x.casttarget) \
         and o.oid >= {FIRST_USER_OID} and {})",
        not_of_extension(CatalogId::TYPE, "o.oid")
    );
    let sql = format!(
        "select x.oid, null::pg_catalog.text, pg_catalog.format('(%s AS %s)', \
         pg_catalog.format_type(x.castsource, null), pg_catalog.format_type(x.casttarget, null)), \
         null::pg_catalog.text, {} from pg_catalog.pg_cast x where x.oid >= {FIRST_USER_OID} \
         and {} and {} and not {} and not {} and not {}",
        json(&[
            ("method", "x.castmethod"),
            ("context", "x.castcontext"),
            (
                "function",
                "case when x.castfunc <> 0 then \
                 x.castfunc::pg_catalog.regprocedure::pg_catalog.text end",
            ),
            ("has_user_type", &user_type),
        ]),
        not_of_extension(CatalogId::CAST, "x.oid"),
        not_internal(CatalogId::CAST, "x.oid"),
        outside(CatalogId::TYPE, "pg_type", "typ", "x.castsource"),
        outside(CatalogId::TYPE, "pg_type", "typ", "x.casttarget"),
        outside(CatalogId::PROC, "pg_proc", "pro", "x.castfunc"),
    );
    Reading {
        what: "the casts",
        catalog: CatalogId::CAST,
        sql,
        definition: |json| parse(json, Definition::Cast),
    }
}
