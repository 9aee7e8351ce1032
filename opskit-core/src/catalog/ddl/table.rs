//! Tables of all kinds.

use super::{Emitter, Section, column, constraint, inheritance, options};
use crate::catalog::model::{Check, Column, ColumnDefault, Constraint, Definition, Object, Table};
use crate::name::quote_ident;
use std::collections::HashMap;

/// Partitioned tables are never unlogged from this version on.
const NO_UNLOGGED_PARTITIONED: u32 = 180_000;

/// Sequences follow their table's persistence from this version on.
const UNLOGGED_SEQUENCES: u32 = 150_000;

pub(super) fn create(object: &Object, table: &Table, out: &mut Emitter<'_>) {
    let shape = Shape::of(table);
    if shape == Shape::Rebuilt {
        inheritance::lend(object, table, out);
    }
    let sql = create_table(object, table, shape, out);
    out.create(Section::PreData, object, sql);
    if let (Shape::Rebuilt, Some(inheritance)) = (shape, &table.inheritance) {
        inheritance::adopt(object, inheritance, out);
    }
    settle(object, table, shape, out);
    if let Some(partition) = &table.partition {
        inheritance::attach(object, partition, out);
    }
    not_yet_validated(object, table, out);
}

/// Which columns and constraints stand in a `CREATE TABLE`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// All of them. Partitions too, which are attached later.
    Whole,
    /// What the type of a typed table does not say.
    Typed,
    /// Those of its own; the others come from its parent.
    Child,
    /// Those of its own; the others come from its lender.
    Rebuilt,
    /// Columns for a child to inherit, with what it only inherits.
    Lender,
}

impl Shape {
    fn of(table: &Table) -> Self {
        match &table.inheritance {
            _ if table.of_type.is_some() => Self::Typed,
            None => Self::Whole,
            Some(inheritance) if inheritance.declarable => Self::Child,
            Some(_) => Self::Rebuilt,
        }
    }

    /// Whether a check constraint stands there.
    fn has(self, check: &Check) -> bool {
        match self {
            Self::Whole | Self::Typed => true,
            Self::Child | Self::Rebuilt => check.local,
            Self::Lender => !check.local,
        }
    }
}

fn create_table(object: &Object, table: &Table, shape: Shape, out: &Emitter<'_>) -> String {
    let partitioned = table.partition_key.is_some();
    let never_unlogged = partitioned && out.options.target_version >= NO_UNLOGGED_PARTITIONED;
    let unlogged = if table.unlogged && !never_unlogged {
        "UNLOGGED "
    } else {
        ""
    };
    let mut sql = format!("CREATE {unlogged}TABLE {}", object.sql_name());
    if let Some(of_type) = &table.of_type {
        sql.push_str(&format!(" OF {}", of_type.to_sql()));
    }
    let body = body(table, shape, out);
    if shape != Shape::Typed || !body.is_empty() {
        sql.push_str(&format!(" ({body})"));
    }
    let parents = match (shape, &table.inheritance) {
        (Shape::Rebuilt, _) => vec![inheritance::lender(object).to_sql()],
        (_, Some(inheritance)) => inheritance.parents.iter().map(|p| p.to_sql()).collect(),
        (_, None) => Vec::new(),
    };
    if !parents.is_empty() {
        sql.push_str(&format!(" INHERITS ({})", parents.join(", ")));
    }
    if let Some(key) = &table.partition_key {
        sql.push_str(&format!(" PARTITION BY {key}"));
    }
    if let Some(method) = &table.access_method {
        sql.push_str(&format!(" USING {}", quote_ident(method)));
    }
    let mut with = options::assignments("", &table.options);
    with.extend(options::assignments("toast.", &table.toast_options));
    if !with.is_empty() {
        sql.push_str(&format!(" WITH ({})", with.join(", ")));
    }
    sql
}

/// What stands in the parentheses of a `CREATE TABLE`.
pub(super) fn body(table: &Table, shape: Shape, out: &Emitter<'_>) -> String {
    let defaults = defaults(out);
    let mut lines: Vec<String> = table
        .columns
        .iter()
        .filter_map(|column| column_line(column, shape, &defaults))
        .collect();
    for part in out.parts() {
        if let Definition::Constraint(Constraint::Check(check)) = &part.definition
            && shape.has(check)
        {
            lines.push(constraint::clause(part, &check.definition));
        }
    }
    if lines.is_empty() {
        return String::new();
    }
    format!("\n    {}\n", lines.join(",\n    "))
}

fn column_line(
    column: &Column,
    shape: Shape,
    defaults: &HashMap<&str, &ColumnDefault>,
) -> Option<String> {
    let default = defaults.get(column.name.as_str()).copied();
    let own_not_null = column
        .not_null
        .as_ref()
        .filter(|n| n.local && column::declared(n));
    match shape {
        Shape::Whole => Some(column::typed(column) + &column::constraints(column, default)),
        Shape::Typed => {
            let constraints = column::constraints(column, default);
            let name = quote_ident(&column.name);
            (!constraints.is_empty()).then(|| format!("{name} WITH OPTIONS{constraints}"))
        }
        Shape::Lender => Some(column::lent(column, default)),
        Shape::Child | Shape::Rebuilt if column.local => {
            let own = Column {
                not_null: own_not_null.cloned(),
                ..column.clone()
            };
            // The lender has said how it is computed, which older servers do not take twice.
            let default = default.filter(|of| shape == Shape::Child || of.generated.is_none());
            Some(column::typed(column) + &column::constraints(&own, default))
        }
        Shape::Child | Shape::Rebuilt => own_not_null.and_then(|_| column::named_not_null(column)),
    }
}

/// The defaults that are to be made within the table, by column.
pub(super) fn defaults<'a>(out: &Emitter<'a>) -> HashMap<&'a str, &'a ColumnDefault> {
    let defaults = out.parts().filter_map(|part| match &part.definition {
        Definition::Default(default) => Some((default.column.as_str(), default)),
        _ => None,
    });
    defaults.collect()
}

/// What no `CREATE TABLE` can say.
fn settle(object: &Object, table: &Table, shape: Shape, out: &mut Emitter<'_>) {
    let defaults = defaults(out);
    let mut actions = Vec::new();
    for column in &table.columns {
        if matches!(shape, Shape::Child | Shape::Rebuilt) && !column.local {
            let default = defaults.get(column.name.as_str()).copied();
            actions.extend(column::additions(column, default));
        }
        actions.extend(column::settings(column));
    }
    match table.replica_identity.as_deref() {
        Some("f") => actions.push("REPLICA IDENTITY FULL".to_owned()),
        Some("n") => actions.push("REPLICA IDENTITY NOTHING".to_owned()),
        _ => {}
    }
    if !actions.is_empty() {
        let sql = format!(
            "ALTER TABLE ONLY {} {}",
            object.sql_name(),
            actions.join(", ")
        );
        out.create(Section::PreData, object, sql);
    }
    if out.options.target_version >= UNLOGGED_SEQUENCES {
        sequences_persistence(object, table, out);
    }
}

fn sequences_persistence(object: &Object, table: &Table, out: &mut Emitter<'_>) {
    let identities = table.columns.iter().filter_map(|c| c.identity.as_ref());
    for identity in identities.filter(|identity| identity.unlogged != table.unlogged) {
        let set = if identity.unlogged {
            "UNLOGGED"
        } else {
            "LOGGED"
        };
        let sql = format!("ALTER SEQUENCE {} SET {set}", identity.sequence.to_sql());
        out.create(Section::PreData, object, sql);
    }
}

/// NOT NULL constraints that rows of old may be against.
fn not_yet_validated(object: &Object, table: &Table, out: &mut Emitter<'_>) {
    let name = object.sql_name();
    for column in &table.columns {
        let Some(not_null) = &column.not_null else {
            continue;
        };
        if let (true, Some(constraint)) = (not_null.validated_alone, &not_null.name) {
            let sql = constraint::validate(&name, constraint);
            out.create(Section::PostData, object, sql);
        } else if let (true, false, Some(clause)) = (
            not_null.local,
            not_null.validated,
            column::named_not_null(column),
        ) {
            let sql = format!("ALTER TABLE {name} ADD {clause} NOT VALID");
            out.create(Section::PostData, object, sql);
        }
    }
}
