//! Schemas.

use super::read::{ReadContext, Reading, not_of_extension};
use super::{CatalogId, Definition};

/// The query for the schemas in scope.
pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select n.oid, null::pg_catalog.text, n.nspname, pg_catalog.pg_get_userbyid(n.nspowner), '{{}}'::pg_catalog.text \
         from pg_catalog.pg_namespace n where {} and {}",
        cx.in_scope("n"),
        not_of_extension(CatalogId::NAMESPACE, "n.oid"),
    );
    Reading {
        what: "the schemas",
        catalog: CatalogId::NAMESPACE,
        sql,
        definition: |_| Ok(Definition::Schema),
    }
}
