//! `[[rule]]`: what must be so of the data.

use super::raw::Checker;
use crate::error::Result;
use crate::name::QualifiedName;
use serde::Deserialize;
use std::collections::BTreeSet;
use toml::Spanned;

type Text = Spanned<String>;

/// Something that must be so of the data.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct Rule {
    /// For which target; for all where none is named.
    pub target: Option<String>,
    /// Its name.
    pub id: String,
    /// What must be so.
    pub check: RuleCheck,
}

/// What a rule wants.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub enum RuleCheck {
    /// A column that is set in this share of the rows, from 0 to 1. A table without rows is as it should be.
    NotNullRatio {
        /// The table.
        table: QualifiedName,
        /// The column.
        column: String,
        /// The share.
        ratio: f64,
    },
    /// A table that has not fewer and not more rows.
    Rows {
        /// The table.
        table: QualifiedName,
        /// Not fewer.
        min: Option<u64>,
        /// Not more.
        max: Option<u64>,
    },
    /// A column whose values are all found in a column of another table; NULL need not be.
    Orphans {
        /// The table.
        table: QualifiedName,
        /// Its column.
        column: String,
        /// The other table.
        parent: QualifiedName,
        /// Its column.
        parent_column: String,
    },
    /// A query that finds no rows.
    Query {
        /// Of the rows that must not be.
        query: String,
    },
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRule {
    target: Option<Text>,
    id: Text,
    table: Option<Text>,
    not_null: Option<RawNotNull>,
    rows: Option<RawRows>,
    references: Option<RawReferences>,
    query: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawNotNull {
    column: String,
    ratio: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRows {
    min: Option<u64>,
    max: Option<u64>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawReferences {
    column: String,
    table: Text,
    to: String,
}

impl Checker<'_> {
    pub(super) fn rules(&self, raw: Vec<RawRule>, targets: &BTreeSet<String>) -> Result<Vec<Rule>> {
        let mut ids = BTreeSet::new();
        let mut rules = Vec::new();
        for rule in raw {
            self.known("target", rule.target.as_ref(), targets)?;
            if !ids.insert(rule.id.get_ref().clone()) {
                return Err(self.wrong(&rule.id.span(), "there are two rules with this id"));
            }
            rules.push(self.rule(rule)?);
        }
        Ok(rules)
    }

    fn rule(&self, raw: RawRule) -> Result<Rule> {
        let span = raw.id.span();
        let wrong = |what: &str| self.wrong(&span, what);
        let table = raw
            .table
            .as_ref()
            .map(|text| self.table(text))
            .transpose()?;
        let table_of = || {
            table
                .clone()
                .ok_or_else(|| wrong("a rule about a table names it"))
        };
        let mut checks = Vec::new();
        if let Some(RawNotNull { column, ratio }) = raw.not_null {
            if !(0.0..=1.0).contains(&ratio) {
                return Err(wrong("a ratio is a number from 0 to 1"));
            }
            let table = table_of()?;
            checks.push(RuleCheck::NotNullRatio {
                table,
                column,
                ratio,
            });
        }
        if let Some(RawRows { min, max }) = raw.rows {
            if min.is_none() && max.is_none() {
                return Err(wrong("rows has a min, a max or both"));
            }
            let table = table_of()?;
            checks.push(RuleCheck::Rows { table, min, max });
        }
        if let Some(RawReferences { column, table, to }) = raw.references {
            checks.push(RuleCheck::Orphans {
                table: table_of()?,
                column,
                parent: self.table(&table)?,
                parent_column: to,
            });
        }
        if let Some(query) = raw.query {
            if table.is_some() {
                return Err(wrong("a rule with a query names no table"));
            }
            let query = query.trim().trim_end_matches(';').to_owned();
            checks.push(RuleCheck::Query { query });
        }
        match <[RuleCheck; 1]>::try_from(checks) {
            Ok([check]) => Ok(Rule {
                target: raw.target.map(Text::into_inner),
                id: raw.id.into_inner(),
                check,
            }),
            Err(_) => Err(wrong(
                "a rule has one of not_null, rows, references and query",
            )),
        }
    }

    fn table(&self, text: &Text) -> Result<QualifiedName> {
        let halves = text.get_ref().split_once('.');
        let halves = halves.filter(|(schema, name)| !schema.is_empty() && !name.is_empty());
        let (schema, name) = halves.ok_or_else(|| {
            let what = "a table is named with its schema, as in public.orders";
            self.wrong(&text.span(), what)
        })?;
        Ok(QualifiedName::new(schema, name))
    }
}
