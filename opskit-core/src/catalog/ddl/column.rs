//! Columns within the statements that make and change their table.

use super::{options, sequence};
use crate::catalog::model::{Column, ColumnDefault, Generated, Identity, IdentityKind, NotNull};
use crate::name::quote_ident;

/// The column with its type and collation: `"a" text COLLATE "x"."y"`.
pub(super) fn typed(column: &Column) -> String {
    let mut sql = format!("{} {}", quote_ident(&column.name), column.type_sql);
    if let Some(collation) = &column.collation {
        sql.push_str(&format!(" COLLATE {}", collation.to_sql()));
    }
    sql
}

/// What follows the type: default or generation expression, NOT NULL, identity. Empty, or with a blank
/// before each.
pub(super) fn constraints(column: &Column, default: Option<&ColumnDefault>) -> String {
    let mut sql = String::new();
    if let Some(default) = default {
        sql.push_str(&default_clause(default));
    }
    if let Some(not_null) = column.not_null.as_ref().filter(|n| declared(n)) {
        sql.push_str(&not_null_clause(not_null));
    }
    if let Some(identity) = &column.identity {
        sql.push(' ');
        sql.push_str(&identity_clause(identity));
    }
    sql
}

pub(super) fn default_clause(default: &ColumnDefault) -> String {
    let expression = &default.expression;
    match default.generated {
        None => format!(" DEFAULT {expression}"),
        Some(Generated::Stored) => format!(" GENERATED ALWAYS AS ({expression}) STORED"),
        Some(Generated::Virtual) => format!(" GENERATED ALWAYS AS ({expression}) VIRTUAL"),
    }
}

/// Whether a NOT NULL constraint can stand in `CREATE TABLE`.
pub(super) fn declared(not_null: &NotNull) -> bool {
    not_null.validated && !not_null.validated_alone
}

fn not_null_clause(not_null: &NotNull) -> String {
    let mut sql = String::new();
    if let Some(name) = &not_null.name {
        sql.push_str(&format!(" CONSTRAINT {}", quote_ident(name)));
    }
    sql.push_str(" NOT NULL");
    if not_null.no_inherit {
        sql.push_str(" NO INHERIT");
    }
    sql
}

fn identity_clause(identity: &Identity) -> String {
    let kind = match identity.kind {
        IdentityKind::Always => "ALWAYS",
        IdentityKind::ByDefault => "BY DEFAULT",
    };
    format!(
        "GENERATED {kind} AS IDENTITY (SEQUENCE NAME {} {})",
        identity.sequence.to_sql(),
        sequence::counting(&identity.options)
    )
}

/// What `ALTER TABLE` still has to do to a column of a table that `CREATE TABLE` just made, if the
/// column stood there with its clauses.
pub(super) fn settings(column: &Column) -> Vec<String> {
    let name = quote_ident(&column.name);
    let mut actions = Vec::new();
    if let Some(storage) = column.storage.as_deref().and_then(storage_word) {
        actions.push(format!("ALTER COLUMN {name} SET STORAGE {storage}"));
    }
    if let Some(method) = column.compression.as_deref().and_then(compression_word) {
        actions.push(format!("ALTER COLUMN {name} SET COMPRESSION {method}"));
    }
    if let Some(target) = column.statistics {
        actions.push(format!("ALTER COLUMN {name} SET STATISTICS {target}"));
    }
    if !column.options.is_empty() {
        let options = options::assignments("", &column.options).join(", ");
        actions.push(format!("ALTER COLUMN {name} SET ({options})"));
    }
    actions
}

/// What `ALTER TABLE` has to do to a column that came by inheritance, without its clauses.
pub(super) fn additions(column: &Column, default: Option<&ColumnDefault>) -> Vec<String> {
    let name = quote_ident(&column.name);
    let mut actions = Vec::new();
    if let Some(default) = default.filter(|default| default.generated.is_none()) {
        let expression = &default.expression;
        actions.push(format!("ALTER COLUMN {name} SET DEFAULT {expression}"));
    }
    // One with a name stands in `CREATE TABLE`.
    let own = |n: &&NotNull| n.local && declared(n) && n.name.is_none();
    if column.not_null.as_ref().filter(own).is_some() {
        actions.push(format!("ALTER COLUMN {name} SET NOT NULL"));
    }
    if let Some(identity) = &column.identity {
        let clause = identity_clause(identity);
        actions.push(format!("ALTER COLUMN {name} ADD {clause}"));
    }
    actions
}

/// The column for a child to inherit: without default and identity, and with NOT NULL only where the
/// child does not declare it itself.
pub(super) fn lent(column: &Column, default: Option<&ColumnDefault>) -> String {
    let mut sql = typed(column);
    if let Some(default) = default.filter(|default| default.generated.is_some()) {
        sql.push_str(&default_clause(default));
    }
    let inherited = |n: &&NotNull| !n.local && declared(n);
    if let Some(not_null) = column.not_null.as_ref().filter(inherited) {
        sql.push_str(&not_null_clause(not_null));
    }
    sql
}

/// A NOT NULL constraint with a name, outside of its column.
pub(super) fn named_not_null(column: &Column) -> Option<String> {
    let not_null = column.not_null.as_ref()?;
    let name = not_null.name.as_ref()?;
    let tail = if not_null.no_inherit {
        " NO INHERIT"
    } else {
        ""
    };
    Some(format!(
        "CONSTRAINT {} NOT NULL {}{tail}",
        quote_ident(name),
        quote_ident(&column.name)
    ))
}

fn storage_word(letter: &str) -> Option<&'static str> {
    match letter {
        "p" => Some("PLAIN"),
        "e" => Some("EXTERNAL"),
        "m" => Some("MAIN"),
        "x" => Some("EXTENDED"),
        _ => None,
    }
}

fn compression_word(letter: &str) -> Option<&'static str> {
    match letter {
        "p" => Some("pglz"),
        "l" => Some("lz4"),
        _ => None,
    }
}
