//! Constraints of tables.

use super::column::{name_json, relation_json};
use super::index::{IndexState, state_json};
use super::read::{ReadContext, Reading, not_of_extension};
use super::{Address, CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// A constraint of a table or a foreign table. NOT NULL is part of its column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Constraint {
    /// `CHECK`.
    Check(Check),
    /// `PRIMARY KEY` or `UNIQUE`.
    Key(Key),
    /// `EXCLUDE`.
    Exclusion(Exclusion),
    /// `FOREIGN KEY`.
    Foreign(Foreign),
}

impl Constraint {
    /// The table that it is on.
    #[must_use]
    pub fn table(&self) -> &QualifiedName {
        match self {
            Self::Check(check) => &check.table,
            Self::Key(key) => &key.table,
            Self::Exclusion(exclusion) => &exclusion.table,
            Self::Foreign(foreign) => &foreign.table,
        }
    }
}

/// A check constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Check {
    /// The table.
    pub table: QualifiedName,
    /// The address of the table.
    pub relation: Address,
    /// From the word `CHECK` on, as the server prints it.
    pub definition: String,
    /// Whether the table itself declares it; otherwise it is only inherited.
    pub local: bool,
    /// Whether the rows of old are known to obey.
    pub validated: bool,
    /// Whether they are although those of a parent's are not.
    pub validated_alone: bool,
}

/// A primary key or a unique constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Key {
    /// The table.
    pub table: QualifiedName,
    /// Which of the two.
    pub kind: KeyKind,
    /// Its columns.
    pub columns: Vec<String>,
    /// Columns that the index only carries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub include: Option<Vec<String>>,
    /// Whether NULLs are equal.
    pub nulls_not_distinct: bool,
    /// Whether the last column is a range that must not overlap.
    pub without_overlaps: bool,
    /// Whether a transaction may put it off.
    pub deferrable: bool,
    /// Whether it is put off if nothing else is said.
    pub deferred: bool,
    /// Options of the index, each `name=value`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub options: Option<Vec<String>>,
    /// What was set on the index.
    pub index: IndexState,
}

/// Primary or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum KeyKind {
    /// `PRIMARY KEY`.
    #[serde(rename = "p")]
    Primary,
    /// `UNIQUE`.
    #[serde(rename = "u")]
    Unique,
}

/// An exclusion constraint.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exclusion {
    /// The table.
    pub table: QualifiedName,
    /// From the word `EXCLUDE` on, as the server prints it.
    pub definition: String,
    /// What was set on the index.
    pub index: IndexState,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Foreign {
    /// The table.
    pub table: QualifiedName,
    /// Whether the table is partitioned; partitions then have it from there.
    pub partitioned: bool,
    /// From the words `FOREIGN KEY` on, as the server prints it.
    pub definition: String,
}

/// The query for the constraints in scope. Fields come in order, without their names.
///
/// A foreign key that a partition has from its parent is made with the parent's; one that the parent's
/// took over under a name of its own is made before.
pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select k.oid, n.nspname, k.conname, null::pg_catalog.text, case k.contype \
         when 'c' then pg_catalog.json_build_object('check', pg_catalog.json_build_array({table}, \
         {relation}, pg_catalog.pg_get_constraintdef(k.oid), \
         k.conislocal, k.convalidated, not k.conislocal and k.convalidated \
         and exists (select from pg_catalog.pg_inherits h join pg_catalog.pg_constraint hk on hk.conrelid = h.inhparent \
         and hk.conname = k.conname and hk.contype = 'c' and not hk.convalidated where h.inhrelid = k.conrelid))) \
         when 'f' then pg_catalog.json_build_object('foreign', pg_catalog.json_build_array({table}, \
         c.relkind = 'p', pg_catalog.pg_get_constraintdef(k.oid))) \
         when 'x' then pg_catalog.json_build_object('exclusion', pg_catalog.json_build_array({table}, \
         pg_catalog.pg_get_constraintdef(k.oid), {state})) \
         else pg_catalog.json_build_object('key', {key}) end::pg_catalog.text \
         from pg_catalog.pg_constraint k join pg_catalog.pg_class c on c.oid = k.conrelid \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         left join pg_catalog.pg_index i on i.indexrelid = k.conindid and k.contype in ('p', 'u', 'x') \
         left join pg_catalog.pg_class ic on ic.oid = i.indexrelid \
         left join pg_catalog.pg_constraint p on p.oid = k.conparentid and k.contype = 'f' \
         where k.contype in ('c', 'f', 'p', 'u', 'x') and {scope} and {own} \
         and (p.oid is null or (p.conrelid <> k.conrelid and p.conname <> k.conname))",
        table = name_json("n.nspname", "c.relname"),
        relation = relation_json("c"),
        state = state_json(),
        key = key_json(cx),
        scope = cx.in_scope("n"),
        own = not_of_extension(CatalogId::CLASS, "c.oid"),
    );
    Reading {
        what: "the constraints",
        catalog: CatalogId::CONSTRAINT,
        sql,
        definition: |json| serde_json::from_str(json).map(Definition::Constraint),
    }
}

fn key_json(cx: &ReadContext<'_>) -> String {
    let columns = |which: &str| {
        format!(
            "(select pg_catalog.json_agg(a.attname order by u.place) \
             from pg_catalog.unnest(i.indkey::pg_catalog.int2[]) with ordinality u(attnum, place) \
             join pg_catalog.pg_attribute a on a.attrelid = i.indrelid and a.attnum = u.attnum \
             where u.place {which} i.indnkeyatts)"
        )
    };
    format!(
        "pg_catalog.json_build_array({table}, k.contype, \
         case when i.indnatts = 1 then pg_catalog.json_build_array((select a.attname from pg_catalog.pg_attribute a \
         where a.attrelid = i.indrelid and a.attnum = i.indkey[0])) else {key} end, \
         case when i.indnatts > i.indnkeyatts then {include} end, \
         {nulls}, {period}, k.condeferrable, k.condeferred, ic.reloptions, {state})",
        table = name_json("n.nspname", "c.relname"),
        key = columns("<="),
        include = columns(">"),
        nulls = cx.since(150_000, "i.indnullsnotdistinct", "false"),
        period = cx.since(180_000, "k.conperiod", "false"),
        state = state_json(),
    )
}
