//! Sequences.

use super::column::name_json;
use super::read::{ReadContext, Reading, not_of_extension};
use super::{CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// A sequence that belongs to no identity column.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sequence {
    /// How it counts.
    pub options: SequenceOptions,
    /// Whether it is unlogged.
    pub unlogged: bool,
    /// The table and the column that own it.
    pub owned_by: Option<(QualifiedName, String)>,
}

/// How a sequence counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceOptions {
    /// The type of its values, as SQL.
    pub data_type: String,
    /// The first value.
    pub start: i64,
    /// The step.
    pub increment: i64,
    /// The least value.
    pub minimum: i64,
    /// The greatest value.
    pub maximum: i64,
    /// How many values a session takes at once.
    pub cache: i64,
    /// Whether it starts again after the last.
    pub cycle: bool,
}

/// SQL for the options, as JSON, of a row of `pg_sequence`.
pub(super) fn options_json(s: &str) -> String {
    format!(
        "pg_catalog.json_build_object('data_type', pg_catalog.format_type({s}.seqtypid, null), \
         'start', {s}.seqstart, 'increment', {s}.seqincrement, 'minimum', {s}.seqmin, \
         'maximum', {s}.seqmax, 'cache', {s}.seqcache, 'cycle', {s}.seqcycle)"
    )
}

/// The query for the sequences in scope.
pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select c.oid, n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner), \
         pg_catalog.json_build_object('options', {options}, 'unlogged', c.relpersistence = 'u', \
         'owned_by', (select pg_catalog.json_build_array({table}, a.attname) \
         from pg_catalog.pg_depend d join pg_catalog.pg_class tc on tc.oid = d.refobjid \
         join pg_catalog.pg_namespace tn on tn.oid = tc.relnamespace \
         join pg_catalog.pg_attribute a on a.attrelid = d.refobjid and a.attnum = d.refobjsubid \
         where d.classid = 1259 and d.objid = c.oid and d.refclassid = 1259 and d.deptype = 'a'))::pg_catalog.text \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         join pg_catalog.pg_sequence s on s.seqrelid = c.oid \
         where {scope} and {own} and not exists (select from pg_catalog.pg_depend i \
         where i.classid = 1259 and i.objid = c.oid and i.deptype = 'i')",
        options = options_json("s"),
        table = name_json("tn.nspname", "tc.relname"),
        scope = cx.in_scope("n"),
        own = not_of_extension(CatalogId::CLASS, "c.oid"),
    );
    Reading {
        what: "the sequences",
        catalog: CatalogId::CLASS,
        sql,
        definition: |json| serde_json::from_str(json).map(Definition::Sequence),
    }
}
