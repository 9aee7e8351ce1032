//! Faults of backups: what a repository's history says.

use super::super::backups::sample_of;
use super::super::probe::Limits;
use super::super::verdict::{State, Verdict};
use super::super::{BackupPlace, backup_probes};
use super::{GREEN, Outcome, RED, TrialOutcome, the_probe};
use crate::error::{Error, ErrorKind, Result, storage};
use crate::repository::{
    BackupId, BackupType, DrillOutcome, DrillRecord, RECORD_VERSION, RecordKind, Repository,
    RunRecord, RunStatus, Selection, VerifyLevel, VerifyReport, rfc3339,
};
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;
use time::OffsetDateTime;

/// What is wrong with the backups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Damage {
    Old,
    Failed,
    Gap,
    Small,
    Slow,
    Removed,
    Unverified,
    Undrilled,
}

/// A run as it should be: a day's, that took ten seconds, of a megabyte.
#[derive(Clone, Copy)]
struct Run {
    hours_ago: i64,
    status: RunStatus,
    bytes: u64,
    took: Duration,
}

const fn run(hours_ago: i64) -> Run {
    Run {
        hours_ago,
        status: RunStatus::Success,
        bytes: 1_000_000,
        took: Duration::from_secs(10),
    }
}

pub(super) fn tried(id: &str, damage: Damage) -> Result<Outcome> {
    let place = Place::new()?;
    let day = match damage {
        Damage::Old => 3,
        _ => 0,
    };
    let usual = (day..9)
        .rev()
        .filter(|day| !(damage == Damage::Gap && *day == 4));
    for day in usual {
        place.add(&run(day * 24 + 1))?;
    }
    if matches!(damage, Damage::Unverified | Damage::Undrilled) {
        place.add(&run(120 * 24))?;
    }
    let removed = place.damage(damage)?;
    let red = place.verdict(id)?;
    place.mend(damage, removed)?;
    let green = place.verdict(id)?;
    let outcome = match RED.contains(&red.state) && GREEN.contains(&green.state) {
        true => TrialOutcome::Passed,
        false => TrialOutcome::Failed,
    };
    let said = red.findings.first();
    let said = said.map_or_else(String::new, |it| format!("{}: {}", it.object, it.detail));
    let said = match outcome {
        TrialOutcome::Passed => said,
        _ => format!("{said}; after it was mended: {}", green.state.as_str()),
    };
    Ok((
        outcome,
        Some(red.state).filter(|it| *it != State::Pass),
        said,
    ))
}

struct Place {
    folder: TempDir,
    repository: Repository,
    now: OffsetDateTime,
}

impl Place {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()
            .map_err(|source| storage("cannot make a directory".to_owned(), source))?;
        Ok(Self {
            repository: Repository::create(folder.path().join("backups"))?,
            folder,
            now: OffsetDateTime::now_utc(),
        })
    }

    fn manifest(&self, id: &BackupId) -> PathBuf {
        let backups = self.folder.path().join("backups/backups");
        backups.join(id.as_str()).join("manifest.json")
    }

    /// A run, and where it was one the backup, of which nothing but its place is looked at.
    fn add(&self, run: &Run) -> Result<BackupId> {
        let at = self.now - time::Duration::hours(run.hours_ago);
        let id = BackupId::new(at)?;
        let record = RunRecord {
            version: RECORD_VERSION,
            id: id.clone(),
            backup_type: BackupType::Full,
            selection: Selection::All,
            status: run.status,
            started_at: rfc3339(at)?,
            finished_at: rfc3339(at + run.took)?,
            duration_ms: u64::try_from(run.took.as_millis()).unwrap_or(u64::MAX),
            database: "shop".to_owned(),
            target: Some("shop".to_owned()),
            tables: 1,
            rows: 1,
            size_bytes: run.bytes,
            manifest_sha256: None,
            migration_version: None,
            tags: BTreeMap::new(),
            warnings: Vec::new(),
            error: None,
            opskit_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        self.repository.record(&record, at)?;
        if run.status == RunStatus::Success {
            self.put(&id)?;
        }
        Ok(id)
    }

    fn put(&self, id: &BackupId) -> Result<()> {
        let file = self.manifest(id);
        let folder = file.parent().map(PathBuf::from).unwrap_or_default();
        let lost = |source| storage("cannot write a backup".to_owned(), source);
        std::fs::create_dir_all(folder).map_err(lost)?;
        std::fs::write(file, "{}").map_err(lost)
    }

    /// What is wrong; the backup that was removed, where one was.
    fn damage(&self, damage: Damage) -> Result<Option<BackupId>> {
        let wrong = match damage {
            Damage::Failed => Run {
                status: RunStatus::Failed,
                ..run(0)
            },
            Damage::Small => Run {
                bytes: 100_000,
                ..run(0)
            },
            Damage::Slow => Run {
                took: Duration::from_secs(7200),
                ..run(0)
            },
            Damage::Removed => {
                let id = self.add(&run(0))?;
                let lost = |source| storage("cannot remove a backup".to_owned(), source);
                std::fs::remove_file(self.manifest(&id)).map_err(lost)?;
                return Ok(Some(id));
            }
            Damage::Old | Damage::Gap | Damage::Unverified | Damage::Undrilled => return Ok(None),
        };
        self.add(&wrong).map(|_| None)
    }

    fn mend(&self, damage: Damage, removed: Option<BackupId>) -> Result<()> {
        // After what was added last: names tell seconds.
        let good = Run {
            hours_ago: -1,
            ..run(0)
        };
        match damage {
            Damage::Old | Damage::Failed | Damage::Small | Damage::Slow => {
                self.add(&good).map(drop)
            }
            Damage::Gap => self.add(&run(4 * 24 + 1)).map(drop),
            Damage::Removed => removed.iter().try_for_each(|id| self.put(id)),
            Damage::Unverified => self.verified(),
            Damage::Undrilled => self.drilled(),
        }
    }

    fn newest(&self) -> Result<BackupId> {
        let all = self.repository.backups()?;
        let none = || Error::new(ErrorKind::Internal, "there is no backup");
        all.into_iter().max().ok_or_else(none)
    }

    fn verified(&self) -> Result<()> {
        let report = VerifyReport {
            schema: "opskit.verify/1",
            id: self.newest()?,
            level: VerifyLevel::Hash,
            manifest_sha256: None,
            objects: 1,
            bytes: 1,
            rows: 0,
            faults: Vec::new(),
        };
        self.repository.record_verification(&report, self.now)
    }

    fn drilled(&self) -> Result<()> {
        let record = DrillRecord {
            schema: "opskit.drill/1".to_owned(),
            backup: self.newest()?,
            outcome: Some(DrillOutcome::Passed),
            status: None,
            started_at: rfc3339(self.now)?,
            sealed_sha256: None,
            recovery_ms: Some(1000),
            error: None,
            opskit_version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let id = &record.backup;
        self.repository
            .append(RecordKind::Drill, id, &record, self.now)
    }

    fn verdict(&self, id: &str) -> Result<Verdict> {
        let path = self.folder.path().join("backups");
        let place = BackupPlace::new(move || Repository::open(&path)).of_target("shop");
        let probes = backup_probes(&place);
        let probe = the_probe(&probes, id)?;
        let sample = sample_of(&place, id, OffsetDateTime::now_utc())?;
        Ok(probe.judge(&sample, None, &Limits::default()))
    }
}
