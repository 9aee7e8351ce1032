//! From the model to statements: [`Script`].
//!
//! One file per class of objects. SQL is built from quoted names, literals, and expression text that
//! the server itself gave (`pg_get_*def`); such text is never rewritten. Every statement is one
//! statement, and whoever runs it sends it by the extended protocol, which takes no second one: text
//! from a backup cannot smuggle one in.

mod access;
mod acl;
mod cast;
mod collation;
mod column;
mod constraint;
mod data_type;
mod default;
mod domain;
mod extension;
mod foreign;
mod index;
mod inheritance;
mod language;
mod operator;
mod options;
mod parameters;
mod policy;
mod publication;
mod routine;
mod schema;
mod sequence;
mod statistics;
mod table;
mod text_search;
mod trigger;
mod view;

pub(crate) use acl::{On, changes};

use super::address::Address;
use super::model::{Definition, Model, Object, Target};
use super::order::{Form, Step, order};
use crate::error::Result;
use crate::name::quote_ident;
use serde::Serialize;
use std::collections::BTreeSet;
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
    /// Grants and revokes on what the user did not make: the server's objects and those of extensions.
    /// A backup that nobody vouches for could open the server's files with it.
    GrantOnForeign,
    /// Sets a setting of a role or a database.
    Configure,
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
    /// The object that it says something about, where another statement makes that.
    #[serde(skip)]
    pub on: Option<Target>,
    /// The SQL.
    pub sql: String,
}

/// The statements that make a database again, in an order in which they work.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct Script {
    /// Sections one after the other; within one, what is needed stands first.
    pub statements: Vec<Statement>,
    /// What no statement makes, and why.
    pub refused: Vec<Refusal>,
    #[serde(skip)]
    explained: BTreeSet<Address>,
}

/// An object that is not made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Refusal {
    /// The object.
    pub about: Address,
    /// The object in words.
    pub object: String,
    /// Why it is not made.
    pub reason: String,
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
    /// Settings of the session that runs the statements: names are whole, and nothing comes from the
    /// role's or the database's own defaults.
    pub const SETTINGS: &[&str] = &[
        "SET check_function_bodies = false",
        "SET default_table_access_method = heap",
        "SET default_tablespace = ''",
        "SET search_path = ''",
    ];

    /// Writes the statements for all objects of a model.
    ///
    /// # Errors
    /// Of kind `Damaged` when objects need each other in a circle that cannot be broken.
    pub fn of(model: &Model, options: &DdlOptions) -> Result<Self> {
        let mut out = Emitter::new(options, model.server_version);
        for step in order(model)? {
            out.begin(&step);
            create(step.object, &mut out);
        }
        access::finish(model, &mut out);
        Ok(out.finish(model))
    }

    /// The addresses of everything that exists once the statements have run: each object that one of
    /// them makes, and what comes with it (its row type, its TOAST table, the index of a constraint).
    /// What the model's database holds beyond these is not carried.
    #[must_use]
    pub fn explained(&self) -> &BTreeSet<Address> {
        &self.explained
    }
}

/// Where within its section a statement runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// When it is its object's turn.
    InTurn,
    /// After all objects of the section.
    Last,
}

/// Collects the statements of one class after the other.
#[derive(Debug)]
pub(crate) struct Emitter<'a> {
    /// The options.
    pub(crate) options: &'a DdlOptions,
    source_version: u32,
    statements: Vec<(Section, Place, Statement)>,
    refused: Vec<Refusal>,
    explained: BTreeSet<Address>,
    form: Form,
    earliest: Section,
    parts: Vec<&'a Object>,
}

impl<'a> Emitter<'a> {
    fn new(options: &'a DdlOptions, source_version: u32) -> Self {
        Self {
            options,
            source_version,
            statements: Vec::new(),
            refused: Vec::new(),
            explained: BTreeSet::new(),
            form: Form::Whole,
            earliest: Section::PreData,
            parts: Vec::new(),
        }
    }

    fn begin(&mut self, step: &Step<'a>) {
        self.form = step.form;
        self.earliest = step.section;
        self.parts.clone_from(&step.parts);
    }

    /// Whether the statements are for a server of the major version that the model was read from.
    pub(crate) fn is_same_major(&self) -> bool {
        self.options.target_version / 10_000 == self.source_version / 10_000
    }

    /// In how many steps the object is made, and which this is.
    pub(crate) fn form(&self) -> Form {
        self.form
    }

    /// The objects that are to be made within this one: its defaults and check constraints.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &'a Object> + use<'a> {
        self.parts.clone().into_iter()
    }

    /// Adds a statement that makes `object`.
    pub(crate) fn create(&mut self, section: Section, object: &Object, sql: String) {
        self.push(section, Place::InTurn, Action::Create, object, sql);
    }

    /// Adds a statement. One that makes something does so not before what it needs is there, which
    /// can move it to a later section.
    pub(crate) fn push(
        &mut self,
        section: Section,
        place: Place,
        action: Action,
        object: &Object,
        sql: String,
    ) {
        let statement = Statement {
            about: object.address,
            object: object.describe(),
            section: section.max(self.earliest),
            action,
            as_role: None,
            on: None,
            sql,
        };
        self.statements.push((statement.section, place, statement));
        self.given(object);
    }

    /// Adds a statement about something that others make, unless they do not.
    pub(crate) fn say(&mut self, statement: Statement) {
        let is_about = |refusal: &Refusal| refusal.about == statement.about;
        if self.refused.iter().any(is_about) {
            return;
        }
        self.statements
            .push((statement.section, Place::InTurn, statement));
    }

    /// The object and what is made within it is there without a statement of its own.
    pub(crate) fn given(&mut self, object: &Object) {
        self.explained.insert(object.address);
        self.explained
            .extend(self.parts.iter().map(|part| part.address));
    }

    /// The object is there without us, and what is said about it is carried.
    pub(crate) fn given_elsewhere(&mut self, address: Address) {
        self.explained.insert(address);
    }

    /// The object cannot be made.
    pub(crate) fn refuse(&mut self, object: &Object, reason: impl Into<String>) {
        self.refused.push(Refusal {
            about: object.address,
            object: object.describe(),
            reason: reason.into(),
        });
    }

    fn finish(mut self, model: &Model) -> Script {
        self.statements
            .sort_by_key(|(section, place, _)| (*section, *place));
        for part in &model.parts {
            if self.explained.contains(&part.of) {
                self.explained.insert(part.part);
            }
        }
        let statements = self.statements.into_iter();
        Script {
            statements: statements.map(|(_, _, statement)| statement).collect(),
            refused: self.refused,
            explained: self.explained,
        }
    }
}

fn create(object: &Object, out: &mut Emitter<'_>) {
    match &object.definition {
        Definition::Schema => schema::create(object, out),
        Definition::View(view) => view::create(object, view, out),
        Definition::MaterializedView(view) => view::create_materialized(object, view, out),
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
        Definition::Subscription(_) => out.refuse(
            object,
            "subscriptions are not carried: a copy would take changes in place of the original",
        ),
        // Made at the very end.
        Definition::EventTrigger(_) | Definition::DefaultAcl(_) => {}
        Definition::Table(table) => table::create(object, table, out),
        Definition::Sequence(sequence) => sequence::create(object, sequence, out),
        Definition::Default(default) => default::create(object, default, out),
        Definition::Constraint(constraint) => constraint::create(object, constraint, out),
        Definition::Index(index) => index::create(object, index, out),
        Definition::Statistics(statistics) => statistics::create(object, statistics, out),
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
        for setting in Self::SETTINGS {
            writeln!(f, "{setting};")?;
        }
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
