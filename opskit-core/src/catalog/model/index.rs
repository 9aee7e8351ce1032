//! Indexes.

use super::column::name_json;
use super::read::{ReadContext, Reading, not_of_extension};
use super::shape::FIRST_USER_OID;
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// The access method `btree`, in every version.
const BTREE: u32 = 403;

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

/// SQL for what was set on an index, as JSON: of `i`, a row of `pg_index`, `ic`, its row of `pg_class`, and `it`,
/// what [`targets_join`] joins. Nothing was set on most of them.
pub(super) fn state_json() -> String {
    format!(
        "case when not i.indisclustered and ic.relkind = 'i' and not i.indisreplident and not ic.relispartition \
         and it.list is null and ic.reltablespace = 0 then '[]'::pg_catalog.json \
         else pg_catalog.json_build_array(i.indisclustered, ic.relkind = 'I', i.indisreplident, \
         case when ic.relispartition then (select {parent} from pg_catalog.pg_inherits h \
         join pg_catalog.pg_class hc on hc.oid = h.inhparent \
         join pg_catalog.pg_namespace hn on hn.oid = hc.relnamespace where h.inhrelid = i.indexrelid) end, \
         coalesce(it.list, '[]'), case when ic.reltablespace <> 0 then (select e.spcname \
         from pg_catalog.pg_tablespace e where e.oid = ic.reltablespace) end) end",
        parent = name_json("hn.nspname", "hc.relname"),
    )
}

/// SQL that joins the statistics targets of the expressions of an index `i`.
pub(super) fn targets_join() -> String {
    format!(
        "left join (select s.attrelid, pg_catalog.json_agg(pg_catalog.json_build_array(s.attnum, s.attstattarget) \
         order by s.attnum) as list from pg_catalog.pg_attribute s join pg_catalog.pg_class sc on sc.oid = s.attrelid \
         and sc.relkind in ('i', 'I') where s.attstattarget >= 0 and s.attrelid >= {FIRST_USER_OID} \
         group by s.attrelid) it on it.attrelid = i.indexrelid"
    )
}

/// SQL for the statement that makes an index, joined as `d` to `i` where it is plain: a B-tree over columns whose
/// types have the operator classes by default, with nothing set.
///
/// The server spells out indexes one by one and opens their tables for it; for plain ones, which most are, this
/// gives the same text in one pass.
fn plain_join(cx: &ReadContext<'_>) -> String {
    let nulls = cx.since(150_000, "and not p.indnullsnotdistinct", "");
    format!(
        "left join (select p.indexrelid, pg_catalog.string_agg(pg_catalog.concat(pg_catalog.quote_ident(a.attname), \
         case u.option when 1 then ' DESC NULLS LAST' when 2 then ' NULLS FIRST' when 3 then ' DESC' end), ', ' \
         order by u.place) as keys \
         from pg_catalog.pg_index p join pg_catalog.pg_class pc on pc.oid = p.indexrelid \
         cross join lateral rows from (pg_catalog.unnest(p.indkey::pg_catalog.int2[]), \
         pg_catalog.unnest(p.indoption::pg_catalog.int2[]), pg_catalog.unnest(p.indclass::pg_catalog.oid[]), \
         pg_catalog.unnest(p.indcollation::pg_catalog.oid[])) with ordinality u(attnum, option, class, coll, place) \
         left join pg_catalog.pg_attribute a on a.attrelid = p.indrelid and a.attnum = u.attnum and a.attcollation = u.coll \
         left join pg_catalog.pg_opclass o on o.oid = u.class and o.oid < {FIRST_USER_OID} and o.opcdefault \
         and o.opcintype = a.atttypid \
         where p.indexrelid >= {FIRST_USER_OID} and pc.relam = {BTREE} and pc.reloptions is null \
         and p.indexprs is null and p.indpred is null and p.indnatts = p.indnkeyatts {nulls} \
         group by p.indexrelid having pg_catalog.bool_and(a.attnum is not null and o.oid is not null)) d \
         on d.indexrelid = i.indexrelid"
    )
}

/// The query for the indexes in scope.
pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select i.indexrelid, n.nspname, ic.relname, null::pg_catalog.text, pg_catalog.json_build_array({table}, \
         case when d.keys is null then pg_catalog.pg_get_indexdef(i.indexrelid) \
         else pg_catalog.concat('CREATE ', case when i.indisunique then 'UNIQUE ' end, 'INDEX ', \
         pg_catalog.quote_ident(ic.relname), ' ON ', case when ic.relkind = 'I' then 'ONLY ' end, \
         pg_catalog.quote_ident(n.nspname), '.', pg_catalog.quote_ident(c.relname), ' USING btree (', d.keys, ')') end, \
         (i.indisvalid or c.relkind = 'p') and i.indisready, {state})::pg_catalog.text \
         from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid \
         join pg_catalog.pg_class c on c.oid = i.indrelid and c.relkind in ('r', 'p', 'm') \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         left join pg_catalog.pg_constraint k on k.conindid = i.indexrelid and k.contype in ('p', 'u', 'x') {plain} {targets} \
         where k.oid is null and {scope} and {own}",
        table = name_json("n.nspname", "c.relname"),
        plain = plain_join(cx),
        targets = targets_join(),
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
