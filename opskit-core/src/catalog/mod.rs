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

use crate::error::{Error, ErrorKind, Result, changed_meanwhile};

/// A row of an answer.
pub type TextRow = Vec<Option<String>>;

/// A field that the query never leaves NULL. The server's functions that spell a definition do all the same, for
/// what was dropped since the snapshot that has its row.
fn text(row: &TextRow, at: usize) -> Result<&str> {
    let missing = || changed_meanwhile("an object was dropped while the catalog was read");
    row.get(at).and_then(Option::as_deref).ok_or_else(missing)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_dropped_since_the_snapshot_has_no_text() {
        let row = vec![Some("16384".to_owned()), None];
        assert_eq!(number::<u32>(&row, 0).unwrap(), 16384);
        let error = text(&row, 1).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy);
        assert!(error.hint().unwrap().contains("migration"));
    }
}
