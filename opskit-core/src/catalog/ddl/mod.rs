//! From the model to statements: [`Script`].
//!
//! One file per class of objects. SQL is built from quoted names, literals, and expression text that
//! the server itself gave (`pg_get_*def`); such text is never rewritten. Every statement is one
//! statement, and whoever runs it sends it by the extended protocol, which takes no second one: text
//! from a backup cannot smuggle one in.

mod access;
mod acl;
mod foreign;
mod options;
mod policy;
mod publication;
mod schema;
mod trigger;
mod view;

use super::address::Address;
use super::model::{Definition, Model, Object};
use crate::error::Result;
use crate::name::quote_ident;
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
    /// The role to run it as (`SET ROLE`), where a grant names another grantor than the owner.
    pub as_role: Option<String>,
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
    /// Whose objects they become.
    pub owners: Owners,
    /// What is granted.
    pub privileges: Grants,
}

/// Whose objects they become.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Owners {
    /// Those that they have in the model.
    #[default]
    OfModel,
    /// Whoever runs the script.
    OfSession,
}

/// What is granted and revoked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Grants {
    /// What is in the model, default privileges too.
    #[default]
    OfModel,
    /// Nothing.
    None,
}

impl DdlOptions {
    /// Everything, for a server of this version.
    #[must_use]
    pub fn new(target_version: u32) -> Self {
        Self {
            target_version,
            owners: Owners::default(),
            privileges: Grants::default(),
        }
    }

    /// With these owners.
    #[must_use]
    pub fn owners(mut self, owners: Owners) -> Self {
        self.owners = owners;
        self
    }

    /// With these privileges.
    #[must_use]
    pub fn privileges(mut self, privileges: Grants) -> Self {
        self.privileges = privileges;
        self
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
        access::finish(model, &mut out);
        // What is made later within a section keeps its place.
        out.statements.sort_by_key(|statement| statement.section);
        Ok(Self {
            statements: out.statements,
        })
    }
}

/// Collects the statements of one class after the other.
#[derive(Debug)]
pub(crate) struct Emitter<'a> {
    pub(crate) options: &'a DdlOptions,
    statements: Vec<Statement>,
}

impl Emitter<'_> {
    /// Adds a statement that makes `object`.
    pub(crate) fn create(&mut self, section: Section, object: &Object, sql: String) {
        self.act(Action::Create, section, object, sql);
    }

    /// Adds a statement that does something to `object`.
    pub(crate) fn act(&mut self, action: Action, section: Section, object: &Object, sql: String) {
        self.push(Statement {
            about: object.address,
            object: object.describe(),
            section,
            action,
            as_role: None,
            sql,
        });
    }

    pub(crate) fn push(&mut self, statement: Statement) {
        self.statements.push(statement);
    }
}

fn create(object: &Object, out: &mut Emitter<'_>) {
    match &object.definition {
        Definition::Schema => schema::create(object, out),
        Definition::View(view) => view::create(object, view, out),
        Definition::MaterializedView(view) => view::create_materialized(object, view, out),
        Definition::ViewDefault(default) => view::create_default(object, default, out),
        Definition::Trigger(trigger) => trigger::create(object, trigger, out),
        Definition::Rule(rule) => trigger::create_rule(object, rule, out),
        Definition::Policy(policy) => policy::create(object, policy, out),
        Definition::Publication(publication) => publication::create(object, publication, out),
        Definition::PublicationTable(table) => publication::add_table(object, table, out),
        Definition::PublicationSchema(schema) => publication::add_schema(object, schema, out),
        Definition::ForeignDataWrapper(wrapper) => foreign::create_wrapper(object, wrapper, out),
        Definition::ForeignServer(server) => foreign::create_server(object, server, out),
        Definition::UserMapping(mapping) => foreign::create_mapping(object, mapping, out),
        Definition::ForeignTable(table) => foreign::create_table(object, table, out),
        Definition::LargeObject => {
            if let Ok(oid) = object.name.parse::<u32>() {
                let sql = format!("SELECT pg_catalog.lo_create({oid})");
                out.create(Section::PreData, object, sql);
            }
        }
        // Made at the very end, or not at all.
        Definition::EventTrigger(_) | Definition::DefaultAcl(_) | Definition::Subscription(_) => {}
    }
}

/// The script as text for `psql`.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SET check_function_bodies = false;\nSET search_path = '';\n")?;
        for statement in &self.statements {
            writeln!(f, "\n-- {}", one_line(&statement.object))?;
            match &statement.as_role {
                None => writeln!(f, "{};", statement.sql)?,
                Some(role) => writeln!(
                    f,
                    "SET ROLE {};\n{};\nRESET ROLE;",
                    quote_ident(role),
                    statement.sql
                )?,
            }
        }
        Ok(())
    }
}

/// A name may hold line breaks, which would end the comment.
fn one_line(text: &str) -> String {
    text.replace(['\n', '\r'], " ")
}
