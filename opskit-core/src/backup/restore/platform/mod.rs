//! Tables of the platform's whose rows are the user's: accounts, and what is said of files.
//!
//! The platform makes them, and no restore makes, empties or drops one: rows go into such a table only where it has
//! none, all tables in one transaction. So each of them is as it was or as the backup says, whenever a restore is
//! stopped, and one that is run again finds what it loaded.

mod choose;
mod load;
mod look;

use crate::name::QualifiedName;

pub(super) use choose::choose;
pub(super) use look::{Seen, look};

/// What is loaded into tables of the platform's, and how.
#[derive(Debug, Default)]
pub(super) struct OfPlatform {
    /// The tables, each after those that it refers to.
    order: Vec<QualifiedName>,
    reactions: Reactions,
    /// What makes sequences go on behind the rows: in words, and as SQL.
    sequences: Vec<(String, String)>,
    /// Queries that find a row which a foreign key refuses, for keys that were off: in words, and as SQL.
    checks: Vec<(String, String)>,
}

/// What triggers and foreign keys do while rows are loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Reactions {
    /// What they always do.
    #[default]
    On,
    /// Nothing: the session says that it applies changes which were made elsewhere.
    Off,
}

/// What the plan tells of it.
#[derive(Debug, Default)]
pub(super) struct Told {
    pub(super) skipped: Vec<String>,
    pub(super) warnings: Vec<String>,
}
