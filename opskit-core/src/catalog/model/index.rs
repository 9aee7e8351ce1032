//! Indexes.

use super::column::name_json;
use super::read::{ReadContext, Reading, not_of_extension};
use super::shape::FIRST_USER_OID;
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

// In every version.
const BTREE: u32 = 403;
const TEXT: u32 = 25;
const VARCHAR: u32 = 1043;

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

/// SQL for what was set on an index, as JSON: of `i`, a row of `pg_index`, and `ic`, its row of `pg_class`. Nothing
/// was set on most of them.
pub(super) fn state_json() -> String {
    format!(
        "case when not i.indisclustered and ic.relkind = 'i' and not i.indisreplident and not ic.relispartition \
         and ic.reltablespace = 0 and not exists (select from pg_catalog.pg_attribute s \
         where s.attrelid = i.indexrelid and s.attstattarget >= 0) then '[]'::pg_catalog.json \
         else pg_catalog.json_build_array(i.indisclustered, ic.relkind = 'I', i.indisreplident, \
         case when ic.relispartition then (select {parent} from pg_catalog.pg_inherits h \
         join pg_catalog.pg_class hc on hc.oid = h.inhparent \
         join pg_catalog.pg_namespace hn on hn.oid = hc.relnamespace where h.inhrelid = i.indexrelid) end, \
         coalesce((select pg_catalog.json_agg(pg_catalog.json_build_array(s.attnum, s.attstattarget) order by s.attnum) \
         from pg_catalog.pg_attribute s where s.attrelid = i.indexrelid and s.attstattarget >= 0), '[]'), \
         case when ic.reltablespace <> 0 then (select e.spcname from pg_catalog.pg_tablespace e \
         where e.oid = ic.reltablespace) end) end",
        parent = name_json("hn.nspname", "hc.relname"),
    )
}

/// How many keys a plain index has at most.
const PLAIN_KEYS_MAX: u32 = 4;

/// The B-tree operator classes that the server does not name, with the type of the column, as `plain (class, type)`.
/// For `varchar` it is the class of `text`, where nobody made another.
fn plain_classes() -> String {
    format!(
        "with plain as materialized (select o.oid as class, o.opcintype as type from pg_catalog.pg_opclass o \
         where o.opcmethod = {BTREE} and o.opcdefault and o.oid < {FIRST_USER_OID} \
         union all select o.oid, {VARCHAR} from pg_catalog.pg_opclass o where o.opcmethod = {BTREE} and o.opcdefault \
         and o.oid < {FIRST_USER_OID} and o.opcintype = {TEXT} \
         and not exists (select from pg_catalog.pg_opclass v where v.opcmethod = {BTREE} and v.opcdefault \
         and v.opcintype = {VARCHAR}) \
         and not exists (select from pg_catalog.pg_type v where v.typispreferred and v.typcategory = 'S' \
         and v.oid <> {TEXT})) "
    )
}

/// SQL for the statement that makes the index `i` where it is plain: a B-tree over few columns whose types have the
/// operator classes by default, with nothing set. NULL for others.
///
/// The server opens the table to spell out an index; plain ones, which most are, get the same text for less.
fn plain_definition(cx: &ReadContext<'_>) -> String {
    let key = |at: u32| {
        let comma = if at == 0 { "" } else { "', ' || " };
        format!(
            "case when i.indnatts > {at} then (select {comma}pg_catalog.quote_ident(a.attname) || \
             case when (i.indclass[{at}], a.atttypid) in (select p.class, p.type from plain p) \
             then case i.indoption[{at}] when 0 then '' when 1 then ' DESC NULLS LAST' when 2 then ' NULLS FIRST' \
             when 3 then ' DESC' end end from pg_catalog.pg_attribute a where a.attrelid = i.indrelid \
             and a.attnum = i.indkey[{at}] and a.attcollation = i.indcollation[{at}]) else '' end"
        )
    };
    let keys: Vec<String> = (0..PLAIN_KEYS_MAX).map(key).collect();
    format!(
        "case when ic.relam = {BTREE} and ic.reloptions is null and i.indexprs is null and i.indpred is null \
         and i.indnatts = i.indnkeyatts and i.indnatts <= {PLAIN_KEYS_MAX} and not {nulls} \
         then pg_catalog.concat('CREATE ', case when i.indisunique then 'UNIQUE ' end, 'INDEX ', \
         pg_catalog.quote_ident(ic.relname), ' ON ', case when ic.relkind = 'I' then 'ONLY ' end, \
         pg_catalog.quote_ident(n.nspname), '.', pg_catalog.quote_ident(c.relname), ' USING btree (') || {keys} || ')' end",
        nulls = cx.since(150_000, "i.indnullsnotdistinct", "false"),
        keys = keys.join(" || "),
    )
}

/// The query for the indexes in scope.
pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "{classes} select i.indexrelid, n.nspname, ic.relname, null::pg_catalog.text, \
         pg_catalog.json_build_array({table}, coalesce({plain}, pg_catalog.pg_get_indexdef(i.indexrelid)), \
         (i.indisvalid or c.relkind = 'p') and i.indisready, {state})::pg_catalog.text \
         from pg_catalog.pg_index i join pg_catalog.pg_class ic on ic.oid = i.indexrelid \
         join pg_catalog.pg_class c on c.oid = i.indrelid and c.relkind in ('r', 'p', 'm') \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where not exists (select from pg_catalog.pg_constraint k where k.conindid = i.indexrelid \
         and k.contype in ('p', 'u', 'x')) and {scope} and {own}",
        classes = plain_classes(),
        table = name_json("n.nspname", "c.relname"),
        plain = plain_definition(cx),
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
