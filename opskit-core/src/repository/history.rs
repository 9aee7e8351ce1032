//! One record per run, failed and cancelled ones too.

use super::id::stamp;
use super::layout::HISTORY;
use super::manifest::{check_version, parse_json};
use super::{BackupId, BackupType, Fault, Repository};
use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use time::OffsetDateTime;

/// The version of the stored form.
pub const RECORD_VERSION: u32 = 1;
/// The largest record that is read.
const RECORD_BYTES_MAX: u64 = 1 << 20;

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RunStatus {
    /// It did what it was asked.
    Success,
    /// It failed.
    Failed,
    /// Its caller cancelled it.
    Cancelled,
}

impl RunStatus {
    /// How a run ended that gave this error.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        match error.kind() {
            ErrorKind::Cancelled => Self::Cancelled,
            _ => Self::Failed,
        }
    }
}

/// Which rows a run was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Selection {
    /// All but those that backups of this target always leave out.
    #[default]
    All,
    /// Those that were chosen for this run.
    Some,
}

/// What is told of a failure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunError {
    /// The kind, by its stable word.
    pub kind: String,
    /// What went wrong, outermost first.
    pub messages: Vec<String>,
}

impl RunError {
    /// What is told of `error`.
    #[must_use]
    pub fn of(error: &Error) -> Self {
        Self {
            kind: error.kind().as_str().to_owned(),
            messages: error.chain(),
        }
    }
}

/// What is missing where a schedule was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Overdue {
    /// There is no backup.
    Never,
    /// The last one is older than it may be, by this much.
    By(Duration),
}

/// The record of one backup run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RunRecord {
    /// [`RECORD_VERSION`].
    pub version: u32,
    /// The backup, whether it came to be or not.
    pub id: BackupId,
    /// What it was to hold.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// Which rows it was to hold.
    #[serde(default)]
    pub selection: Selection,
    /// How it ended.
    pub status: RunStatus,
    /// When it started, in RFC 3339.
    pub started_at: String,
    /// When it ended.
    pub finished_at: String,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
    /// The database.
    pub database: String,
    /// The name that the user has for it.
    #[serde(default)]
    pub target: Option<String>,
    /// Tables that were stored.
    pub tables: u64,
    /// Rows that were stored.
    pub rows: u64,
    /// Bytes that were stored.
    pub size_bytes: u64,
    /// SHA-256 of the manifest, for a backup that is complete.
    pub manifest_sha256: Option<String>,
    /// The latest migration, by a known history table.
    pub migration_version: Option<String>,
    /// What the user wrote on it.
    pub tags: BTreeMap<String, String>,
    /// What the user should know.
    #[serde(default)]
    pub warnings: Vec<String>,
    /// Why it failed.
    pub error: Option<RunError>,
    /// The version of opskit that ran.
    pub opskit_version: String,
}

impl RunRecord {
    /// Refuses what would be larger than what is read again.
    pub(crate) fn check_size(&self) -> Result<()> {
        written(self).map(drop)
    }
}

/// The records of runs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct History {
    /// Those that can be read, in the order in which the runs ended.
    pub records: Vec<RunRecord>,
    /// Those that cannot, and why.
    pub unreadable: Vec<Fault>,
}

impl Repository {
    /// Adds the record of a run that ended `now`.
    ///
    /// # Errors
    /// Of kind `Storage` when it cannot be written.
    pub fn record(&self, record: &RunRecord, now: OffsetDateTime) -> Result<()> {
        self.store
            .create(&record_name(record, now)?, &written(record)?)
    }

    /// Adds a record of another kind.
    pub(crate) fn add_to_history(&self, name: &str, text: &[u8]) -> Result<()> {
        self.store.create(&format!("{HISTORY}/{name}"), text)
    }

    /// Writes a record once more, in place of the one that was added with the same time.
    pub(crate) fn amend(&self, record: &RunRecord, now: OffsetDateTime) -> Result<()> {
        self.store
            .replace(&record_name(record, now)?, &written(record)?)
    }

    /// Whether a target has no backup that is younger than its schedule wants. Only backups count that
    /// are still there and hold all rows; the name is the one that their runs were given. Records that cannot
    /// be read count for nothing.
    ///
    /// ```
    /// use opskit_core::repository::{Overdue, Repository};
    /// use std::time::{Duration, SystemTime};
    /// let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// let every = Duration::from_secs(24 * 3600);
    /// let overdue = repository.overdue("shop", every, SystemTime::now().into())?;
    /// assert_eq!(overdue, Some(Overdue::Never));
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::read_history`] and [`Self::backups`].
    pub fn overdue(
        &self,
        target: &str,
        every: Duration,
        now: OffsetDateTime,
    ) -> Result<Option<Overdue>> {
        let there = self.backups()?;
        let keeps_schedule = |record: &RunRecord| {
            record.status == RunStatus::Success
                && record.backup_type == BackupType::Full
                && record.selection == Selection::All
                && record.target.as_deref() == Some(target)
                && there.contains(&record.id)
        };
        let records = self.read_history()?.records.into_iter();
        let ids = records.filter(keeps_schedule);
        let Some(last) = ids.map(|record| record.id).max() else {
            return Ok(Some(Overdue::Never));
        };
        let age = now - last.started_at()?;
        let late = age - every;
        Ok((late.is_positive()).then(|| Overdue::By(late.unsigned_abs())))
    }

    /// The records of all runs, in the order in which they ended.
    ///
    /// ```
    /// # use opskit_core::repository::Repository;
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// assert_eq!(repository.history()?, []);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind `Storage` when the directory cannot be read; [`ErrorKind::Damaged`] for a record that
    /// cannot be understood.
    pub fn history(&self) -> Result<Vec<RunRecord>> {
        let names = self.record_names()?;
        names.iter().map(|name| self.read_record(name)).collect()
    }

    /// The records of all runs, as [`Self::history`], and what of them cannot be read.
    ///
    /// ```
    /// # use opskit_core::repository::Repository;
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// assert!(repository.read_history()?.unreadable.is_empty());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind `Storage` when the directory cannot be read.
    pub fn read_history(&self) -> Result<History> {
        let mut history = History::default();
        for name in self.record_names()? {
            match self.read_record(&name) {
                Ok(record) => history.records.push(record),
                Err(error) => history.unreadable.push(Fault {
                    object: format!("{HISTORY}/{name}"),
                    problem: error.chain().join(": "),
                }),
            }
        }
        Ok(history)
    }

    fn record_names(&self) -> Result<Vec<String>> {
        let mut names = self.store.entries(HISTORY)?;
        names.retain(|name| is_record(name));
        names.sort();
        Ok(names)
    }

    /// SHA-256 of the manifest of a backup, as the run that made it recorded it. None where there is no
    /// such record that can be read.
    pub(super) fn recorded_manifest(&self, id: &BackupId) -> Option<String> {
        let end = format!("-{id}.json");
        let names = self.record_names().ok()?.into_iter();
        let mut of_this = names.filter(|name| name.ends_with(&end));
        of_this.find_map(|name| self.read_record(&name).ok()?.manifest_sha256)
    }

    fn read_record(&self, name: &str) -> Result<RunRecord> {
        let path = format!("{HISTORY}/{name}");
        let bytes = self.store.read(&path, RECORD_BYTES_MAX)?;
        check_version(&bytes, RECORD_VERSION, &format!("\"{path}\""))?;
        parse_json(&bytes, &format!("\"{path}\""))
    }
}

fn record_name(record: &RunRecord, now: OffsetDateTime) -> Result<String> {
    Ok(format!("{HISTORY}/{}-{}.json", stamp(now)?, record.id))
}

fn written(record: &RunRecord) -> Result<Vec<u8>> {
    let text = serde_json::to_vec_pretty(record).map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot write the record of the run").with_source(source)
    })?;
    if text.len() as u64 <= RECORD_BYTES_MAX {
        return Ok(text);
    }
    Err(Error::new(
        ErrorKind::InvalidInput,
        format!(
            "the record of the run would have {} bytes, and no more than {RECORD_BYTES_MAX} are read",
            text.len()
        ),
    )
    .with_hint("Give it shorter tags."))
}

fn is_record(name: &str) -> bool {
    let stem = name.strip_suffix(".json");
    let halves = stem.and_then(|stem| stem.split_once('-'));
    halves.is_some_and(|(time, id)| super::id::is_stamp(time) && id.parse::<BackupId>().is_ok())
}
