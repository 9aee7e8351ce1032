//! Constraints that are added to a table that is there.

use super::{Emitter, Section, index, options};
use crate::catalog::model::{Check, Constraint, Foreign, Key, KeyKind, Object};
use crate::name::{QualifiedName, quote_ident};

pub(super) fn create(object: &Object, constraint: &Constraint, out: &mut Emitter<'_>) {
    match constraint {
        Constraint::Check(check) => create_check(object, check, out),
        Constraint::Key(key) => {
            let sql = add(object, "ONLY ", &key.table, &key_definition(key));
            out.create(Section::PostData, object, sql);
            index::settle(object, &key.table, &key.index, out);
        }
        Constraint::Exclusion(exclusion) => {
            let sql = add(object, "ONLY ", &exclusion.table, &exclusion.definition);
            out.create(Section::PostData, object, sql);
            index::settle(object, &exclusion.table, &exclusion.index, out);
        }
        Constraint::Foreign(foreign) => {
            let sql = add(object, only(foreign), &foreign.table, &foreign.definition);
            out.create(Section::PostData, object, sql);
        }
    }
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
