//! From the model to statements: [`Script`].
//!
//! One file per class of objects. SQL is built from quoted names, literals, and expression text that
//! the server itself gave (`pg_get_*def`); such text is never rewritten. Every statement is one
//! statement, and whoever runs it sends it by the extended protocol, which takes no second one: text
//! from a backup cannot smuggle one in.

mod schema;

use super::address::Address;
use super::model::{Definition, Model, Object};
use crate::error::Result;
use serde::Serialize;
use std::fmt;

/// When a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Section {
    /// Before rows are loaded: what tables need, and the tables.
    PreData,
    /// After rows are loaded: indexes, constraints, triggers, rules, policies.
    PostData,
    /// At the very end: owners, privileges, comments.
    Access,
}

/// What a statement does, so that whoever runs it can decide over which session it may run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Action {
    /// Makes the object, or a piece of it that was made apart.
    Create,
    /// Fills it from other objects: `REFRESH MATERIALIZED VIEW`.
    Populate,
    /// Gives it its owner.
    Owner,
    /// Grants and revokes.
    Grant,
    /// Comments and security labels.
    Describe,
}

/// One SQL statement, without a semicolon at its end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Statement {
    /// The object that it makes or changes.
    pub about: Address,
    /// The object in words: `table public.orders`.
    pub object: String,
    /// When it runs.
    pub section: Section,
    /// What it does.
    pub action: Action,
    /// The SQL.
    pub sql: String,
}

/// The statements that make a database again, in an order in which they work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Script {
    /// Sections one after the other; within one, what is needed stands first.
    pub statements: Vec<Statement>,
}

/// How statements are written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DdlOptions {
    /// The version of the server that the statements are for. Not older than the model's.
    pub target_version: u32,
}

impl DdlOptions {
    /// Everything, for a server of this version.
    #[must_use]
    pub fn new(target_version: u32) -> Self {
        Self { target_version }
    }
}

impl Script {
    /// Writes the statements for all objects of a model.
    ///
    /// # Errors
    /// Of kind `Damaged` when objects need each other in a circle that cannot be broken.
    pub fn of(model: &Model, options: &DdlOptions) -> Result<Self> {
        let mut out = Emitter {
            options,
            statements: Vec::new(),
        };
        for object in &model.objects {
            create(object, &mut out);
        }
        Ok(Self {
            statements: out.statements,
        })
    }
}

/// Collects the statements of one class after the other.
#[derive(Debug)]
pub(crate) struct Emitter<'a> {
    #[expect(dead_code, reason = "the classes that ask come next")]
    pub(crate) options: &'a DdlOptions,
    statements: Vec<Statement>,
}

impl Emitter<'_> {
    /// Adds a statement that makes `object`.
    pub(crate) fn create(&mut self, section: Section, object: &Object, sql: String) {
        self.statements.push(Statement {
            about: object.address,
            object: object.describe(),
            section,
            action: Action::Create,
            sql,
        });
    }
}

fn create(object: &Object, out: &mut Emitter<'_>) {
    match &object.definition {
        Definition::Schema => schema::create(object, out),
    }
}

/// The script as text for `psql`.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SET check_function_bodies = false;\nSET search_path = '';\n")?;
        for statement in &self.statements {
            writeln!(
                f,
                "\n-- {}\n{};",
                one_line(&statement.object),
                statement.sql
            )?;
        }
        Ok(())
    }
}

/// A name may hold line breaks, which would end the comment.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
