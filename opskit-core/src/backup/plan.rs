//! What a backup will hold, and what stands in its way.

use crate::error::{Error, ErrorKind};
use crate::name::QualifiedName;
use crate::repository::{BackupId, BackupType, Excluded, Holds};
use serde::Serialize;

/// What a backup will hold. Nothing is stored yet.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct BackupPlan {
    /// The version of this document: `opskit.backup-plan/1`.
    pub schema: &'static str,
    /// The name that the backup will have.
    pub id: BackupId,
    /// What it will hold.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// The database.
    pub database: String,
    /// The server's version, as a number: 150018.
    pub server_version: u32,
    /// The tables whose rows will be stored.
    pub tables: Vec<PlannedTable>,
    /// How many sequences there are.
    pub sequences: u64,
    /// How many objects the model has: all that definitions are stored of.
    pub objects: u64,
    /// What will not be in it, and why.
    pub excluded: Vec<Excluded>,
    /// What this role lacks. With any of it, the backup fails before a row is read.
    pub missing: Vec<Missing>,
    /// What cannot be carried. What is not accepted by name fails the backup before a row is read.
    pub losses: Vec<Loss>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// One table of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PlannedTable {
    /// Its name.
    pub name: QualifiedName,
    /// What its rows are.
    pub holds: Holds,
    /// How many columns it has.
    pub columns: u64,
    /// Into how many parts it is cut.
    pub parts: u64,
    /// Its size on the server's disk.
    pub heap_bytes: u64,
}

/// Something that the role may not do and the backup needs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Missing {
    /// The object in words.
    pub object: String,
    /// What is missing, in words.
    pub needs: String,
}

/// Something of the database that a backup cannot carry.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct Loss {
    /// The object, by the name with which it is accepted.
    pub object: String,
    /// Why.
    pub reason: String,
    /// Whether the user accepted it.
    pub accepted: bool,
}

impl BackupPlan {
    /// What is missing and lost, as the error that a run would end with before it reads a row.
    ///
    /// ```no_run
    /// # fn example(plan: &opskit_core::backup::BackupPlan) {
    /// if let Some(obstacle) = plan.obstacle() {
    ///     println!("{obstacle}: {}", obstacle.hint().unwrap_or_default());
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn obstacle(&self) -> Option<Error> {
        if let Some(first) = self.missing.first() {
            let more = match self.missing.len() {
                1 => String::new(),
                n => format!(", and {} more", n - 1),
            };
            return Some(
                Error::new(
                    ErrorKind::PermissionDenied,
                    format!("{} needs {}{more}", first.object, first.needs),
                )
                .with_hint("Grant it, use another role, or leave the rows out with --exclude; --plan lists all."),
            );
        }
        let open: Vec<&str> = self
            .losses
            .iter()
            .filter(|loss| !loss.accepted)
            .map(|loss| loss.object.as_str())
            .collect();
        let first = open.first()?;
        let more = match open.len() {
            1 => String::new(),
            n => format!(", nor {} more objects", n - 1),
        };
        Some(
            Error::new(
                ErrorKind::Unsupported,
                format!("{first} cannot be carried by a backup{more}"),
            )
            .with_hint("See --plan for all of them; accept each loss by name with --accept-loss, or ignore its schema."),
        )
    }

    /// Size on the server's disk of all tables.
    #[must_use]
    pub fn heap_bytes(&self) -> u64 {
        self.tables.iter().map(|table| table.heap_bytes).sum()
    }
}
