//! What a backup holds, for those who may read it.

use super::BackupId;
use super::manifest::{check_version, parse_json};
use crate::catalog::Scope;
use crate::error::{Error, ErrorKind, Result};
use crate::export::Fingerprint;
use crate::name::QualifiedName;
use crate::pgtype::RowType;
use crate::sink::StoredObject;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The version of the stored form.
pub const CONTENTS_VERSION: u32 = 1;
/// The largest that is read.
pub(crate) const CONTENTS_BYTES_MAX: u64 = 256 << 20;

/// The form of the data objects.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum DataFormat {
    /// Parquet, with a side file for values that have no standard form.
    #[default]
    Parquet,
    /// The bytes of `COPY … (FORMAT binary)`, in a Zstandard frame.
    Pgcopy,
}

/// The other half of a backup's manifest: tables, values, and where they came from.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Contents {
    /// [`CONTENTS_VERSION`].
    pub version: u32,
    /// The repository that it was written to.
    pub repository: String,
    /// The backup.
    pub id: BackupId,
    /// All other objects, of a backup that is encrypted: who edits the manifest cannot edit this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub objects: Option<Vec<StoredObject>>,
    /// The database, and the instant.
    pub source: Source,
    /// What belongs to the user.
    pub scope: Scope,
    /// What was left out, and why.
    pub excluded: Vec<Excluded>,
    /// What cannot be carried and was accepted by name.
    pub accepted_losses: Vec<String>,
    /// The digest of the facts, in the snapshot and after the last of them was read alike.
    pub facts_digest: Option<String>,
    /// The form of the data objects.
    pub format: DataFormat,
    /// The tables, in order of their names.
    pub tables: Vec<TableEntry>,
    /// The sequences, read after the last part.
    pub sequences: Vec<SequenceEntry>,
    /// The marker in the write-ahead log. None where there may be none.
    pub marker: Option<Marker>,
    /// The state of the checked-out sources that the run was started in.
    pub git: Option<GitState>,
    /// The latest migration, by a known history table.
    pub migration: Option<MigrationState>,
    /// What the user wrote on it.
    pub tags: BTreeMap<String, String>,
    /// What the user should know.
    pub warnings: Vec<String>,
    /// The version of opskit that wrote it.
    pub opskit_version: String,
}

impl Contents {
    /// Reads what [`Contents`] says as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for one of a later version, [`ErrorKind::Damaged`] for what is none.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        check_version(bytes, CONTENTS_VERSION, "the sealed manifest")?;
        let contents: Self = parse_json(bytes, "the sealed manifest")?;
        for table in &contents.tables {
            table.check()?;
        }
        contents.check()?;
        Ok(contents)
    }

    /// Refuses numbers that nothing can have, so that all of them can be added.
    fn check(&self) -> Result<()> {
        let add = |number: fn(&PartEntry) -> u64| {
            let mut parts = self.tables.iter().flat_map(|table| &table.parts);
            parts.try_fold(0, |sum: u64, part| sum.checked_add(number(part)))
        };
        if add(|part| part.wire_bytes).is_some() && add(|part| part.rows).is_some() {
            return Ok(());
        }
        let what = "the sealed manifest tells of more rows than there can be";
        Err(Error::new(ErrorKind::Damaged, what))
    }

    /// Rows of all tables.
    #[must_use]
    pub fn rows(&self) -> u64 {
        self.tables.iter().map(|table| table.rows).sum()
    }

    /// The table of this name.
    #[must_use]
    pub fn table(&self, name: &QualifiedName) -> Option<&TableEntry> {
        self.tables.iter().find(|table| &table.name == name)
    }
}

/// The database that a backup is of, and the instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Source {
    /// The database.
    pub database: String,
    /// The name that the user had for it.
    #[serde(default)]
    pub target: Option<String>,
    /// The role that read it.
    pub role: String,
    /// The server's version, as a number: 150018.
    pub server_version: u32,
    /// The identity of the cluster. None where the role may not ask.
    pub system_identifier: Option<String>,
    /// The timeline. None where the role may not ask.
    pub timeline: Option<u32>,
    /// The place in the write-ahead log when the snapshot was taken. None where it cannot be told.
    pub lsn: Option<String>,
    /// The instant, as `pg_current_snapshot()` tells it.
    pub snapshot: String,
    /// Whether it was read from a standby.
    pub standby: bool,
    /// The encoding of the database.
    pub encoding: String,
    /// The collation of the database.
    pub collate: String,
    /// The character classes of the database.
    pub ctype: String,
    /// Collations in use with the version of the library below them, as `provider/name`.
    pub collation_versions: BTreeMap<String, String>,
}

/// Something of the database that is not in the backup.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Excluded {
    /// What, in words: `table public.audit`, `rows of foreign table public.remote`.
    pub object: String,
    /// Why.
    pub reason: String,
}

impl Excluded {
    /// The reason for what the user does not own: it comes back with the platform, not with a backup.
    pub(crate) const OF_THE_PLATFORM: &str = "it belongs to the platform";
}

/// What the rows of a table entry are.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Holds {
    /// All rows of a table: an ordinary one, or a leaf of a partitioned one.
    Table,
    /// All rows of a table that the platform made, but for what it computes. Its definition is the platform's
    /// and in no backup.
    PlatformTable,
    /// Those rows of a table of an extension that the user made, which `CREATE EXTENSION` does not
    /// bring.
    ExtensionTable {
        /// The extension.
        extension: String,
    },
    /// The pages of the large objects: `loid oid`, `page int4` and `data bytea`. The page `n` holds the
    /// bytes from `n * page_bytes` on; an object without bytes has one empty page.
    LargeObjects {
        /// How many objects there are.
        objects: u64,
        /// The size of each page but the last of an object.
        page_bytes: u32,
    },
}

/// One table of a backup.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TableEntry {
    /// Its name.
    pub name: QualifiedName,
    /// What its rows are.
    pub holds: Holds,
    /// Its columns, as they were read.
    pub row_type: Arc<RowType>,
    /// Its rows: counted by us, by the server and by the writer alike.
    pub rows: u64,
    /// The fingerprint of its rows.
    pub fingerprint: Fingerprint,
    /// Its parts, in order.
    pub parts: Vec<PartEntry>,
}

impl TableEntry {
    /// The parts must be what the table says it is.
    fn check(&self) -> Result<()> {
        let numbered = self.parts.iter().enumerate();
        let in_order = numbered.fold(true, |fine, (at, part)| fine && part.part as usize == at);
        let rows = self.parts.iter().map(|part| part.rows);
        let rows = rows.fold(0, u64::wrapping_add);
        let prints = self.parts.iter().map(|part| part.fingerprint);
        let sum = prints.fold(Fingerprint::default(), Fingerprint::plus);
        if in_order && rows == self.rows && sum == self.fingerprint {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Damaged,
            format!("the parts of \"{}\" do not add up to the table", self.name),
        ))
    }
}

/// One part of a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartEntry {
    /// Its number, from 0.
    pub part: u32,
    /// Its rows.
    pub rows: u64,
    /// The fingerprint of its rows.
    pub fingerprint: Fingerprint,
    /// Values that have no standard form.
    pub misfits: u64,
    /// Bytes received from the server, about what a restore sends.
    pub wire_bytes: u64,
    /// The main object.
    pub object: String,
    /// The side file, where there is one.
    pub exact: Option<String>,
}

/// The value of a sequence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SequenceEntry {
    /// Its name.
    pub name: QualifiedName,
    /// The value that was given last, or that will be the first.
    pub last_value: i64,
    /// Whether that value was given.
    pub is_called: bool,
}

/// A message in the write-ahead log that says: this backup was made here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// Its prefix.
    pub prefix: String,
    /// Its text.
    pub content: String,
    /// Where it ends.
    pub lsn: String,
}

/// What git says of the directory that a run was started in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GitState {
    /// The commit.
    pub commit: String,
    /// A tag of that commit.
    pub tag: Option<String>,
}

/// The latest migration of a known tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrationState {
    /// The table that tells.
    pub table: QualifiedName,
    /// The version.
    pub version: String,
}
