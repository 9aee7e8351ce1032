//! Facts: the catalog of a database as generic, comparable statements.
//!
//! Every row of every system catalog that describes what a user made becomes one [`Fact`]: OIDs are
//! replaced by the names of what they mean, expressions by the server's own text of them, and what
//! does not survive a dump and a restore (files, statistics, counters) is left out. Two databases
//! have the same schema when their facts are equal. Nothing here knows how objects are made again:
//! that is [`model`](super::model), and facts are what it is judged by.
//!
//! A column's ordinary nothing (NULL, false, 0, an empty code) is not written, so that a column that
//! a newer server adds is a difference only where somebody uses it.

mod attributes;
pub(crate) mod catalogs;
mod document;
mod fold;
mod listing;
mod names;
mod options;
mod query;
mod reader;
pub(super) mod rewrites;

pub use attributes::Attributes;
pub use options::FactsOptions;
pub(crate) use reader::FactsReader;

use super::address::Address;
use super::scope::Scope;
use crate::name::hex;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

/// The version of the stored form; [`Facts::from_json`] reads every one that ever was.
pub const FACTS_SCHEMA: &str = "opskit.facts/1";

/// The value of what the role that read may not see.
pub const UNREADABLE: &str = "unreadable";

/// What one row of a catalog says.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Fact {
    /// The object as the catalog of its own database addresses it; not stored, not compared.
    #[serde(skip)]
    pub about: Option<Address>,
    /// The object it belongs to, in words: `table public.orders`.
    pub object: Arc<str>,
    /// The system catalog of the row: `pg_attribute`.
    pub catalog: Arc<str>,
    /// Which row of the object, where there are several: the name of a column.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<Box<str>>,
    /// What the row says.
    pub attributes: Attributes,
}

impl Fact {
    /// What tells this fact from every other of its database.
    pub(crate) fn key(&self) -> (&str, &str, &str) {
        let part = self.part.as_deref().unwrap_or_default();
        (&self.object, &self.catalog, part)
    }

    /// The SHA-256 of all that it says.
    pub(crate) fn digest(&self) -> [u8; 32] {
        let mut hasher = Sha256::new();
        self.put(&mut hasher);
        hasher.finalize().into()
    }

    fn put(&self, hasher: &mut Sha256) {
        let (object, catalog, part) = self.key();
        for text in [object, catalog, part] {
            put(hasher, text);
        }
        hasher.update((self.attributes.len() as u64).to_be_bytes());
        for (name, value) in self.attributes.iter() {
            put(hasher, name);
            put(hasher, value);
        }
    }
}

impl PartialEq for Fact {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key() && self.attributes == other.attributes
    }
}

impl Eq for Fact {}

/// The facts of one database, at one instant.
///
/// ```
/// # fn example(before: &str, after: &str) -> opskit_core::Result<()> {
/// use opskit_core::catalog::facts::Facts;
/// let (before, after) = (Facts::from_json(before.as_bytes())?, Facts::from_json(after.as_bytes())?);
/// assert_eq!(before.digest(), after.digest(), "nobody changed a thing");
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts {
    /// [`FACTS_SCHEMA`].
    pub schema: String,
    /// The server's version, as a number: 150018.
    pub server_version: u32,
    /// What the digests of secrets were salted with. Secrets compare under one salt only.
    pub salt: String,
    /// What was looked at.
    pub scope: Scope,
    /// The schemas that were not: those of platforms and those the user ignores.
    pub outside: Vec<String>,
    /// The facts of the database's objects, in order.
    pub objects: Vec<Fact>,
    /// The facts of the cluster (roles, memberships, tablespaces) and of the database as a whole
    /// (settings, privileges), in order.
    pub cluster: Vec<Fact>,
}

/// An object that nothing explains.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NamedObject {
    /// The object in words: `table public.orders`.
    pub object: String,
    /// Its address where it was read.
    #[serde(skip)]
    pub address: Option<Address>,
}

impl Facts {
    /// The major version of the server: 15.
    #[must_use]
    pub fn major(&self) -> u32 {
        self.server_version / 10_000
    }

    /// The SHA-256 of the objects' facts: equal exactly when they are. For facts of one salt.
    #[must_use]
    pub fn digest(&self) -> String {
        digest(&self.objects)
    }

    /// As [`Self::digest`], of the cluster's facts.
    #[must_use]
    pub fn cluster_digest(&self) -> String {
        digest(&self.cluster)
    }

    /// The objects of the database that have facts although none of `explained` accounts for them:
    /// what a script that makes only those would lose.
    ///
    /// The catalog splits some objects that one statement makes; their facts are about that one: an
    /// index that a constraint needs is about the constraint, a multirange about its range.
    #[must_use]
    pub fn unexplained(&self, explained: &HashSet<Address>) -> Vec<NamedObject> {
        let mut lost: BTreeMap<Address, &Fact> = BTreeMap::new();
        let mut nameless = Vec::new();
        for fact in &self.objects {
            match fact.about {
                Some(about) if explained.contains(&about) => {}
                Some(about) => drop(lost.entry(about).or_insert(fact)),
                None => nameless.push(fact),
            }
        }
        let named = |fact: &&Fact| NamedObject {
            object: fact.object.to_string(),
            address: fact.about,
        };
        let mut objects: Vec<NamedObject> = lost.values().map(named).collect();
        objects.extend(nameless.iter().map(named));
        objects.sort();
        objects.dedup();
        objects
    }
}

/// The system catalogs whose rows are facts.
#[must_use]
pub fn catalogs_read() -> Vec<&'static str> {
    let mut names: Vec<&'static str> = catalogs::walks().iter().map(|walk| walk.catalog).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// The system catalogs whose rows are none, with the reason.
#[must_use]
pub fn catalogs_skipped() -> &'static [(&'static str, &'static str)] {
    catalogs::NOT_WALKED
}

fn digest(facts: &[Fact]) -> String {
    let mut hasher = Sha256::new();
    put(&mut hasher, FACTS_SCHEMA);
    facts.iter().for_each(|fact| fact.put(&mut hasher));
    hex(&hasher.finalize())
}

/// Lengths stand before texts, so that no two lists of facts have one spelling.
fn put(hasher: &mut Sha256, text: &str) {
    hasher.update((text.len() as u64).to_be_bytes());
    hasher.update(text.as_bytes());
}

#[cfg(test)]
mod tests;
