//! Extended statistics.

use super::read::{ReadContext, Reading, not_of_extension};
use super::{CatalogId, Definition};
use serde::{Deserialize, Serialize};

/// Extended statistics of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Statistics {
    /// The whole statement, as the server prints it.
    pub definition: String,
    /// The target, where it is set.
    pub target: Option<i32>,
}

/// The query for the extended statistics in scope.
pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select s.oid, n.nspname, s.stxname, pg_catalog.pg_get_userbyid(s.stxowner), pg_catalog.json_build_object(\
         'definition', pg_catalog.pg_get_statisticsobjdef(s.oid), \
         'target', case when s.stxstattarget >= 0 then s.stxstattarget end)::pg_catalog.text \
         from pg_catalog.pg_statistic_ext s join pg_catalog.pg_namespace n on n.oid = s.stxnamespace \
         where {} and {}",
        cx.in_scope("n"),
        not_of_extension(CatalogId::STATISTICS, "s.oid"),
    );
    Reading {
        what: "the extended statistics",
        catalog: CatalogId::STATISTICS,
        sql,
        definition: |json| serde_json::from_str(json).map(Definition::Statistics),
    }
}
