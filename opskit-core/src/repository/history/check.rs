//! Whether the records are those that were written: none missing, none edited, none in another's place.

use super::name::RecordName;
use super::{
    HistoryEntry, HistoryEvent, Link, RECORD_BYTES_MAX, RecordKind, RunStatus, Tail, entry,
};
use crate::error::Result;
use crate::name::hex;
use crate::repository::instant::{parse_rfc3339, stamp};
use crate::repository::layout::HISTORY;
use crate::repository::{BackupId, Repository};
use serde::Serialize;
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeMap, BTreeSet};

/// What is wrong with a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum ChainFaultKind {
    /// It is not there.
    Missing,
    /// It does not say what it said.
    Edited,
    /// It has another name than it had, or stands where another stood.
    Moved,
    /// It cannot be read or understood.
    Unreadable,
}

/// A record that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct ChainFault {
    /// The record.
    pub record: String,
    /// What is wrong with it.
    pub kind: ChainFaultKind,
    /// The same in one sentence.
    pub problem: String,
}

/// What a look at the chain of records found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct HistoryCheck {
    /// The version of this document: `opskit.history-verify/1`.
    pub schema: &'static str,
    /// Records that are there.
    pub records: u64,
    /// Those that name the ones before them.
    pub chained: u64,
    /// The records that no other names yet. Only who knows their digests would notice that they are gone.
    pub ends: Vec<Link>,
    /// Everything that is wrong.
    pub faults: Vec<ChainFault>,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl HistoryCheck {
    /// Whether nothing is wrong.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        self.faults.is_empty()
    }
}

/// A record as it is stored.
struct Stored {
    name: RecordName,
    /// None where it cannot be read.
    sha256: Option<String>,
    tail: Tail,
    /// What it says, or why it cannot be understood.
    entry: std::result::Result<HistoryEntry, String>,
}

impl Repository {
    /// Looks whether the records are those that were written. A fault is a value, not an error.
    ///
    /// Each record has the digest of the one before it, so an edited or missing one is found by its successor;
    /// the last has none, unless its digest is among `known`, kept elsewhere. The record of a
    /// backup that is there is missed in any case.
    ///
    /// ```
    /// use opskit_core::repository::Repository;
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// assert!(repository.verify_history(&[])?.is_sound());
    /// let gone = "00".repeat(32);
    /// assert!(!repository.verify_history(&[gone])?.is_sound());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind `Storage` when the repository cannot be read.
    pub fn verify_history(&self, known: &[String]) -> Result<HistoryCheck> {
        let names = self.record_names()?;
        let records: Vec<Stored> = self.each(names, |name| self.stored(name));
        let mut check = check(&records, known);
        self.compare_backups(&records, &mut check)?;
        check.faults.sort();
        check.faults.dedup();
        Ok(check)
    }

    fn stored(&self, name: RecordName) -> Stored {
        let path = format!("{HISTORY}/{name}");
        match self.store.read(&path, RECORD_BYTES_MAX) {
            Ok(bytes) => Stored {
                sha256: Some(hex(&Sha256::digest(&bytes))),
                tail: Tail::of(&bytes),
                entry: entry(&name, &bytes, "the record").map_err(|error| error.chain().join(": ")),
                name,
            },
            Err(error) => Stored {
                sha256: None,
                tail: Tail::default(),
                entry: Err(error.chain().join(": ")),
                name,
            },
        }
    }

    /// Each backup has the record of its run, and is what that says.
    fn compare_backups(&self, records: &[Stored], check: &mut HistoryCheck) -> Result<()> {
        let mut runs = BTreeMap::new();
        let mut removed = BTreeSet::new();
        let told: BTreeSet<&BackupId> = of_runs(records).collect();
        for entry in records
            .iter()
            .filter_map(|record| record.entry.as_ref().ok())
        {
            match &entry.event {
                HistoryEvent::Run(run) if run.status == RunStatus::Success => {
                    runs.insert(
                        run.id.clone(),
                        (&entry.link.name, run.manifest_sha256.clone()),
                    );
                }
                HistoryEvent::Forget(record) => {
                    removed.insert(record.id.clone());
                }
                _ => {}
            }
        }
        let there: BTreeSet<BackupId> = self.backups()?.into_iter().collect();
        for id in &there {
            match runs.get(id) {
                // Its record cannot be read, which is told already, or somebody looked at it since.
                None if told.contains(id) => {}
                None => check.fault(
                    &format!("run of {id}"),
                    ChainFaultKind::Missing,
                    format!("its backup is there, and no record tells of it; \"opskit verify {id}\" makes one of what is there"),
                ),
                Some((name, Some(recorded))) => {
                    let found = self
                        .read(id)
                        .map(|backup| backup.manifest_sha256().to_owned());
                    // A manifest that cannot be read is the business of `verify`.
                    if found.is_ok_and(|found| found != *recorded) {
                        let problem = format!(
                            "tells another manifest than backup {id} has: one of them was edited"
                        );
                        check.fault(name, ChainFaultKind::Edited, problem);
                    }
                }
                Some(_) => {}
            }
        }
        for id in runs
            .keys()
            .filter(|id| !there.contains(id) && !removed.contains(id))
        {
            let warning = format!("backup {id} is gone, and no record tells that it was removed");
            check.warnings.push(warning);
        }
        for id in removed.intersection(&there) {
            check.warnings.push(format!(
                "the removal of backup {id} was begun, and it is still there"
            ));
        }
        Ok(())
    }
}

/// The backups that there is a record of, whatever it says. A run that is killed right after its backup was complete
/// has none; a look at it makes up for that.
fn of_runs(records: &[Stored]) -> impl Iterator<Item = &BackupId> {
    let tells = |record: &&Stored| matches!(record.name.kind, RecordKind::Run | RecordKind::Verify);
    records
        .iter()
        .filter(tells)
        .map(|record| &record.name.backup)
}

impl HistoryCheck {
    fn fault(&mut self, record: &str, kind: ChainFaultKind, problem: String) {
        self.faults.push(ChainFault {
            record: record.to_owned(),
            kind,
            problem,
        });
    }
}

/// What the records say of each other.
fn check(records: &[Stored], known: &[String]) -> HistoryCheck {
    let names = records.iter().map(|record| (record.name.as_str(), record));
    let by_name: BTreeMap<&str, &Stored> = names.collect();
    let hashes = records
        .iter()
        .filter_map(|record| Some((record.sha256.as_deref()?, record.name.as_str())));
    let by_hash: BTreeMap<&str, &str> = hashes.collect();
    let chained = records
        .iter()
        .filter(|record| record.tail.previous.is_some());
    let mut check = HistoryCheck {
        schema: "opskit.history-verify/1",
        records: records.len() as u64,
        chained: chained.count() as u64,
        ends: ends(records),
        faults: Vec::new(),
        warnings: Vec::new(),
    };
    for record in records {
        let name = record.name.as_str();
        if let Err(problem) = &record.entry {
            check.fault(name, ChainFaultKind::Unreadable, problem.clone());
        }
        if let Some(problem) = misplaced(record) {
            check.fault(name, ChainFaultKind::Moved, problem);
        }
        for link in record.links() {
            if let Some((kind, problem)) = broken(link, &by_name, &by_hash) {
                check.fault(&link.name, kind, problem);
            }
        }
    }
    for digest in known
        .iter()
        .filter(|digest| !by_hash.contains_key(digest.as_str()))
    {
        let problem = "no record has this digest any more".to_owned();
        check.fault(digest, ChainFaultKind::Missing, problem);
    }
    check
}

/// The records that no other names.
fn ends(records: &[Stored]) -> Vec<Link> {
    let links = records.iter().flat_map(Stored::links);
    let named: BTreeSet<&str> = links.map(|link| link.name.as_str()).collect();
    let ends = records
        .iter()
        .filter(|record| !named.contains(record.name.as_str()));
    let link = |record: &Stored| {
        Some(Link {
            name: record.name.as_str().to_owned(),
            sha256: record.sha256.clone()?,
        })
    };
    ends.filter_map(link).collect()
}

impl Stored {
    fn links(&self) -> &[Link] {
        self.tail.previous.as_deref().unwrap_or_default()
    }
}

/// What is wrong with what a link leads to.
fn broken(
    link: &Link,
    by_name: &BTreeMap<&str, &Stored>,
    by_hash: &BTreeMap<&str, &str>,
) -> Option<(ChainFaultKind, String)> {
    let found = by_name.get(link.name.as_str());
    let digest = found.and_then(|record| record.sha256.as_deref());
    if digest == Some(link.sha256.as_str()) {
        return None;
    }
    Some(match (by_hash.get(link.sha256.as_str()), found, digest) {
        (Some(elsewhere), _, _) => (
            ChainFaultKind::Moved,
            format!("what it said stands in \"{elsewhere}\" now"),
        ),
        (None, None, _) => (
            ChainFaultKind::Missing,
            "a later record names it, and it is not there".to_owned(),
        ),
        (None, Some(_), None) => (
            ChainFaultKind::Unreadable,
            "it cannot be compared with what a later record says of it".to_owned(),
        ),
        (None, Some(_), Some(_)) => (
            ChainFaultKind::Edited,
            "it is not what it was when a later record was written".to_owned(),
        ),
    })
}

/// Whether a record tells another time or backup than its name does.
fn misplaced(record: &Stored) -> Option<String> {
    if let Some(at) = &record.tail.recorded_at {
        let told = parse_rfc3339(at).and_then(stamp).ok();
        if told.as_deref() != Some(&record.name.stamp) {
            return Some(format!(
                "it was written {at}, which is not what its name says"
            ));
        }
    }
    let entry = record.entry.as_ref().ok()?;
    let backup = entry.event.backup();
    (backup != &record.name.backup)
        .then(|| format!("it is of backup {backup}, which is not what its name says"))
}
