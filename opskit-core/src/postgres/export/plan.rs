//! The plan of an export: tables, columns, parts, and the statements that read them.

use crate::export::plan::Part;
use crate::name::QualifiedName;
use crate::pgtype::RowType;
use crate::sink::RowForm;
use serde::Serialize;
use std::sync::Arc;

/// What an export will read.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct ExportPlan {
    /// The tables, in the order of their names.
    pub tables: Vec<TablePlan>,
    /// What the user should know before it starts.
    pub warnings: Vec<String>,
}

impl ExportPlan {
    /// A plan of these tables.
    pub(crate) fn of(tables: Vec<TablePlan>) -> Self {
        Self {
            tables,
            warnings: Vec::new(),
        }
    }

    /// Parts of all tables.
    #[must_use]
    pub fn parts(&self) -> usize {
        self.tables.iter().map(|table| table.parts.len()).sum()
    }

    /// Size on the server's disk of all tables, in bytes.
    #[must_use]
    pub fn heap_bytes(&self) -> u64 {
        self.tables
            .iter()
            .flat_map(|table| &table.parts)
            .map(|part| part.heap_bytes)
            .sum()
    }
}

/// One table of the plan.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct TablePlan {
    /// Its name, or the made-up one of a query.
    pub name: QualifiedName,
    /// Its columns.
    pub row_type: Arc<RowType>,
    /// Its parts.
    pub parts: Vec<Part>,
    /// The query, where it is none of the database's tables.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The queries that read the parts, one for each, where no range of a heap does.
    #[serde(skip)]
    pub(crate) part_queries: Vec<String>,
}

impl TablePlan {
    /// The statement that reads a part in this form.
    pub(super) fn copy_sql(&self, part: &Part, form: RowForm) -> String {
        match form {
            RowForm::Batches | RowForm::Frames => {
                format!("COPY ({}) TO STDOUT (FORMAT binary)", self.select(part))
            }
            // Every part has the header: readers of many files expect it in each.
            RowForm::Csv => format!(
                "COPY ({}\n) TO STDOUT (FORMAT csv, HEADER)",
                self.raw_select(part)
            ),
            RowForm::JsonLines => {
                format!(
                    "COPY (SELECT pg_catalog.to_json(r.*) FROM ({}\n) r) TO STDOUT",
                    self.raw_select(part)
                )
            }
        }
    }

    pub(super) fn query_of(&self, part: &Part) -> Option<&str> {
        let of_part = self.part_queries.get(part.number as usize);
        self.query.as_deref().or(of_part.map(String::as_str))
    }

    /// The columns by the names that Arrow will have, read as the types say.
    fn select(&self, part: &Part) -> String {
        match self.query_of(part) {
            Some(query) => {
                let list = self.row_type.select_list_from(|at, _| format!("c{at}"));
                format!(
                    "SELECT {list} FROM ({query}\n) AS q{}",
                    self.query_columns()
                )
            }
            None => format!("SELECT {}{}", self.row_type.select_list(), from(part)),
        }
    }

    /// Names for the columns of a query, which may have none, or the same twice.
    fn query_columns(&self) -> String {
        let names: Vec<String> = (0..self.row_type.columns.len())
            .map(|at| format!("c{at}"))
            .collect();
        if names.is_empty() {
            String::new()
        } else {
            format!("({})", names.join(", "))
        }
    }

    /// The columns as they are, for the server's own text.
    fn raw_select(&self, part: &Part) -> String {
        match self.query_of(part) {
            Some(query) => query.to_owned(),
            None => {
                let names: Vec<String> = self
                    .row_type
                    .columns
                    .iter()
                    .map(|column| crate::name::quote_ident(&column.name))
                    .collect();
                format!("SELECT {}{}", names.join(", "), from(part))
            }
        }
    }
}

fn from(part: &Part) -> String {
    let only = if part.only { "ONLY " } else { "" };
    format!(
        " FROM {only}{}{}",
        part.heap.to_sql(),
        part.range.condition()
    )
}
