//! Columns of tables.

use super::CatalogId;
use super::read::ReadContext;
use super::sequence::{SequenceOptions, options_json};
use super::shape::FIRST_USER_OID;
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// A column. What it has by default is left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type as SQL, with its modifier: `character varying(10)`.
    #[serde(rename = "type")]
    pub type_sql: String,
    /// Its collation, where it is not the type's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collation: Option<QualifiedName>,
    /// Its NOT NULL constraint.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub not_null: Option<NotNull>,
    /// What makes it an identity column. A partition shares its parent's and has none here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Identity>,
    /// Whether the table itself declares it; otherwise it is only inherited.
    pub local: bool,
    /// The storage strategy as the catalog spells it, where it is not the type's: `x`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
    /// The compression as the catalog spells it, where it is set: `l`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compression: Option<String>,
    /// The statistics target, where it is set.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub statistics: Option<i32>,
    /// Options, each `name=value`: `n_distinct=-1`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub options: Vec<String>,
}

/// A NOT NULL constraint. Before version 18 it has no name and nothing can be said of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotNull {
    /// Its name, from version 18 on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Whether the table itself declares it; otherwise it is only inherited.
    pub local: bool,
    /// Whether children are spared.
    #[serde(default)]
    pub no_inherit: bool,
    /// Whether the rows of old are known to obey.
    #[serde(default = "yes")]
    pub validated: bool,
    /// Whether they are although those of a parent's are not.
    #[serde(default)]
    pub validated_alone: bool,
}

fn yes() -> bool {
    true
}

/// What makes an identity column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Whether users may give values of their own.
    pub kind: IdentityKind,
    /// Its sequence.
    pub sequence: QualifiedName,
    /// The options of the sequence.
    pub options: SequenceOptions,
    /// Whether the sequence is unlogged.
    pub unlogged: bool,
}

/// Whether users may give an identity column values of their own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum IdentityKind {
    /// No.
    #[serde(rename = "a")]
    Always,
    /// Yes.
    #[serde(rename = "d")]
    ByDefault,
}

/// Where the values of a generated column are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Generated {
    /// In the row.
    #[serde(rename = "s")]
    Stored,
    /// Nowhere; they are computed when read.
    #[serde(rename = "v")]
    Virtual,
}

/// SQL for a qualified name as JSON: its two fields.
pub(super) fn name_json(schema: &str, name: &str) -> String {
    format!("pg_catalog.json_build_array({schema}, {name})")
}

/// SQL for the address of a relation as JSON, of a row of `pg_class`.
pub(super) fn relation_json(c: &str) -> String {
    format!(
        "pg_catalog.json_build_array({}, {c}.oid::pg_catalog.int8)",
        CatalogId::CLASS.0
    )
}

/// The query for the columns of all tables: the table's OID, and a list as JSON. Those that were dropped are not
/// among them.
///
/// There are more columns than anything else. So all are read at once and grouped from sorted rows, and a column with nothing special is an array of its first fields, which costs the server
/// less than an object with names.
pub(super) fn columns_sql(cx: &ReadContext<'_>) -> String {
    let not_null = NotNullSql::of(cx);
    format!(
        "select k.attrelid, pg_catalog.json_agg(k.field) from (select a.attrelid, \
         case when a.attcollation = t.typcollation and a.attidentity = '' and a.attstorage = t.typstorage \
         and coalesce(a.attstattarget, -1) = -1 and a.attoptions is null and {compression} is null \
         then pg_catalog.json_build_array(a.attname, {type_sql}, null, {not_null}, null, a.attislocal) \
         else pg_catalog.json_strip_nulls(pg_catalog.json_build_object('name', a.attname, 'type', {type_sql}, \
         'collation', case when a.attcollation <> t.typcollation then (select {collation} \
         from pg_catalog.pg_collation l join pg_catalog.pg_namespace ln on ln.oid = l.collnamespace \
         where l.oid = a.attcollation) end, \
         'not_null', {not_null}, 'identity', case when a.attidentity <> '' then {identity} end, \
         'local', a.attislocal, 'storage', case when a.attstorage <> t.typstorage then a.attstorage end, \
         'compression', {compression}, \
         'statistics', case when a.attstattarget >= 0 then a.attstattarget end, \
         'options', a.attoptions)) end as field \
         from pg_catalog.pg_class r join pg_catalog.pg_attribute a on a.attrelid = r.oid \
         join pg_catalog.pg_type t on t.oid = a.atttypid {joined} \
         where r.relkind in ('r', 'p') and r.oid >= {FIRST_USER_OID} and a.attnum > 0 and not a.attisdropped \
         order by a.attrelid, a.attnum) k group by k.attrelid",
        type_sql = "pg_catalog.format_type(a.atttypid, a.atttypmod)",
        collation = name_json("ln.nspname", "l.collname"),
        not_null = not_null.field,
        joined = not_null.join,
        identity = identity_json(),
        compression = cx.since(
            140_000,
            "nullif(a.attcompression, '')",
            "null::pg_catalog.text"
        ),
    )
}

/// SQL for the field `not_null` of a column `a`, and what must be joined for it.
struct NotNullSql {
    field: &'static str,
    join: &'static str,
}

impl NotNullSql {
    fn of(cx: &ReadContext<'_>) -> Self {
        if cx.server_version >= 180_000 {
            Self {
                field: "case when c.oid is not null then pg_catalog.json_build_array(c.conname, c.conislocal, \
                    c.connoinherit, c.convalidated, not c.conislocal and c.convalidated \
                    and exists (select from pg_catalog.pg_inherits i join pg_catalog.pg_attribute pa on pa.attrelid = i.inhparent \
                    and pa.attname = a.attname join pg_catalog.pg_constraint pk on pk.conrelid = i.inhparent and pk.contype = 'n' \
                    and pk.conkey[1] = pa.attnum and not pk.convalidated where i.inhrelid = a.attrelid)) end",
                join: "left join pg_catalog.pg_constraint c on c.conrelid = a.attrelid and c.contype = 'n' \
                    and c.conkey[1] = a.attnum and a.attnotnull",
            }
        } else {
            Self {
                field: "case when a.attnotnull then pg_catalog.json_build_array(null, a.attislocal or not exists (\
                    select from pg_catalog.pg_inherits i join pg_catalog.pg_attribute p on p.attrelid = i.inhparent \
                    where i.inhrelid = a.attrelid and p.attname = a.attname and p.attnotnull)) end",
                join: "",
            }
        }
    }
}

fn identity_json() -> String {
    format!(
        "(select pg_catalog.json_build_object('kind', a.attidentity, 'sequence', {name}, \
         'options', {options}, 'unlogged', sc.relpersistence = 'u') \
         from pg_catalog.pg_depend d join pg_catalog.pg_class sc on sc.oid = d.objid \
         join pg_catalog.pg_namespace sn on sn.oid = sc.relnamespace \
         join pg_catalog.pg_sequence s on s.seqrelid = sc.oid \
         where d.classid = 1259 and d.refclassid = 1259 and d.refobjid = a.attrelid \
         and d.refobjsubid = a.attnum and d.deptype = 'i')",
        name = name_json("sn.nspname", "sc.relname"),
        options = options_json("s"),
    )
}
