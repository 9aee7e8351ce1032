//! What is known of the backups of a repository.

use super::{
    Candidate, Database, Holding, Known, LastRun, RetentionPlan, RetentionRequest, RetentionState,
    State, plan,
};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::repository::contents::{CONTENTS_VERSION, Source};
use crate::repository::history::{
    DrillOutcome, DrillRecord, History, HistoryEntry, HistoryEvent, VerifyOutcome, VerifyRecord,
};
use crate::repository::instant::parse_rfc3339;
use crate::repository::manifest::{check_version, parse_json};
use crate::repository::{
    Among, BackupId, BackupReader, BackupType, Origin, Pins, Repository, RunRecord, RunStatus,
    Selection, VerifyLevel,
};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use time::OffsetDateTime;

impl Repository {
    /// Decides which backups go, and changes nothing.
    ///
    /// ```
    /// use opskit_core::context::OpContext;
    /// use opskit_core::config::Retention;
    /// use opskit_core::repository::{Among, Repository};
    /// use opskit_core::repository::retention::{Policy, RetentionRequest};
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// let mut rules = Retention::default();
    /// rules.keep_daily = Some(7);
    /// let request = RetentionRequest::by(Policy::for_all(rules));
    /// let plan = repository.plan_retention(&OpContext::default(), &Among::all(), &request)?;
    /// assert!(plan.removals.is_empty());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind `Storage` when the repository cannot be read, [`ErrorKind::NotFound`] for a backup that is named and
    /// not among those that are meant, `Cancelled`.
    pub fn plan_retention(
        &self,
        ctx: &OpContext,
        among: &Among,
        request: &RetentionRequest,
    ) -> Result<RetentionPlan> {
        let state = self.retention_state(ctx, among)?;
        let there: BTreeSet<&BackupId> = state.backups.iter().map(|backup| &backup.id).collect();
        if let Some(id) = request.named.iter().find(|id| !there.contains(id)) {
            let what = format!("\"{}\" has no backup {id}", self.place());
            return Err(Error::new(ErrorKind::NotFound, what)
                .with_hint("opskit list shows the backups that are complete."));
        }
        plan(&state, request)
    }

    /// What is known of the backups that are meant.
    ///
    /// # Errors
    /// As [`Self::plan_retention`].
    pub fn retention_state(&self, ctx: &OpContext, among: &Among) -> Result<RetentionState> {
        let now = ctx.clock().now();
        let history = self.read_history()?;
        let runs = history.runs();
        let gathered = Gathered {
            now,
            pins: self.pins()?,
            runs: runs.iter().map(|run| (&run.id, run)).collect(),
            findings: Findings::of(&history),
        };
        let mut backups = Vec::new();
        let ids = match *among == Among::all() {
            true => self.backups()?,
            // It reads what each is of.
            false => self.among(among)?,
        };
        for id in ids {
            ctx.cancel().check()?;
            // Another one may be removing it.
            backups.extend(gathered.candidate(self, &id));
        }
        let known = backups
            .iter()
            .filter_map(|backup: &Candidate| backup.known.as_ref());
        let databases: BTreeSet<Database> = known.map(|known| known.database.clone()).collect();
        let last = databases.into_iter().filter_map(|database| {
            let last = last_run(&database, &runs, &history)?;
            Some((database, last))
        });
        Ok(RetentionState {
            now,
            last_runs: last.collect(),
            backups,
        })
    }
}

struct Gathered<'a> {
    now: OffsetDateTime,
    pins: Pins,
    runs: BTreeMap<&'a BackupId, &'a RunRecord>,
    findings: Findings<'a>,
}

impl Gathered<'_> {
    /// None where the backup is gone.
    fn candidate(&self, repository: &Repository, id: &BackupId) -> Option<Candidate> {
        let pin = self.pins.pins.get(id).filter(|pin| pin.holds(self.now));
        let unreadable_pin = self.pins.unreadable.get(id);
        let candidate = Candidate {
            id: id.clone(),
            known: None,
            state: State::Fine,
            size_bytes: 0,
            manifest_sha256: None,
            pin: pin.cloned(),
            unreadable_pin: unreadable_pin.map(|fault| fault.problem.clone()),
        };
        let unreadable = |error: Error| State::Unreadable(error.chain().join(": "));
        let reader = match repository.read(id) {
            Ok(reader) => reader,
            Err(error) if error.kind() == ErrorKind::NotFound => return None,
            Err(error) => {
                return Some(Candidate {
                    state: unreadable(error),
                    ..candidate
                });
            }
        };
        let candidate = Candidate {
            size_bytes: reader.manifest().stored_bytes(),
            manifest_sha256: Some(reader.manifest_sha256().to_owned()),
            ..candidate
        };
        Some(match self.known(&reader) {
            Ok(known) => Candidate {
                known: Some(known),
                state: self.findings.state(&reader),
                ..candidate
            },
            Err(error) => Candidate {
                state: unreadable(error),
                ..candidate
            },
        })
    }

    fn known(&self, reader: &BackupReader) -> Result<Known> {
        let manifest = reader.manifest();
        let run = self.runs.get(&manifest.id);
        let (origin, tags) = match (Head::read(reader), run) {
            (Ok(head), _) => (Origin::of(manifest.backup_type, &head.source), head.tags),
            // Who cleans up need not be able to read.
            (Err(error), Some(run)) if is_locked(reader, &error) => {
                (Origin::of_run(run), run.tags.clone())
            }
            (Err(error), _) => return Err(error),
        };
        let holding = match (manifest.backup_type, run.map(|run| run.selection)) {
            (BackupType::Schema, _) => Holding::Schema,
            (_, Some(Selection::All)) => Holding::Whole,
            (_, Some(Selection::Some)) => Holding::Part,
            (_, None) => Holding::Unknown,
        };
        Ok(Known {
            database: Database::of(&origin),
            holding,
            tags,
            snapshot_at: parse_rfc3339(&manifest.snapshot_at)?,
            parent: None,
        })
    }
}

fn is_locked(reader: &BackupReader, error: &Error) -> bool {
    reader.is_sealed() && error.kind() == ErrorKind::PermissionDenied
}

/// The little that is needed of `manifest.sealed`.
#[derive(Deserialize)]
struct Head {
    source: Source,
    tags: BTreeMap<String, String>,
}

impl Head {
    fn read(reader: &BackupReader) -> Result<Self> {
        let bytes = reader.read_sealed()?;
        check_version(&bytes, CONTENTS_VERSION, "the sealed manifest")?;
        parse_json(&bytes, "the sealed manifest")
    }
}

/// What looks and drills found of each backup, in order of time.
struct Findings<'a>(BTreeMap<&'a BackupId, Vec<&'a HistoryEntry>>);

impl<'a> Findings<'a> {
    fn of(history: &'a History) -> Self {
        let mut found: BTreeMap<&BackupId, Vec<&HistoryEntry>> = BTreeMap::new();
        for entry in &history.entries {
            if matches!(
                entry.event,
                HistoryEvent::Verify(_) | HistoryEvent::Drill(_)
            ) {
                found.entry(entry.event.backup()).or_default().push(entry);
            }
        }
        Self(found)
    }

    /// The last look and the last drill count, each for itself: bytes that are what they were do not make up for a
    /// restore that failed.
    fn state(&self, backup: &BackupReader) -> State {
        let (mut looked, mut drilled) = (None, None);
        for entry in self.0.get(&backup.manifest().id).into_iter().flatten() {
            match &entry.event {
                HistoryEvent::Verify(record) => {
                    looked = look(record, backup, &entry.recorded_at).or(looked);
                }
                HistoryEvent::Drill(record) => {
                    drilled = drill(record, backup, &entry.recorded_at).or(drilled);
                }
                _ => {}
            }
        }
        match (looked, drilled) {
            (Some(State::Refuted(what)), _) | (_, Some(State::Refuted(what))) => {
                State::Refuted(what)
            }
            (_, Some(proven)) | (Some(proven), None) => proven,
            (None, None) => State::Fine,
        }
    }
}

/// What a look says of the backup as it is now; none where it says nothing.
fn look(record: &VerifyRecord, backup: &BackupReader, at: &str) -> Option<State> {
    let same = record.manifest_sha256.as_deref() == Some(backup.manifest_sha256());
    match (record.outcome, record.level) {
        (VerifyOutcome::Damaged, level) => Some(State::Refuted(format!(
            "verify {} on {at}",
            level_word(level)
        ))),
        // That all objects are there with their sizes says nothing of what is in them.
        (VerifyOutcome::Sound, VerifyLevel::List) => None,
        (VerifyOutcome::Sound, level) if same => Some(State::Proven(format!(
            "verify {} on {at}",
            level_word(level)
        ))),
        (VerifyOutcome::Sound, _) => None,
    }
}

fn level_word(level: VerifyLevel) -> &'static str {
    match level {
        VerifyLevel::List => "list",
        VerifyLevel::Hash => "hash",
        VerifyLevel::Decode => "decode",
    }
}

fn drill(record: &DrillRecord, backup: &BackupReader, at: &str) -> Option<State> {
    let same = record.sealed_sha256.as_deref() == Some(backup.manifest().sealed.sha256.as_str());
    match (record.outcome, &record.error) {
        (Some(DrillOutcome::Failed), _) => Some(State::Refuted(format!("drill on {at}"))),
        // What was restored was the same; the rest could not be proven there.
        (Some(DrillOutcome::Passed | DrillOutcome::Partial), _) if same => {
            Some(State::Proven(format!("drill on {at}")))
        }
        (None, Some(error)) if error.kind == ErrorKind::Damaged.as_str() => {
            Some(State::Refuted(format!("drill on {at}")))
        }
        // A server that was not there says nothing of the backup.
        _ => None,
    }
}

/// How the last run of a database ended. None where there is no record of any.
fn last_run(database: &Database, runs: &[RunRecord], history: &History) -> Option<LastRun> {
    let is_of = |run: &&RunRecord| match (&database.target, &run.target) {
        (Some(target), told) => told.as_ref() == Some(target),
        // Records do not tell the cluster.
        (None, None) => database.database.split('@').next() == Some(&run.database),
        (None, Some(_)) => false,
    };
    let ended = |run: &RunRecord| parse_rfc3339(&run.finished_at).ok();
    let last = runs.iter().filter(is_of).max_by_key(|run| ended(run))?;
    let names = history.unreadable.iter().filter_map(|fault| {
        let name = fault.object.rsplit('/').next()?;
        Some((name, fault))
    });
    // One that cannot be read could be the last, of any database.
    let mut later = names.filter(|(name, _)| {
        let at = crate::repository::instant::parse_stamp(name);
        at.is_some_and(|at| ended(last).is_none_or(|ended| at >= ended))
    });
    if let Some((_, fault)) = later.next() {
        return Some(LastRun::Unknown(format!(
            "{}: {}",
            fault.object, fault.problem
        )));
    }
    Some(match last.status {
        RunStatus::Success => LastRun::Succeeded,
        _ => LastRun::Failed(last.id.clone()),
    })
}
