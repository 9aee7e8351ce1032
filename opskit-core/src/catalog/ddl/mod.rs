//! From the model to statements: [`Script`].
//!
//! One file per class of objects. SQL is built from quoted names, literals, and expression text that
//! the server itself gave (`pg_get_*def`); such text is never rewritten. Every statement is one
//! statement, and whoever runs it sends it by the extended protocol, which takes no second one: text
//! from a backup cannot smuggle one in.

mod cast;
mod collation;
mod data_type;
mod domain;
mod extension;
mod language;
mod operator;
mod parameters;
mod routine;
mod schema;
mod text_search;

use super::address::{Address, CatalogId};
use super::model::{Definition, Model, Object, TextSearch, TypeDefinition};
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
            source_version: model.server_version,
            statements: Vec::new(),
        };
        let mut objects: Vec<&Object> = model.objects.iter().collect();
        objects.sort_by_key(|object| rank(object));
        for object in objects {
            create(object, &mut out);
        }
        Ok(Self {
            statements: out.statements,
        })
    }
}

/// Classes in an order that does for simple databases.
fn rank(object: &Object) -> u8 {
    if object.address.catalog == CatalogId::SHELL_TYPE {
        return 2;
    }
    match &object.definition {
        Definition::Schema => 0,
        Definition::Extension(_) => 1,
        Definition::Collation(_) => 3,
        Definition::Type(TypeDefinition::Enum(_) | TypeDefinition::Shell) => 4,
        Definition::Domain(_) => 5,
        Definition::Type(TypeDefinition::Composite(_)) => 6,
        Definition::Language(_) => 7,
        Definition::Function(_) => 8,
        Definition::Type(_) => 9,
        Definition::DomainConstraint(_) => 10,
        Definition::Operator(_) => 11,
        Definition::Aggregate(_) => 12,
        Definition::OperatorFamily(_) => 13,
        Definition::OperatorClass(_) => 14,
        Definition::TextSearch(TextSearch::Parser(_) | TextSearch::Template(_)) => 15,
        Definition::TextSearch(TextSearch::Dictionary(_)) => 16,
        _ => 17,
    }
}

/// Collects the statements of one class after the other.
#[derive(Debug)]
pub(crate) struct Emitter<'a> {
    pub(crate) options: &'a DdlOptions,
    source_version: u32,
    statements: Vec<Statement>,
}

impl Emitter<'_> {
    /// Whether the statements are for a server of the major version that the model was read from.
    pub(crate) fn is_same_major(&self) -> bool {
        self.options.target_version / 10_000 == self.source_version / 10_000
    }

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
        Definition::Extension(it) => extension::create(object, it, out),
        Definition::Type(it) => data_type::create(object, it, out),
        Definition::Domain(it) => domain::create(object, it, out),
        Definition::DomainConstraint(it) => domain::constrain(object, it, out),
        Definition::Collation(it) => collation::create(object, it, out),
        Definition::Function(it) => routine::create(object, it, out),
        Definition::Aggregate(it) => routine::create_aggregate(object, it, out),
        Definition::Operator(it) => operator::create(object, it, out),
        Definition::OperatorFamily(it) => operator::create_family(object, it, out),
        Definition::OperatorClass(it) => operator::create_class(object, it, out),
        Definition::Cast(it) => cast::create(object, it, out),
        Definition::Conversion(it) => cast::create_conversion(object, it, out),
        Definition::Language(it) => language::create(object, it, out),
        Definition::Transform(it) => language::create_transform(object, it, out),
        Definition::TextSearch(it) => text_search::create(object, it, out),
        Definition::AccessMethod(it) => language::create_access_method(object, it, out),
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
