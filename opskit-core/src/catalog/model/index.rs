//! Indexes.

use super::column::name_json;
use super::read::{ReadContext, Reading, not_of_extension};
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// An index that belongs to no constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Index {
    /// The table or materialised view.
    pub table: QualifiedName,
    /// The whole statement, as the server prints it.
    pub definition: String,
    /// Whether it can be used. One that a failed `CREATE INDEX CONCURRENTLY` left cannot.
    pub valid: bool,
    /// What was set on it.
    pub state: IndexState,
}

/// What was set on an index after it was made.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct IndexState {
    /// Whether `CLUSTER` uses it.
    #[serde(default)]
    pub clustered: bool,
    /// Whether it is a partitioned table's.
    #[serde(default)]
    pub partitioned: bool,
    /// Whether it is the table's replica identity.
    #[serde(default)]
    pub replica_identity: bool,
    /// The index of the partitioned table that it is attached to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attached_to: Option<QualifiedName>,
    /// Statistics targets of its expressions: the column's number, and the target.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub statistics: Vec<(i32, i32)>,
    /// Its tablespace, where it is not the database's. Recorded only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tablespace: Option<String>,
}

/// SQL for what was set on an index, as JSON: of `i`, a row of `pg_index`, and `ic`, its row of `pg_class`.
pub(super) fn state_json() -> String {
    format!(
        "pg_catalog.json_strip_nulls(pg_catalog.json_build_object('clustered', i.indisclustered, \
         'partitioned', ic.relkind = 'I', 'replica_identity', i.indisreplident, \
         'attached_to', case when ic.relispartition then (select {parent} from pg_catalog.pg_inherits h \
         join pg_catalog.pg_class hc on hc.oid = h.inhparent \
         join pg_catalog.pg_namespace hn on hn.oid = hc.relnamespace where h.inhrelid = i.indexrelid) end, \
         'statistics', (select pg_catalog.json_agg(pg_catalog.json_build_array(s.attnum, s.attstattarget) order by s.attnum) \
         from pg_catalog.pg_attribute s where s.attrelid = i.indexrelid and s.attstattarget >= 0), \
         'tablespace', case when ic.reltablespace <> 0 then (select e.spcname from pg_catalog.pg_tablespace e \
         where e.oid = ic.reltablespace) end))",
        parent = name_json("hn.nspname", "hc.relname"),
    )
}

/// The query for the indexes in scope.
pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select i.indexrelid, n.nspname, ic.relname, null::pg_catalog.text, pg_catalog.json_build_object('table', {table}, \
         'definition', pg_catalog.pg_get_indexdef(i.indexrelid), \
         'valid', (i.indisvalid or c.relkind = 'p') and i.indisready, 'state', {state})::pg_catalog.text \
         from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid \
         join pg_catalog.pg_class c on c.oid = i.indrelid and c.relkind in ('r', 'p', 'm') \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         left join pg_catalog.pg_constraint k on k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x') \
         where k.oid is null and {scope} and {own}",
        table = name_json("n.nspname", "c.relname"),
        state = state_json(),
        scope = cx.in_scope("n"),
        own = not_of_extension(CatalogId::CLASS, "c.oid"),
    );
    Reading {
        what: "the indexes",
        catalog: CatalogId::CLASS,
        sql,
        definition: |json| serde_json::from_str(json).map(Definition::Index),
    }
}
