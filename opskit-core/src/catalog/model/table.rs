//! Tables of all kinds.

use super::column::{Column, name_json};
use super::read::{ReadContext, Reading, not_of_extension};
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// A table: ordinary, typed, inherited, partitioned, a partition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Table {
    /// Its columns, in order.
    #[serde(default)]
    pub columns: Vec<Column>,
    /// Whether it is unlogged.
    pub unlogged: bool,
    /// The access method, where it is not `heap`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub access_method: Option<String>,
    /// Storage parameters, each `name=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
    /// Storage parameters of its TOAST table, each `name=value`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub toast_options: Vec<String>,
    /// The composite type that it is of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of_type: Option<QualifiedName>,
    /// How it is partitioned, as the server prints it: `RANGE (day)`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition_key: Option<String>,
    /// What it is a partition of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partition: Option<Partition>,
    /// What it inherits from, if it is no partition.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inheritance: Option<Inheritance>,
    /// The replica identity as the catalog spells it, where it is all columns (`f`) or nothing (`n`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replica_identity: Option<String>,
    /// Its tablespace, where it is not the database's. Recorded only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tablespace: Option<String>,
}

/// What a partition is a partition of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Partition {
    /// The partitioned table.
    pub parent: QualifiedName,
    /// Which rows it takes, as the server prints it: `FOR VALUES IN (1)`.
    pub bound: String,
}

/// What a table inherits from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inheritance {
    /// The parents, in order.
    pub parents: Vec<QualifiedName>,
    /// Whether `INHERITS` in its `CREATE TABLE` gives the same table. It does not if columns were
    /// added to a parent later, or if there are several parents, which may contradict each other.
    pub declarable: bool,
}

/// SQL for a partition's parent and bound, as JSON, of a row of `pg_class`.
pub(super) fn partition_json(c: &str) -> String {
    format!(
        "case when {c}.relispartition then (select pg_catalog.json_build_object('parent', {parent}, \
         'bound', pg_catalog.pg_get_expr({c}.relpartbound, {c}.oid)) from pg_catalog.pg_inherits i \
         join pg_catalog.pg_class p on p.oid = i.inhparent \
         join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace where i.inhrelid = {c}.oid) end",
        parent = name_json("pn.nspname", "p.relname"),
    )
}

/// SQL for what a table inherits from, as JSON, of a row of `pg_class`.
pub(super) fn inheritance_json(cx: &ReadContext<'_>, c: &str) -> String {
    let live = "attnum > 0 and not attisdropped";
    let compression = cx.since(140_000, "or ca.attcompression <> pa.attcompression", "");
    format!(
        "case when not {c}.relispartition then (select pg_catalog.json_build_object(\
         'parents', pg_catalog.json_agg({parent} order by i.inhseqno), 'declarable', pg_catalog.count(*) = 1 and pg_catalog.bool_and(\
         (select pg_catalog.array_agg(attname order by attnum) from pg_catalog.pg_attribute where attrelid = p.oid and {live}) \
         is not distinct from (select pg_catalog.array_agg(attname order by attnum) from (select attname, attnum \
         from pg_catalog.pg_attribute where attrelid = {c}.oid and {live} order by attnum limit (select pg_catalog.count(*) \
         from pg_catalog.pg_attribute where attrelid = p.oid and {live})) first) \
         and not exists (select from pg_catalog.pg_attribute pa join pg_catalog.pg_attribute ca on ca.attrelid = {c}.oid \
         and ca.attname = pa.attname left join pg_catalog.pg_attrdef pd on pd.adrelid = pa.attrelid and pd.adnum = pa.attnum \
         left join pg_catalog.pg_attrdef cd on cd.adrelid = ca.attrelid and cd.adnum = ca.attnum \
         where pa.attrelid = p.oid and pa.attnum > 0 and not pa.attisdropped and (ca.attstorage <> pa.attstorage {compression} \
         or (pd.oid is not null and cd.oid is null) or (ca.attgenerated <> '' and (ca.attislocal or pg_catalog.pg_get_expr(pd.adbin, pd.adrelid) \
         <> pg_catalog.pg_get_expr(cd.adbin, cd.adrelid))))))) \
         from pg_catalog.pg_inherits i join pg_catalog.pg_class p on p.oid = i.inhparent \
         join pg_catalog.pg_namespace pn on pn.oid = p.relnamespace where i.inhrelid = {c}.oid \
         having pg_catalog.count(*) > 0) end",
        parent = name_json("pn.nspname", "p.relname"),
    )
}

/// The query for the tables in scope. The fields come in order, without their names, and no columns, which are read
/// apart.
pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select c.oid, n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner), \
         pg_catalog.json_build_array('[]'::pg_catalog.json, c.relpersistence = 'u', \
         case when c.relam <> 2 then (select m.amname from pg_catalog.pg_am m where m.oid = c.relam) end, \
         coalesce(c.reloptions, '{{}}'), coalesce(o.reloptions, '{{}}'), \
         case when c.reloftype <> 0 then (select {of_type} from pg_catalog.pg_type t \
         join pg_catalog.pg_namespace tn on tn.oid = t.typnamespace where t.oid = c.reloftype) end, \
         case when c.relkind = 'p' then pg_catalog.pg_get_partkeydef(c.oid) end, {partition}, \
         case when exists (select from pg_catalog.pg_inherits h where h.inhrelid = c.oid) then {inheritance} end, \
         case when c.relreplident in ('f', 'n') then c.relreplident end, \
         case when c.reltablespace <> 0 then (select s.spcname from pg_catalog.pg_tablespace s \
         where s.oid = c.reltablespace) end)::pg_catalog.text \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         left join pg_catalog.pg_class o on o.oid = c.reltoastrelid and o.reloptions is not null \
         where c.relkind in ('r', 'p') and {scope} and {own}",
        of_type = name_json("tn.nspname", "t.typname"),
        partition = partition_json("c"),
        inheritance = inheritance_json(cx, "c"),
        scope = cx.in_scope("n"),
        own = not_of_extension(CatalogId::CLASS, "c.oid"),
    );
    Reading {
        what: "the tables",
        catalog: CatalogId::CLASS,
        sql,
        definition: |json| serde_json::from_str(json).map(Definition::Table),
    }
}
