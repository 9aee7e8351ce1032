//! From the model to statements: [`Script`].
//!
//! One file per class of objects. SQL is built from quoted names, literals, and expression text that
//! the server itself gave (`pg_get_*def`); such text is never rewritten. Every statement is one
//! statement, and whoever runs it sends it by the extended protocol, which takes no second one: text
//! from a backup cannot smuggle one in.

mod column;
mod constraint;
mod default;
mod index;
mod inheritance;
mod options;
mod schema;
mod sequence;
mod statistics;
mod table;

use super::address::Address;
use super::model::{Definition, Model, Object};
use super::order::{Form, Step, order};
use crate::error::Result;
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
}

impl DdlOptions {
    /// Everything, for a server of this version.
    #[must_use]
    pub fn new(target_version: u32) -> Self {
        Self { target_version }
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
        let mut out = Emitter::new(options);
        for step in order(model)? {
            out.begin(&step);
            create(step.object, &mut out);
        }
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
    statements: Vec<(Section, Place, Statement)>,
    refused: Vec<Refusal>,
    explained: BTreeSet<Address>,
    form: Form,
    earliest: Section,
    parts: Vec<&'a Object>,
}

impl<'a> Emitter<'a> {
    fn new(options: &'a DdlOptions) -> Self {
        Self {
            options,
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

    /// In how many steps the object is made, and which this is.
    #[cfg_attr(not(test), expect(dead_code, reason = "for the classes of views"))]
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
            sql,
        };
        self.statements.push((statement.section, place, statement));
        self.given(object);
    }

    /// The object and what is made within it is there without a statement of its own.
    pub(crate) fn given(&mut self, object: &Object) {
        self.explained.insert(object.address);
        self.explained
            .extend(self.parts.iter().map(|part| part.address));
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
        Definition::Table(table) => table::create(object, table, out),
        Definition::Sequence(sequence) => sequence::create(object, sequence, out),
        Definition::Default(default) => default::create(object, default, out),
        Definition::Constraint(constraint) => constraint::create(object, constraint, out),
        Definition::Index(index) => index::create(object, index, out),
        Definition::Statistics(statistics) => statistics::create(object, statistics, out),
    }
}

/// The script as text for `psql`.
impl fmt::Display for Script {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for setting in Self::SETTINGS {
            writeln!(f, "{setting};")?;
        }
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
