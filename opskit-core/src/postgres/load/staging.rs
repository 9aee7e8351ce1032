//! Columns that were read as text: the rows go into a temporary table first, and from there through the
//! input functions of their types.

use super::table::{LoadTable, column_list};
use crate::export::ColumnMap;
use crate::name::quote_ident;

const STAGE: &str = "pg_temp.opskit_stage";

/// Makes a table like the part: text where text is sent, otherwise the columns of the target.
pub(super) fn create(table: &LoadTable, map: &ColumnMap) -> String {
    let columns: Vec<String> = map
        .sent()
        .columns
        .iter()
        .map(|column| {
            let name = quote_ident(&column.name);
            if column.as_text {
                format!("NULL::pg_catalog.text AS {name}")
            } else {
                format!("t.{name}")
            }
        })
        .collect();
    format!(
        "CREATE TEMPORARY TABLE {STAGE} ON COMMIT DROP AS SELECT {} FROM ONLY {} t WITH NO DATA",
        columns.join(", "),
        table.name().to_sql()
    )
}

pub(super) fn copy(map: &ColumnMap) -> String {
    format!(
        "COPY {STAGE}{} FROM STDIN (FORMAT binary)",
        column_list(map)
    )
}

/// Moves the rows. A cast of text could be one that the type's owner made; a field of a JSON document
/// goes through the type's input function, whatever casts there are.
pub(super) fn insert(table: &LoadTable, map: &ColumnMap) -> String {
    let values: Vec<String> = map
        .sent()
        .columns
        .iter()
        .map(|column| {
            let name = quote_ident(&column.name);
            if column.as_text {
                format!(
                    "(SELECT j.v FROM pg_catalog.json_to_record(pg_catalog.json_build_object('v', s.{name})) AS j(v {}))",
                    column.sql_type
                )
            } else {
                format!("s.{name}")
            }
        })
        .collect();
    format!(
        "INSERT INTO {}{} OVERRIDING SYSTEM VALUE SELECT {} FROM {STAGE} s",
        table.name().to_sql(),
        column_list(map),
        values.join(", ")
    )
}
