//! What a restore would do.

use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use crate::repository::{BackupId, Origin};
use serde::Serialize;

/// The session that runs what may run code of the backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum SessionKind {
    /// That of the target's role.
    Own,
    /// A login without rights that exists for as long as the restore.
    TemporaryLogin,
}

/// A table that rows are loaded into.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PlannedTable {
    /// The table.
    pub name: QualifiedName,
    /// Its rows.
    pub rows: u64,
    /// Its parts.
    pub parts: usize,
    /// About how much is sent.
    pub bytes: u64,
}

/// What a restore would do, and why it would not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RestorePlan {
    /// `opskit.restore-plan/1`.
    pub schema: &'static str,
    /// The backup.
    pub backup: BackupId,
    /// Which database it is of.
    pub source: Origin,
    /// The version of its server, as a number: 150018.
    pub source_version: u32,
    /// The database that is restored into.
    pub database: String,
    /// The role that restores.
    pub role: String,
    /// The version of its server.
    pub target_version: u32,
    /// Who runs what may run code of the backup.
    pub session: SessionKind,
    /// Statements before the rows.
    pub pre_data: usize,
    /// Statements after the rows.
    pub post_data: usize,
    /// Owners, privileges and comments.
    pub access: usize,
    /// The tables that rows are loaded into, the largest first.
    pub tables: Vec<PlannedTable>,
    /// Space that the rows need on the server's disk, about; indexes come on top.
    pub bytes: u64,
    /// What a restore of this backup that was stopped has left in the target, and is dropped first.
    pub leftovers: Vec<String>,
    /// What else is dropped first.
    pub drops: Vec<String>,
    /// Roles that are created, without passwords.
    pub roles: Vec<String>,
    /// Foreign keys that are dropped and made again, and triggers that are off, while rows are loaded into
    /// tables that exist.
    pub suspends: Vec<String>,
    /// What of the backup is left out, and why.
    pub skipped: Vec<String>,
    /// Why it cannot be done. Empty when it can.
    pub problems: Vec<String>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl RestorePlan {
    /// Fails when there are problems, and tells all of them.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] with one cause.
    pub fn check(&self) -> Result<()> {
        if self.problems.is_empty() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "backup {} cannot be restored into \"{}\": {}",
                self.backup,
                self.database,
                self.problems.join("; ")
            ),
        )
        .with_hint("--plan shows what would be done."))
    }
}
