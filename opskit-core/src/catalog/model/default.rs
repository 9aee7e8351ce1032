//! Defaults and generation expressions of columns.

use super::column::{Generated, name_json, relation_json};
use super::read::{ReadContext, Reading, not_of_extension};
use super::{Address, CatalogId, Definition};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};

/// A default or a generation expression of a column, of a table or a view.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnDefault {
    /// The address of the relation.
    pub relation: Address,
    /// The name of the relation.
    pub table: QualifiedName,
    /// The column.
    pub column: String,
    /// The expression, as the server prints it.
    pub expression: String,
    /// Where the values are, if the column is a generated one.
    pub generated: Option<Generated>,
}

/// The query for the defaults in scope. The fields come in order, without their names.
///
/// A default names no column, and its text is the same without a relation to look names up in, which
/// the server would have to open.
pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select d.oid, n.nspname, pg_catalog.concat(c.relname, '.', a.attname), null::pg_catalog.text, \
         pg_catalog.json_build_array({relation}, {table}, a.attname, \
         pg_catalog.pg_get_expr(d.adbin, case when a.attgenerated <> '' then d.adrelid else 0 end), \
         nullif(a.attgenerated, ''))::pg_catalog.text \
         from pg_catalog.pg_attrdef d join pg_catalog.pg_class c on c.oid = d.adrelid \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         join pg_catalog.pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum \
         where {scope} and {own}",
        relation = relation_json("c"),
        table = name_json("n.nspname", "c.relname"),
        scope = cx.in_scope("n"),
        own = not_of_extension(CatalogId::CLASS, "c.oid"),
    );
    Reading {
        what: "the defaults",
        catalog: CatalogId::DEFAULT,
        sql,
        definition: |json| serde_json::from_str(json).map(Definition::Default),
    }
}
