//! The model: typed objects of a database, read to write DDL.
//!
//! Each class of objects has one file here (its structs and the query that reads them) and one in
//! [`ddl`](super::ddl) (the statements that make it). A query returns `oid, schema, name, owner,
//! definition`, the last as a JSON document with the fields of the class's struct, so that reading is
//! one generic step and the stored model has the same form.

mod column;
mod constraint;
mod default;
mod index;
mod links;
mod read;
mod schema;
mod sequence;
mod statistics;
mod table;

pub use column::{Column, Generated, Identity, IdentityKind, NotNull};
pub use constraint::{Check, Constraint, Exclusion, Foreign, Key, KeyKind};
pub use default::ColumnDefault;
pub use index::{Index, IndexState};
pub use sequence::{Sequence, SequenceOptions};
pub use statistics::Statistics;
pub use table::{Inheritance, Partition, Table};

pub(crate) use read::{ModelReader, ReadContext};

use super::address::{Address, CatalogId};
use crate::name::{QualifiedName, quote_ident};
use serde::{Deserialize, Serialize};

/// The version of the stored form.
pub const MODEL_VERSION: u32 = 1;

/// Everything the user owns in one database, at one instant.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Model {
    /// [`MODEL_VERSION`].
    pub version: u32,
    /// The server's version, as a number: 150018.
    pub server_version: u32,
    /// The objects, in order of their addresses.
    pub objects: Vec<Object>,
    /// Which object needs which to exist first, within the model.
    pub needs: Vec<Need>,
    /// What comes and goes with an object.
    pub parts: Vec<Part>,
}

/// Something with an address of its own that its object brings along: its row type, its array type,
/// its TOAST table, the index of a constraint, the sequence of an identity column.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// The part.
    pub part: Address,
    /// The object of the model that brings it.
    pub of: Address,
}

/// One object needs another to exist first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Need {
    /// The object that depends. For what the query of a view needs, but not its columns' types: the
    /// address of its rule, which is a part of the view.
    pub object: Address,
    /// What it depends on.
    pub on: Address,
}

/// One object of the database.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Object {
    /// Where it was read.
    pub address: Address,
    /// Its schema, for objects that live in one.
    pub schema: Option<String>,
    /// Its name, without quotes.
    pub name: String,
    /// The role that owns it, for objects that have an owner of their own.
    pub owner: Option<String>,
    /// What it is.
    pub definition: Definition,
}

/// What an object is: one variant per class.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Definition {
    /// A schema.
    Schema,
    /// A table of any kind.
    Table(Table),
    /// A sequence that belongs to no identity column.
    Sequence(Sequence),
    /// A default or a generation expression of a column.
    Default(ColumnDefault),
    /// A constraint of a table.
    Constraint(Constraint),
    /// An index that belongs to no constraint.
    Index(Index),
    /// Extended statistics.
    Statistics(Statistics),
}

impl Definition {
    /// The class in SQL's words: `SCHEMA`, as `COMMENT ON` and `ALTER` want it.
    #[must_use]
    pub fn sql_class(&self) -> &'static str {
        match self {
            Self::Schema => "SCHEMA",
            Self::Table(_) => "TABLE",
            Self::Sequence(_) => "SEQUENCE",
            Self::Default(_) => "DEFAULT",
            Self::Constraint(_) => "CONSTRAINT",
            Self::Index(_) => "INDEX",
            Self::Statistics(_) => "STATISTICS",
        }
    }
}

impl Object {
    /// The object in words, for people: `table public.orders`.
    #[must_use]
    pub fn describe(&self) -> String {
        let class = self.definition.sql_class().to_lowercase();
        match (&self.definition, &self.schema) {
            (Definition::Constraint(constraint), _) => {
                format!("{class} {} on {}", self.name, constraint.table())
            }
            (_, Some(schema)) => format!("{class} {schema}.{}", self.name),
            (_, None) => format!("{class} {}", self.name),
        }
    }

    /// The object's name for SQL, quoted and with its schema.
    #[must_use]
    pub fn sql_name(&self) -> String {
        match &self.schema {
            Some(schema) => QualifiedName::new(schema, &self.name).to_sql(),
            None => quote_ident(&self.name),
        }
    }
}
