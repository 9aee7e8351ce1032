//! Constraints that are added to a table that is there.

use super::{Emitter, Section, index, options};
use crate::catalog::model::{
    Check, Constraint, Exclusion, Foreign, IndexState, Key, KeyKind, Object,
};
use crate::name::{QualifiedName, quote_ident};

pub(super) fn create(object: &Object, constraint: &Constraint, out: &mut Emitter<'_>) {
    match constraint {
        Constraint::Check(check) => create_check(object, check, out),
        Constraint::Key(key) => {
            let definition = key_definition(key);
            if key.without_overlaps {
                create_excluding(object, &key.table, &key.index, &definition, out);
            } else {
                create_indexed(object, &key.table, &key.index, &definition, out);
            }
        }
        Constraint::Exclusion(exclusion) => {
            let Exclusion { table, index, .. } = exclusion;
            create_excluding(object, table, index, &exclusion.definition, out);
        }
        Constraint::Foreign(foreign) => {
            let sql = add(object, only(foreign), &foreign.table, &foreign.definition);
            out.create(Section::PostData, object, sql);
        }
    }
}

/// A constraint with an index, on its table alone.
fn create_indexed(
    object: &Object,
    table: &QualifiedName,
    state: &IndexState,
    definition: &str,
    out: &mut Emitter<'_>,
) {
    let sql = add(object, "ONLY ", table, definition);
    out.create(Section::PostData, object, sql);
    index::settle(object, table, state, out);
}

/// A constraint that excludes by operators. The server attaches no such index to a partitioned one, so
/// partitions get theirs with their parent's, as they did in the source.
fn create_excluding(
    object: &Object,
    table: &QualifiedName,
    state: &IndexState,
    definition: &str,
    out: &mut Emitter<'_>,
) {
    if state.attached_to.is_some() {
        out.given(object);
        let state = IndexState {
            attached_to: None,
            ..state.clone()
        };
        index::settle(object, table, &state, out);
    } else if state.partitioned {
        out.create(
            Section::PostData,
            object,
            add(object, "", table, definition),
        );
        index::settle(object, table, state, out);
    } else {
        create_indexed(object, table, state, definition, out);
    }
}

/// `VALIDATE` for a constraint of a child whose parent's stays as it is.
pub(super) fn validate(table: &str, constraint: &str) -> String {
    let constraint = quote_ident(constraint);
    format!("ALTER TABLE ONLY {table} VALIDATE CONSTRAINT {constraint}")
}

/// `CONSTRAINT name CHECK (…)`, as it stands within `CREATE TABLE`.
pub(super) fn clause(object: &Object, definition: &str) -> String {
    format!("CONSTRAINT {} {definition}", quote_ident(&object.name))
}

fn add(object: &Object, only: &str, table: &QualifiedName, definition: &str) -> String {
    let clause = clause(object, definition);
    format!("ALTER TABLE {only}{} ADD {clause}", table.to_sql())
}

fn create_check(object: &Object, check: &Check, out: &mut Emitter<'_>) {
    if check.validated_alone {
        let sql = validate(&check.table.to_sql(), &object.name);
        out.create(Section::PostData, object, sql);
        return;
    }
    // What is only inherited comes from the parent.
    if !check.local {
        out.given(object);
        return;
    }
    let section = if check.validated {
        Section::PreData
    } else {
        // Rows of old may be against it.
        Section::PostData
    };
    let sql = add(object, "", &check.table, &check.definition);
    out.create(section, object, sql);
}

/// Partitions get theirs from the partitioned table; nobody else inherits a foreign key.
fn only(foreign: &Foreign) -> &'static str {
    if foreign.partitioned { "" } else { "ONLY " }
}

fn key_definition(key: &Key) -> String {
    let mut sql = String::from(match key.kind {
        KeyKind::Primary => "PRIMARY KEY",
        KeyKind::Unique => "UNIQUE",
    });
    if key.nulls_not_distinct {
        sql.push_str(" NULLS NOT DISTINCT");
    }
    let overlaps = if key.without_overlaps {
        " WITHOUT OVERLAPS"
    } else {
        ""
    };
    sql.push_str(&format!(" ({}{overlaps})", names(&key.columns)));
    if let Some(include) = &key.include {
        sql.push_str(&format!(" INCLUDE ({})", names(include)));
    }
    if let Some(options) = &key.options {
        let options = options::assignments("", options).join(", ");
        sql.push_str(&format!(" WITH ({options})"));
    }
    if key.deferrable {
        sql.push_str(" DEFERRABLE");
    }
    if key.deferred {
        sql.push_str(" INITIALLY DEFERRED");
    }
    sql
}

fn names(columns: &[String]) -> String {
    let quoted: Vec<String> = columns.iter().map(|name| quote_ident(name)).collect();
    quoted.join(", ")
}
