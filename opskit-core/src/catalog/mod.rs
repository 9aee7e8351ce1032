//! The catalog: SQL text to ask, and functions that fold the answer. Never connects.
//!
//! Every query returns text columns, so that the answer looks the same over any protocol.

mod address;
pub mod cluster;
pub mod ddl;
pub mod diff;
pub mod facts;
pub(crate) mod inventory;
pub mod model;
mod order;
mod pattern;
mod relations;
pub(crate) mod scope;
mod types;
pub(crate) mod versions;

pub use address::{Address, CatalogId};
pub use pattern::Pattern;
pub use relations::{Heap, Relation, RelationKind, relations_by_pattern, relations_from};
pub(crate) use relations::{columns_from, columns_sql, heaps_from, heaps_of_sql, heaps_sql};
pub use scope::Scope;
pub(crate) use types::{types_from, types_sql};

use crate::error::{Error, ErrorKind, Result};

/// A row of an answer.
pub type TextRow = Vec<Option<String>>;

/// A field that the query never leaves NULL.
fn text(row: &TextRow, at: usize) -> Result<&str> {
    row.get(at).and_then(Option::as_deref).ok_or_else(|| {
        Error::new(
            ErrorKind::Internal,
            "the catalog gave NULL where it never does",
        )
    })
}

fn number<T: std::str::FromStr>(row: &TextRow, at: usize) -> Result<T> {
    text(row, at)?.parse().map_err(|_| {
        Error::new(
            ErrorKind::Internal,
            "the catalog gave text where it gives a number",
        )
    })
}

fn flag(row: &TextRow, at: usize) -> Result<bool> {
    Ok(text(row, at)? == "t")
}
