//! What a restore did.

use crate::error::Error;
use crate::name::QualifiedName;
use crate::repository::BackupId;
use serde::Serialize;
use std::fmt;

/// The result of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestoreReport {
    /// `opskit.restore/1`.
    pub schema: &'static str,
    /// The backup.
    pub backup: BackupId,
    /// The database it was restored into.
    pub database: String,
    /// The version of the server it was restored to, as a number: 150018.
    pub server_version: u32,
    /// When it started, in RFC 3339.
    pub started_at: String,
    /// Wall time.
    pub elapsed_ms: u64,
    /// What was done, one after the other.
    pub phases: Vec<Phase>,
    /// Statements that were run.
    pub statements: usize,
    /// Tables that rows were loaded into.
    pub tables: usize,
    /// Rows that were loaded.
    pub rows: u64,
    /// What of the backup was left out, and why.
    pub skipped: Vec<String>,
    /// What failed, where that is not the end.
    pub failures: Vec<Failure>,
    /// What was compared with the backup, in words.
    pub compared: Vec<String>,
    /// Where the database is not what the backup says.
    pub differences: Vec<Difference>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl RestoreReport {
    /// Whether all that was asked for is there, and the same.
    #[must_use]
    pub fn is_same(&self) -> bool {
        self.failures.is_empty() && self.differences.is_empty()
    }
}

/// One step of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// Its name.
    pub name: &'static str,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// A statement or table that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// The object.
    pub object: String,
    /// The class of the error.
    pub kind: &'static str,
    /// The error and its causes.
    pub message: String,
    /// The way out, where there is one.
    pub hint: Option<String>,
}

impl Failure {
    pub(super) fn new(object: impl Into<String>, error: &Error) -> Self {
        Self {
            object: object.into(),
            kind: error.kind().as_str(),
            message: error.chain().join(": "),
            hint: error.hint().map(str::to_owned),
        }
    }
}

/// Something that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Difference {
    /// The rows of a table.
    Rows {
        /// The table.
        table: QualifiedName,
        /// How many there must be.
        wanted: u64,
        /// How many there are.
        found: u64,
    },
    /// As many rows, but not the same ones.
    Fingerprint {
        /// The table.
        table: QualifiedName,
    },
    /// An object, by its facts.
    Object {
        /// In words: what, and how it differs.
        text: String,
    },
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rows {
                table,
                wanted,
                found,
            } => write!(f, "table {table} has {found} rows instead of {wanted}"),
            Self::Fingerprint { table } => write!(f, "table {table} has other rows"),
            Self::Object { text } => f.write_str(text),
        }
    }
}
