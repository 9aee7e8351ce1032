//! Foreign-data wrappers, servers, user mappings and foreign tables.

use super::column::default_clause;
use super::constraint::clause;
use super::inheritance::attach;
use super::options::{foreign, pair, qualified};
use super::table::defaults;
use super::view::column_settings;
use super::{Emitter, Section};
use crate::catalog::model::{
    ColumnDefault, Constraint, Definition, ForeignColumn, ForeignDataWrapper, ForeignServer,
    ForeignTable, Object, UserMapping,
};
use crate::name::{quote_ident, quote_literal};

pub(super) fn create_wrapper(object: &Object, wrapper: &ForeignDataWrapper, out: &mut Emitter<'_>) {
    let mut sql = format!("CREATE FOREIGN DATA WRAPPER {}", quote_ident(&object.name));
    if let Some(handler) = &wrapper.handler {
        sql.push_str(&format!(" HANDLER {}", pair(handler)));
    }
    if let Some(validator) = &wrapper.validator {
        sql.push_str(&format!(" VALIDATOR {}", pair(validator)));
    }
    sql.push_str(&foreign(&wrapper.options));
    out.create(Section::PreData, object, sql);
}

pub(super) fn create_server(object: &Object, server: &ForeignServer, out: &mut Emitter<'_>) {
    let mut sql = format!("CREATE SERVER {}", quote_ident(&object.name));
    for (word, value) in [("TYPE", &server.server_type), ("VERSION", &server.version)] {
        if let Some(value) = value {
            sql.push_str(&format!(" {word} {}", quote_literal(value)));
        }
    }
    let wrapper = quote_ident(&server.wrapper);
    sql.push_str(&format!(
        " FOREIGN DATA WRAPPER {wrapper}{}",
        foreign(&server.options)
    ));
    out.create(Section::PreData, object, sql);
}

/// Without options: they are secrets, which the model does not hold.
pub(super) fn create_mapping(object: &Object, mapping: &UserMapping, out: &mut Emitter<'_>) {
    let role = mapping.role.as_deref();
    let sql = format!(
        "CREATE USER MAPPING FOR {} SERVER {}",
        role.map_or_else(|| "PUBLIC".to_owned(), quote_ident),
        quote_ident(&object.name)
    );
    out.create(Section::PreData, object, sql);
}

pub(super) fn create_table(object: &Object, table: &ForeignTable, out: &mut Emitter<'_>) {
    let name = qualified(object.schema.as_deref(), &object.name);
    // A partition has its columns from its parent, but is made apart and attached: their order may differ.
    let own = |column: &&ForeignColumn| column.local || table.partition.is_some();
    let defaults = defaults(out);
    let line = |it: &ForeignColumn| column(it, defaults.get(it.name.as_str()).copied());
    let mut parts: Vec<String> = table.columns.iter().filter(own).map(line).collect();
    for part in out.parts() {
        if let Definition::Constraint(Constraint::Check(check)) = &part.definition
            && (check.local || table.partition.is_some())
        {
            parts.push(clause(part, &check.definition));
        }
    }
    parts.extend(
        table
            .constraints
            .iter()
            .map(|(name, definition)| format!("CONSTRAINT {} {definition}", quote_ident(name))),
    );
    let parents: Vec<String> = table.parents.iter().map(pair).collect();
    let inherits = match parents.as_slice() {
        [] => String::new(),
        parents => format!(" INHERITS ({})", parents.join(", ")),
    };
    let sql = format!(
        "CREATE FOREIGN TABLE {name} ({}){inherits} SERVER {}{}",
        parts.join(", "),
        quote_ident(&table.server),
        foreign(&table.options)
    );
    out.create(Section::PreData, object, sql);
    for inherited in table.columns.iter().filter(|column| !own(column)) {
        let default = defaults.get(inherited.name.as_str()).copied();
        for action in additions(inherited, default) {
            let sql = format!("ALTER FOREIGN TABLE {name} {action}");
            out.create(Section::PreData, object, sql);
        }
    }
    for sql in column_settings(&name, &table.settings) {
        out.create(Section::PreData, object, sql);
    }
    if let Some(partition) = &table.partition {
        attach(object, partition, out);
    }
}

/// What an inherited column has of its own.
fn additions(column: &ForeignColumn, default: Option<&ColumnDefault>) -> Vec<String> {
    let name = quote_ident(&column.name);
    let mut actions = Vec::new();
    let options = foreign(&column.options);
    if !options.is_empty() {
        actions.push(format!("ALTER COLUMN {name}{options}"));
    }
    if let Some(default) = default.filter(|default| default.generated.is_none()) {
        actions.push(format!(
            "ALTER COLUMN {name} SET DEFAULT {}",
            default.expression
        ));
    }
    if column.not_null {
        actions.push(format!("ALTER COLUMN {name} SET NOT NULL"));
    }
    actions
}

fn column(column: &ForeignColumn, default: Option<&ColumnDefault>) -> String {
    let mut sql = format!(
        "{} {}{}",
        quote_ident(&column.name),
        column.data_type,
        foreign(&column.options)
    );
    if let Some(collation) = &column.collation {
        sql.push_str(&format!(" COLLATE {}", pair(collation)));
    }
    if let Some(default) = default {
        sql.push_str(&default_clause(default));
    }
    if column.not_null {
        sql.push_str(" NOT NULL");
    }
    sql
}
