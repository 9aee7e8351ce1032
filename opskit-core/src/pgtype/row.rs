//! The columns of a row, as they are read.

use super::{Node, arrow_field};
use crate::name::quote_ident;
use arrow::datatypes::{Field, Schema, SchemaRef};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// A column of a table or query.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ColumnType {
    /// Its name in the database.
    pub name: String,
    /// Its type as the server writes it: `numeric(12,2)`.
    pub sql_type: String,
    /// How its values are read: the column's own type, or `text` where [`Self::as_text`].
    pub node: Node,
    /// Whether the value is read as `column::text`, because it has no portable binary form.
    pub as_text: bool,
    /// Whether that text is made by the output function of the type. A cast would do for the server's own
    /// types only: for a type of a user's, its owner can make one that gives another text.
    #[serde(default)]
    pub by_output: bool,
    /// Whether the column is declared NOT NULL.
    pub not_null: bool,
    /// Whether the column is generated, so that a restore must not write it.
    pub generated: bool,
    /// The labels, for an enum.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub enum_labels: Vec<String>,
}

/// The columns of a row, in the order in which they are read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
pub struct RowType {
    /// The columns.
    pub columns: Vec<ColumnType>,
}

/// The column that stands for the rows of a table without columns: Parquet and Arrow files keep no
/// row count otherwise that every reader sees.
const ROW_COLUMN: &str = "__opskit_row";

impl RowType {
    /// The select list that reads these columns from a relation that has them by name.
    #[must_use]
    pub fn select_list(&self) -> String {
        self.select_list_from(|_, column| quote_ident(&column.name))
    }

    /// The select list that reads these columns, where `source` writes the expression for each.
    #[must_use]
    pub fn select_list_from(&self, source: impl Fn(usize, &ColumnType) -> String) -> String {
        let columns = self.columns.iter().enumerate().map(|(index, column)| {
            let expression = source(index, column);
            match (column.as_text, column.by_output) {
                (false, _) => expression,
                (true, false) => format!("{expression}::pg_catalog.text"),
                // `concat` uses output functions, and makes NULL an empty text.
                (true, true) => format!(
                    "CASE WHEN pg_catalog.num_nonnulls({expression}) = 1 THEN pg_catalog.concat({expression}) END"
                ),
            }
        });
        columns.collect::<Vec<_>>().join(", ")
    }

    /// The Arrow schema of the main columns.
    ///
    /// Field metadata carries what Arrow types cannot say, under keys that start with `opskit.`.
    #[must_use]
    pub fn arrow_schema(&self) -> SchemaRef {
        if self.columns.is_empty() {
            let row = Field::new(ROW_COLUMN, arrow::datatypes::DataType::Int64, true);
            return Arc::new(Schema::new(vec![row]));
        }
        let names = self.unique_names();
        let fields: Vec<Field> = self
            .columns
            .iter()
            .zip(&names)
            .map(|(column, name)| {
                let field = arrow_field(name, &column.node);
                let mut metadata = field.metadata().clone();
                metadata.insert("opskit.type", column.sql_type.clone());
                field.with_metadata(metadata)
            })
            .collect();
        Arc::new(Schema::new(fields))
    }

    /// The names of the Arrow columns: those of the database, except that a query may give two columns
    /// one name; the second then gets a suffix that no column has.
    fn unique_names(&self) -> Vec<String> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        for column in &self.columns {
            *seen.entry(column.name.clone()).or_default() += 1;
        }
        let mut names: Vec<String> = Vec::with_capacity(self.columns.len());
        for column in &self.columns {
            let mut name = column.name.clone();
            let mut suffix = 1;
            while names.contains(&name) || (suffix > 1 && seen.contains_key(&name)) {
                suffix += 1;
                name = format!("{}_{suffix}", column.name);
            }
            names.push(name);
        }
        names
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::QualifiedName;
    use crate::pgtype::{Form, Leaf, TypeName};

    fn row(names: &[&str]) -> RowType {
        let column = |name: &&str| ColumnType {
            name: (*name).to_owned(),
            sql_type: "integer".into(),
            node: Node {
                id: TypeName {
                    oid: 23,
                    name: QualifiedName::new("pg_catalog", "int4"),
                },
                form: Form::Leaf(Leaf::Int4),
            },
            as_text: false,
            by_output: false,
            not_null: false,
            generated: false,
            enum_labels: Vec::new(),
        };
        RowType {
            columns: names.iter().map(column).collect(),
        }
    }

    #[test]
    fn duplicate_names_are_told_apart() {
        let names = row(&["a", "a", "a_2", "a"]).unique_names();
        assert_eq!(names, ["a", "a_3", "a_2", "a_4"]);
    }

    #[test]
    fn select_lists_quote_and_cast() {
        let mut row = row(&["Order", "x\"y"]);
        row.columns[1].as_text = true;
        assert_eq!(row.select_list(), "\"Order\", \"x\"\"y\"::pg_catalog.text");
    }

    #[test]
    fn no_columns_still_count_rows() {
        assert_eq!(row(&[]).arrow_schema().field(0).name(), ROW_COLUMN);
    }
}
