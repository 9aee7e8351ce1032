//! What the history says of one migration.

use super::super::files::{Digests, MigrationId, Version};
use crate::catalog::TextRow;
use crate::error::{Error, ErrorKind, Result};
use serde::Serialize;

/// How far a migration came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// Some statements of a migration that cannot run in one transaction are done, others not.
    Incomplete,
    /// All of it is done.
    Applied,
    /// It was declared to be done before opskit came.
    Baseline,
}

/// A row of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Record {
    /// Which migration.
    pub id: MigrationId,
    /// Its name at that time.
    pub name: String,
    /// Digests of the file that ran; unknown where another tool ran it and the file is gone.
    pub digests: Option<Digests>,
    /// How far it came.
    pub state: State,
    /// When it began, in UTC.
    pub started_at: String,
    /// How long it took, in milliseconds; unknown while it is incomplete.
    pub duration_ms: Option<u64>,
    /// The role that ran it.
    pub role: String,
    /// The host of the program that ran it.
    pub host: Option<String>,
    /// The program and its version.
    pub tool: String,
    /// The backup that was taken before it.
    pub backup_id: Option<String>,
    /// Digest of the facts before the run that it belongs to; of the first migration of a run only.
    pub facts_before: Option<String>,
    /// Digest of the facts after the run that it belongs to; of the last migration of a run only.
    pub facts_after: Option<String>,
    /// The history table of another tool that it was taken over from.
    pub origin: Option<String>,
}

/// Reads all rows, in the order in which they ran.
pub(super) const READ: &str = "\
select id, version, name, digest, text_digest, state, \
pg_catalog.to_char(started_at at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"'), \
duration_ms::pg_catalog.text, role, host, tool, backup_id, facts_before, facts_after, origin \
from opskit.migrations order by sequence";

impl Record {
    pub(super) fn from_row(row: &TextRow) -> Result<Self> {
        let field = |at: usize| row.get(at).and_then(Clone::clone);
        let needed = |at: usize| field(at).ok_or_else(damaged);
        let key = needed(0)?;
        let id = match key.strip_prefix("R:") {
            Some(name) => MigrationId::Repeatable(name.to_owned()),
            None => MigrationId::Versioned(needed(1)?.parse::<Version>().map_err(|_| damaged())?),
        };
        let state = match needed(5)?.as_str() {
            "incomplete" => State::Incomplete,
            "applied" => State::Applied,
            "baseline" => State::Baseline,
            _ => return Err(damaged()),
        };
        let digests = field(3).zip(field(4));
        Ok(Self {
            id,
            name: needed(2)?,
            digests: digests.map(|(raw, text)| Digests { raw, text }),
            state,
            started_at: needed(6)?,
            duration_ms: field(7).and_then(|text| text.parse().ok()),
            role: needed(8)?,
            host: field(9),
            tool: needed(10)?,
            backup_id: field(11),
            facts_before: field(12),
            facts_after: field(13),
            origin: field(14),
        })
    }
}

fn damaged() -> Error {
    Error::new(
        ErrorKind::Damaged,
        "a row of \"opskit.migrations\" is not what opskit writes",
    )
    .with_hint(
        "Somebody changed the history by hand. Restore the table from a backup, or remove the row.",
    )
}
