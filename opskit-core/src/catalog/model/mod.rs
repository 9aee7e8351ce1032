//! The model: typed objects of a database, read to write DDL.
//!
//! Each class of objects has one file here (its structs and the query that reads them) and one in
//! [`ddl`](super::ddl) (the statements that make it). A query returns `oid, schema, name, owner,
//! definition`, the last as a JSON document with the fields of the class's struct, so that reading is
//! one generic step and the stored model has the same form.

mod read;
mod schema;

pub(crate) use read::{ModelReader, ReadContext};

use super::address::{Address, CatalogId};
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
    /// Which object needs which to exist first.
    pub needs: Vec<Need>,
}

/// One object needs another to exist first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Need {
    /// The object that depends.
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
}

impl Definition {
    /// The class in SQL's words: `SCHEMA`, as `COMMENT ON` and `ALTER` want it.
    #[must_use]
    pub fn sql_class(&self) -> &'static str {
        match self {
            Self::Schema => "SCHEMA",
        }
    }
}

impl Object {
    /// The object in words, for people: `table public.orders`.
    #[must_use]
    pub fn describe(&self) -> String {
        let class = self.definition.sql_class().to_lowercase();
        match &self.schema {
            Some(schema) => format!("{class} {schema}.{}", self.name),
            None => format!("{class} {}", self.name),
        }
    }
}
