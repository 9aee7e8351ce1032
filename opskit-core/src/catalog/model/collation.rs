//! Collations.

use super::read::{ReadContext, Reading};
use super::shape::{Listing, Owner, parse};
use super::{CatalogId, Definition};
use serde::{Deserialize, Serialize};

/// A collation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Collation {
    /// Who compares.
    pub provider: CollationProvider,
    /// `LC_COLLATE`, or the locale of a provider that knows one only.
    pub locale: String,
    /// `LC_CTYPE`, for `libc`.
    pub ctype: Option<String>,
    /// Whether strings are equal only when their bytes are.
    pub deterministic: bool,
    /// Rules beside the locale's, for ICU.
    pub rules: Option<String>,
    /// The version of the provider's rules when it was made. The target has its own.
    pub version: Option<String>,
}

/// The library that compares strings.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CollationProvider {
    /// The system's.
    #[serde(alias = "c")]
    Libc,
    /// ICU.
    #[serde(alias = "i")]
    Icu,
    /// The server itself, from version 17 on.
    #[serde(alias = "b")]
    Builtin,
}

pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    // ICU's locale had the place of LC_COLLATE before it had a column of its own.
    let locale = match cx.server_version {
        170_000.. => "coalesce(x.colllocale, x.collcollate)",
        150_000.. => "coalesce(x.colliculocale, x.collcollate)",
        _ => "x.collcollate",
    };
    let rules = cx.since(160_000, "x.collicurules", "null");
    Listing {
        what: "the collations",
        catalog: CatalogId::COLLATION,
        table: "pg_collation",
        prefix: "coll",
        owner: Owner::Role,
        fields: &[
            ("provider", "x.collprovider"),
            ("locale", locale),
            (
                "ctype",
                "case when x.collprovider = 'c' then x.collctype end",
            ),
            ("deterministic", "x.collisdeterministic"),
            ("rules", rules),
            ("version", "x.collversion"),
        ],
        // Those of another encoding cannot be used here, nor made.
        filter: "x.collencoding in (-1, (select d.encoding from pg_catalog.pg_database d \
                 where d.datname = pg_catalog.current_database()))",
        definition: |json| parse(json, Definition::Collation),
    }
    .reading(cx)
}
