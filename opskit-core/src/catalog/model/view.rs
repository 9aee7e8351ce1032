//! Views and materialised views.

use super::read::{ReadContext, Reading, not_of_extension};
use super::{CatalogId, Definition};
use serde::{Deserialize, Serialize};

/// A view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct View {
    /// Its columns; what they are follows from the query, except where the view is made before what
    /// the query needs.
    pub columns: Vec<ViewColumn>,
    /// The query, without a semicolon.
    pub query: String,
    /// `name=value`, the check option among them.
    pub options: Vec<String>,
}

/// A column of a view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ViewColumn {
    /// Its name.
    pub name: String,
    /// Its type, as SQL.
    pub data_type: String,
    /// Its collation as schema and name, when it is not the one of its type.
    pub collation: Option<(String, String)>,
}

/// A materialised view.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MaterializedView {
    /// The query, without a semicolon.
    pub query: String,
    /// Storage parameters, `name=value`.
    pub options: Vec<String>,
    /// Storage parameters of its TOAST table.
    pub toast_options: Vec<String>,
    /// Its access method, when it is not `heap`.
    pub access_method: Option<String>,
    /// Whether it holds rows.
    pub populated: bool,
    /// What was set for single columns.
    pub columns: Vec<ColumnSettings>,
}

/// What `ALTER COLUMN` set for a column beyond its definition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ColumnSettings {
    /// Its name.
    pub name: String,
    /// The statistics target.
    pub statistics: Option<i32>,
    /// `PLAIN`, `EXTERNAL`, `EXTENDED` or `MAIN`, when it is not the one of its type.
    pub storage: Option<String>,
    /// `pglz` or `lz4`.
    pub compression: Option<String>,
    /// `name=value`.
    pub options: Vec<String>,
}

/// The queries for views and materialised views.
pub(super) fn readings(cx: &ReadContext<'_>) -> Vec<Reading> {
    vec![views(cx), materialized(cx)]
}

fn views(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select c.oid, n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner), \
         pg_catalog.json_build_object( \
           'query', pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';'), \
           'options', coalesce(c.reloptions, '{{}}'), \
           'columns', coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object( \
               'name', a.attname, \
               'data_type', pg_catalog.format_type(a.atttypid, a.atttypmod), \
               'collation', (select pg_catalog.json_build_array(cn.nspname, co.collname) \
                             from pg_catalog.pg_collation co \
                             join pg_catalog.pg_namespace cn on cn.oid = co.collnamespace \
                             join pg_catalog.pg_type t on t.oid = a.atttypid \
                             where co.oid = a.attcollation and a.attcollation <> t.typcollation)) \
             order by a.attnum) \
             from pg_catalog.pg_attribute a \
             where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped), '[]')) \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where c.relkind = 'v' and {} and {}",
        cx.in_scope("n"),
        not_of_extension(CatalogId::CLASS, "c.oid"),
    );
    Reading {
        what: "the views",
        catalog: CatalogId::CLASS,
        sql,
        definition: |json| Ok(Definition::View(serde_json::from_str(json)?)),
    }
}

fn materialized(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select c.oid, n.nspname, c.relname, pg_catalog.pg_get_userbyid(c.relowner), \
         pg_catalog.json_build_object( \
           'query', pg_catalog.rtrim(pg_catalog.pg_get_viewdef(c.oid), ';'), \
           'options', coalesce(c.reloptions, '{{}}'), \
           'toast_options', coalesce((select toast.reloptions from pg_catalog.pg_class toast \
                                      where toast.oid = c.reltoastrelid), '{{}}'), \
           'access_method', (select am.amname from pg_catalog.pg_am am \
                             where am.oid = c.relam and am.amname <> 'heap'), \
           'populated', c.relispopulated, \
           'columns', {columns}) \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where c.relkind = 'm' and {scope} and {own}",
        columns = column_settings(cx),
        scope = cx.in_scope("n"),
        own = not_of_extension(CatalogId::CLASS, "c.oid"),
    );
    Reading {
        what: "the materialised views",
        catalog: CatalogId::CLASS,
        sql,
        definition: |json| Ok(Definition::MaterializedView(serde_json::from_str(json)?)),
    }
}

/// What was set for the columns of the relation `c`, as a JSON array of [`ColumnSettings`].
pub(super) fn column_settings(cx: &ReadContext<'_>) -> String {
    let compression = cx.since(
        140_000,
        "case a.attcompression when 'p' then 'pglz' when 'l' then 'lz4' end",
        "null::pg_catalog.text",
    );
    format!(
        "coalesce((select pg_catalog.json_agg(s.s order by s.attnum) from ( \
           select a.attnum, pg_catalog.json_build_object( \
             'name', a.attname, \
             'statistics', nullif(a.attstattarget, -1), \
             'storage', case when a.attstorage <> t.typstorage then case a.attstorage \
                 when 'p' then 'PLAIN' when 'e' then 'EXTERNAL' when 'x' then 'EXTENDED' \
                 when 'm' then 'MAIN' end end, \
             'compression', {compression}, \
             'options', coalesce(a.attoptions, '{{}}')) as s \
           from pg_catalog.pg_attribute a join pg_catalog.pg_type t on t.oid = a.atttypid \
           where a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
             and (coalesce(a.attstattarget, -1) <> -1 or a.attstorage <> t.typstorage \
                  or a.attoptions is not null or {compression} is not null)) s), '[]')"
    )
}
