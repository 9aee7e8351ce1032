//! Languages, transforms and access methods: what extends the server itself, outside schemas.

use super::read::{ReadContext, Reading, not_of_extension};
use super::shape::{FIRST_USER_OID, function, json, parse};
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// A procedural language.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Language {
    /// Whether everybody may write functions in it.
    pub trusted: bool,
    /// Runs functions.
    pub handler: QualifiedName,
    /// Runs `DO` blocks.
    pub inline: Option<QualifiedName>,
    /// Checks new functions.
    pub validator: Option<QualifiedName>,
}

/// A transform. Its name is `FOR type LANGUAGE language`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Transform {
    /// The function, with its types, from SQL into the language.
    pub from_sql: Option<String>,
    /// The function, with its types, from the language into SQL.
    pub to_sql: Option<String>,
}

/// An access method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AccessMethod {
    /// `i`ndex or `t`able.
    pub kind: char,
    /// The function that describes it to the server.
    pub handler: QualifiedName,
}

pub(super) fn readings(cx: &ReadContext<'_>) -> Vec<Reading> {
    vec![languages(cx), transforms(), access_methods()]
}

fn languages(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select x.oid, null::pg_catalog.text, x.lanname, pg_catalog.pg_get_userbyid(x.lanowner), {} \
         from pg_catalog.pg_language x where x.lanispl and {} and {}",
        json(&[
            ("trusted", "x.lanpltrusted"),
            ("handler", &function("x.lanplcallfoid")),
            ("inline", &function("x.laninline")),
            ("validator", &function("x.lanvalidator")),
        ]),
        users_own(CatalogId::LANGUAGE),
        cx.scope.owner_condition("x.lanowner"),
    );
    Reading {
        what: "the languages",
        catalog: CatalogId::LANGUAGE,
        sql,
        definition: |json| parse(json, Definition::Language),
    }
}

fn transforms() -> Reading {
    let signature = |oid: &str| {
        format!(
            "case when {oid}::pg_catalog.oid <> 0 then \
             {oid}::pg_catalog.oid::pg_catalog.regprocedure::pg_catalog.text end"
        )
    };
    let sql = format!(
        "select x.oid, null::pg_catalog.text, pg_catalog.format('FOR %s LANGUAGE %I', \
         pg_catalog.format_type(x.trftype, null), l.lanname), null::pg_catalog.text, {} \
         from pg_catalog.pg_transform x join pg_catalog.pg_language l on l.oid = x.trflang where {}",
        json(&[
            ("from_sql", &signature("x.trffromsql")),
            ("to_sql", &signature("x.trftosql")),
        ]),
        users_own(CatalogId::TRANSFORM),
    );
    Reading {
        what: "the transforms",
        catalog: CatalogId::TRANSFORM,
        sql,
        definition: |json| parse(json, Definition::Transform),
    }
}

fn access_methods() -> Reading {
    let sql = format!(
        "select x.oid, null::pg_catalog.text, x.amname, null::pg_catalog.text, {} \
         from pg_catalog.pg_am x where {}",
        json(&[
            ("kind", "x.amtype"),
            ("handler", &function("x.amhandler::pg_catalog.oid")),
        ]),
        users_own(CatalogId::ACCESS_METHOD),
    );
    Reading {
        what: "the access methods",
        catalog: CatalogId::ACCESS_METHOD,
        sql,
        definition: |json| parse(json, Definition::AccessMethod),
    }
}

/// The condition that neither the server nor an extension brought the object `x`.
fn users_own(catalog: CatalogId) -> String {
    format!(
        "x.oid >= {FIRST_USER_OID} and {}",
        not_of_extension(catalog, "x.oid")
    )
}
