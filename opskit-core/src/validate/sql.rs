//! What a rule asks: how many rows there are, how many break it, and a few of those.

use crate::config::{Rule, RuleCheck};
use crate::name::{QualifiedName, quote_ident};

/// The query of a rule that gives one row, of all rows and of those that break it.
pub(super) fn counts(rule: &Rule) -> String {
    match &rule.check {
        RuleCheck::NotNullRatio { table, column, .. } => {
            let column = quote_ident(column);
            format!(
                "select count(*)::text, (count(*) filter (where {column} is null))::text from {}",
                table.to_sql()
            )
        }
        RuleCheck::Rows { table, .. } => {
            format!("select count(*)::text, '0' from {}", table.to_sql())
        }
        RuleCheck::Orphans { table, .. } => format!(
            "select (select count(*) from {})::text, (select count(*) from ({}) as broken)::text",
            table.to_sql(),
            broken(rule).unwrap_or_default()
        ),
        RuleCheck::Query { query } => {
            format!("select '', (select count(*) from (\n{query}\n) as broken)::text")
        }
    }
}

/// The query of the rows that break a rule; none where no row does by itself.
pub(super) fn broken(rule: &Rule) -> Option<String> {
    match &rule.check {
        RuleCheck::Rows { .. } => None,
        RuleCheck::NotNullRatio { table, column, .. } => Some(format!(
            "select * from {} where {} is null",
            table.to_sql(),
            quote_ident(column)
        )),
        RuleCheck::Orphans {
            table,
            column,
            parent,
            parent_column,
        } => Some(orphans(table, column, parent, parent_column)),
        RuleCheck::Query { query } => Some(format!("select * from (\n{query}\n) as broken")),
    }
}

fn orphans(table: &QualifiedName, column: &str, parent: &QualifiedName, key: &str) -> String {
    let (table, parent) = (table.to_sql(), parent.to_sql());
    let (column, key) = (quote_ident(column), quote_ident(key));
    format!(
        "select child.* from {table} as child where child.{column} is not null \
         and not exists (select from {parent} as parent where parent.{key} = child.{column})"
    )
}
