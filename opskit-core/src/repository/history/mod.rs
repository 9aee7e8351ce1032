//! What happened, as one record each: runs of backups, failed and cancelled ones too, looks at them, drills, pins,
//! removals. A record is written once and names the ones before it by their digests.

mod chain;
mod check;
mod name;
mod overdue;
mod record;
mod run;

pub use check::{ChainFault, ChainFaultKind, HistoryCheck};
pub use overdue::Overdue;
pub use record::{
    DrillOutcome, DrillRecord, EVENT_VERSION, ForgetRecord, HistoryEvent, NoteRecord, PinAction,
    PinRecord, PruneRecord, RecordKind, VerifyOutcome, VerifyRecord,
};
pub use run::{RECORD_VERSION, RunError, RunRecord, RunStatus, Selection};

use super::instant::{parse_rfc3339, rfc3339};
use super::layout::HISTORY;
use super::manifest::{check_version, parse_json};
use super::{BackupId, Fault, Repository, VerifyReport};
use crate::error::{Error, ErrorKind, Result};
use crate::name::hex;
use chain::Tail;
use name::RecordName;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeMap;
use time::OffsetDateTime;

/// The largest record that is read.
const RECORD_BYTES_MAX: u64 = 64 << 20;
/// What drills are, for as long as this version knows them.
const DRILL_SCHEMAS: [&str; 2] = ["opskit.drill/1", "opskit.drill-failure/1"];

/// A record by its name and digest.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Link {
    /// Its name below `history/`.
    pub name: String,
    /// SHA-256 of its text.
    pub sha256: String,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HistoryEntry {
    /// Its name and digest.
    #[serde(flatten)]
    pub link: Link,
    /// When it was written, in RFC 3339.
    pub recorded_at: String,
    /// The records before it: one, unless several were written at the same time. None in records of versions that
    /// did not chain them.
    pub previous: Option<Vec<Link>>,
    /// What it tells.
    #[serde(flatten)]
    pub event: HistoryEvent,
}

impl HistoryEntry {
    /// When it was written.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] when the record tells no time.
    pub(crate) fn at(&self) -> Result<OffsetDateTime> {
        parse_rfc3339(&self.recorded_at)
    }
}

/// The records of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct History {
    /// Those that can be read, in the order in which they were written.
    pub entries: Vec<HistoryEntry>,
    /// Those that cannot, and why.
    pub unreadable: Vec<Fault>,
}

impl History {
    /// The runs, in the order in which they ended, each with what came up after it.
    ///
    /// ```
    /// use opskit_core::repository::Repository;
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// assert_eq!(repository.read_history()?.runs(), []);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    #[must_use]
    pub fn runs(&self) -> Vec<RunRecord> {
        runs(self.entries.iter().map(|entry| &entry.event))
    }
}

fn runs<'a>(events: impl Iterator<Item = &'a HistoryEvent>) -> Vec<RunRecord> {
    let (mut runs, mut notes) = (Vec::new(), BTreeMap::<&BackupId, Vec<String>>::new());
    for event in events {
        match event {
            HistoryEvent::Run(run) => runs.push(run.clone()),
            HistoryEvent::Note(note) => {
                let warnings = note.warnings.iter().cloned();
                notes.entry(&note.id).or_default().extend(warnings);
            }
            _ => {}
        }
    }
    for run in &mut runs {
        run.warnings
            .extend(notes.remove(&run.id).into_iter().flatten());
    }
    runs
}

impl Repository {
    /// Adds the record of a run that ended `now`.
    ///
    /// # Errors
    /// Of kind `Storage` when it cannot be written.
    pub fn record(&self, record: &RunRecord, now: OffsetDateTime) -> Result<()> {
        self.append(RecordKind::Run, &record.id, record, now)
    }

    /// Adds what came up after the record of a run was written.
    pub(crate) fn note(&self, id: &BackupId, warning: &str, now: OffsetDateTime) -> Result<()> {
        let note = NoteRecord {
            version: EVENT_VERSION,
            id: id.clone(),
            warnings: vec![warning.to_owned()],
        };
        self.append(RecordKind::Note, id, &note, now)
    }

    /// Adds the record of a look at a backup that ended `now`. Retention counts what was found sound.
    ///
    /// ```no_run
    /// use opskit_core::context::OpContext;
    /// use opskit_core::repository::{Repository, VerifyLevel};
    /// # fn example(repository: &Repository) -> opskit_core::Result<()> {
    /// let ctx = OpContext::default();
    /// let report = repository.verify(&ctx, &repository.find("latest")?, VerifyLevel::Hash)?;
    /// repository.record_verification(&report, ctx.clock().now())?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Of kind `Storage` when it cannot be written.
    pub fn record_verification(&self, report: &VerifyReport, now: OffsetDateTime) -> Result<()> {
        let record = VerifyRecord::of(report);
        self.append(RecordKind::Verify, &report.id, &record, now)
    }

    /// The records of all runs, in the order in which they ended, each with what came up after it.
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
        let names = self.record_names()?.into_iter();
        let names = names.filter(|name| matches!(name.kind, RecordKind::Run | RecordKind::Note));
        let entries = self.each(names.collect(), |name| self.read_record(&name));
        let entries: Vec<_> = entries.into_iter().collect::<Result<_>>()?;
        Ok(runs(entries.iter().map(|entry| &entry.event)))
    }

    /// All records in the order in which they were written, and what of them cannot be read.
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
        let names = self.record_names()?;
        let read = self.each(names, |name| (self.read_record(&name), name));
        for (entry, name) in read {
            match entry {
                Ok(entry) => history.entries.push(entry),
                Err(error) => history.unreadable.push(Fault {
                    object: format!("{HISTORY}/{name}"),
                    problem: error.chain().join(": "),
                }),
            }
        }
        // Within a second, names are in no order.
        history.entries.sort_by_cached_key(|entry| entry.at().ok());
        Ok(history)
    }

    /// The records, in the order of the seconds that their names tell.
    fn record_names(&self) -> Result<Vec<RecordName>> {
        let names = self.store.entries(HISTORY)?;
        let mut names: Vec<_> = names
            .iter()
            .filter_map(|name| RecordName::parse(name))
            .collect();
        names.sort();
        Ok(names)
    }

    /// SHA-256 of the manifest of a backup, as the run that made it recorded it. None where there is no
    /// such record that can be read.
    pub(super) fn recorded_manifest(&self, id: &BackupId) -> Option<String> {
        self.run_of(id)?.manifest_sha256
    }

    /// The record of the run that made a backup; none where there is none that can be read.
    pub(super) fn run_of(&self, id: &BackupId) -> Option<RunRecord> {
        let names = self.record_names().ok()?.into_iter();
        let mut of_this = names.filter(|name| name.kind == RecordKind::Run && &name.backup == id);
        of_this.find_map(|name| match self.read_record(&name).ok()?.event {
            HistoryEvent::Run(run) => Some(run),
            _ => None,
        })
    }

    fn read_record(&self, name: &RecordName) -> Result<HistoryEntry> {
        let path = format!("{HISTORY}/{name}");
        let bytes = self.store.read(&path, RECORD_BYTES_MAX)?;
        entry(name, &bytes, &format!("\"{path}\""))
    }
}

/// What a stored record says.
fn entry(name: &RecordName, bytes: &[u8], what: &str) -> Result<HistoryEntry> {
    let event = HistoryEvent::parse_as(name.kind, bytes, what)?;
    let tail = Tail::of(bytes);
    let recorded_at = match (tail.recorded_at, &event) {
        (Some(at), _) => at,
        // Old records of runs tell the end of the run, which is more exact than their names.
        (None, HistoryEvent::Run(run)) => run.finished_at.clone(),
        (None, _) => rfc3339(name.at().ok_or_else(|| {
            Error::new(
                ErrorKind::Damaged,
                format!("{what} is of a time that does not exist"),
            )
        })?)?,
    };
    Ok(HistoryEntry {
        link: Link {
            name: name.as_str().to_owned(),
            sha256: hex(&Sha256::digest(bytes)),
        },
        recorded_at,
        previous: tail.previous,
        event,
    })
}

impl HistoryEvent {
    /// Reads the text of a record of this kind.
    ///
    /// ```
    /// use opskit_core::{ErrorKind, repository::{HistoryEvent, RecordKind}};
    /// let error = HistoryEvent::parse(RecordKind::Verify, br#"{"version": 99}"#).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Unsupported);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for one of a later version, [`ErrorKind::Damaged`] for what is none.
    pub fn parse(kind: RecordKind, bytes: &[u8]) -> Result<Self> {
        Self::parse_as(kind, bytes, "the record")
    }

    fn parse_as(kind: RecordKind, bytes: &[u8], what: &str) -> Result<Self> {
        match kind {
            RecordKind::Run => check_version(bytes, RECORD_VERSION, what)?,
            RecordKind::Drill => {}
            _ => check_version(bytes, EVENT_VERSION, what)?,
        }
        Ok(match kind {
            RecordKind::Run => Self::Run(parse_json(bytes, what)?),
            RecordKind::Note => Self::Note(parse_json(bytes, what)?),
            RecordKind::Verify => Self::Verify(parse_json(bytes, what)?),
            RecordKind::Drill => Self::Drill(drill(bytes, what)?),
            RecordKind::Pin => Self::Pin(parse_json(bytes, what)?),
            RecordKind::Forget => Self::Forget(parse_json(bytes, what)?),
            RecordKind::Prune => Self::Prune(parse_json(bytes, what)?),
        })
    }
}

fn drill(bytes: &[u8], what: &str) -> Result<DrillRecord> {
    let record: DrillRecord = parse_json(bytes, what)?;
    if DRILL_SCHEMAS.contains(&record.schema.as_str()) {
        return Ok(record);
    }
    let error = Error::new(
        ErrorKind::Unsupported,
        format!("{what} is of a version that this opskit does not know"),
    );
    Err(error.with_hint("Use the version of opskit that wrote it, or a later one."))
}

/// The text of a record, unless it is larger than what is read again.
fn written(record: &impl Serialize) -> Result<Vec<u8>> {
    let text = serde_json::to_vec_pretty(record).map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot write the record").with_source(source)
    })?;
    if text.len() as u64 <= RECORD_BYTES_MAX {
        return Ok(text);
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "the record would have {} bytes, and no more than {RECORD_BYTES_MAX} are read",
            text.len()
        ),
    ))
}
