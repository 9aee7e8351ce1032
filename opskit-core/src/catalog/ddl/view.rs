//! Views and materialised views.

use super::options::{assignments, pair, qualified, with};
use super::{Action, Emitter, Place, Section};
use crate::catalog::model::{ColumnSettings, MaterializedView, Object, View, ViewColumn};
use crate::catalog::order::Form;
use crate::name::quote_ident;

pub(super) fn create(object: &Object, view: &View, out: &mut Emitter<'_>) {
    let sql = match out.form() {
        Form::Whole => format!("CREATE VIEW {}", body(object, view)),
        Form::Placeholder => placeholder(object, view),
        Form::Completion => format!("CREATE OR REPLACE VIEW {}", body(object, view)),
    };
    out.create(Section::PreData, object, sql);
}

/// A view of the same columns that needs nothing but their types: for views that need each other.
fn placeholder(object: &Object, view: &View) -> String {
    let one = |column: &ViewColumn| {
        let collate = match &column.collation {
            Some(collation) => format!(" COLLATE {}", pair(collation)),
            None => String::new(),
        };
        format!(
            "NULL::{}{collate} AS {}",
            column.data_type,
            quote_ident(&column.name)
        )
    };
    let columns: Vec<String> = view.columns.iter().map(one).collect();
    format!(
        "CREATE VIEW {} AS SELECT {}",
        name(object),
        columns.join(", ")
    )
}

fn body(object: &Object, view: &View) -> String {
    format!("{}{} AS {}", name(object), with(&view.options), view.query)
}

fn name(object: &Object) -> String {
    qualified(object.schema.as_deref(), &object.name)
}

pub(super) fn create_materialized(object: &Object, view: &MaterializedView, out: &mut Emitter<'_>) {
    let name = name(object);
    let using = match &view.access_method {
        Some(method) => format!(" USING {}", quote_ident(method)),
        None => String::new(),
    };
    let mut options = assignments("", &view.options);
    options.extend(assignments("toast.", &view.toast_options));
    let with = if options.is_empty() {
        String::new()
    } else {
        format!(" WITH ({})", options.join(", "))
    };
    let sql = format!(
        "CREATE MATERIALIZED VIEW {name}{using}{with} AS {} WITH NO DATA",
        view.query
    );
    out.create(Section::PreData, object, sql);
    for sql in column_settings(&name, &view.columns) {
        out.create(Section::PreData, object, sql);
    }
    if view.populated {
        let sql = format!("REFRESH MATERIALIZED VIEW {name}");
        out.push(
            Section::PostData,
            Place::Last,
            Action::Populate,
            object,
            sql,
        );
    }
}

/// What was set for single columns of the relation `name`.
pub(super) fn column_settings(name: &str, columns: &[ColumnSettings]) -> Vec<String> {
    let mut all = Vec::new();
    for column in columns {
        let mut alter = |what: String| {
            let column = quote_ident(&column.name);
            all.push(format!(
                "ALTER TABLE {name} ALTER COLUMN {column} SET {what}"
            ));
        };
        if let Some(statistics) = column.statistics {
            alter(format!("STATISTICS {statistics}"));
        }
        if let Some(storage) = &column.storage {
            alter(format!("STORAGE {storage}"));
        }
        if let Some(compression) = &column.compression {
            alter(format!("COMPRESSION {compression}"));
        }
        if !column.options.is_empty() {
            alter(format!("({})", assignments("", &column.options).join(", ")));
        }
    }
    all
}
