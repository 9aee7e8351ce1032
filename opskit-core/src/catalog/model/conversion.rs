//! Conversions between encodings.

use super::read::{ReadContext, Reading};
use super::shape::{Listing, Owner, function, parse};
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// A conversion.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Conversion {
    /// The encoding that it reads.
    pub from: String,
    /// The encoding that it writes.
    pub to: String,
    /// The function behind it.
    pub function: QualifiedName,
    /// Whether the server uses it between clients and databases.
    pub is_default: bool,
}

pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    Listing {
        what: "the conversions",
        catalog: CatalogId::CONVERSION,
        table: "pg_conversion",
        prefix: "con",
        owner: Owner::Role,
        fields: &[
            ("from", "pg_catalog.pg_encoding_to_char(x.conforencoding)"),
            ("to", "pg_catalog.pg_encoding_to_char(x.contoencoding)"),
            ("function", &function("x.conproc::pg_catalog.oid")),
            ("is_default", "x.condefault"),
        ],
        filter: "true",
        definition: |json| parse(json, Definition::Conversion),
    }
    .reading(cx)
}
