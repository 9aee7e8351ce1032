//! What the history tells of the backups that are looked at.

use super::BackupPlace;
use crate::error::Result;
use crate::repository::{
    BackupId, BackupType, DrillOutcome, HistoryEvent, RunStatus, Selection, VerifyOutcome,
    parse_rfc3339,
};
use std::collections::BTreeSet;
use std::time::Duration;
use time::OffsetDateTime;

/// One run of a backup.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) id: BackupId,
    pub(super) started: OffsetDateTime,
    pub(super) status: RunStatus,
    /// Whether it held all rows that backups of this target have.
    pub(super) is_whole: bool,
    pub(super) size: u64,
    pub(super) took: Duration,
}

/// One look at a backup, or one drill.
#[derive(Debug, Clone)]
pub(super) struct Proof {
    pub(super) at: OffsetDateTime,
    pub(super) is_good: bool,
    pub(super) took: Option<Duration>,
}

/// All that the probes ask about, the oldest first.
#[derive(Debug)]
pub(super) struct Past {
    pub(super) now: OffsetDateTime,
    pub(super) every: Duration,
    pub(super) recovery_time: Option<Duration>,
    pub(super) runs: Vec<Run>,
    pub(super) looks: Vec<Proof>,
    pub(super) drills: Vec<Proof>,
    pub(super) there: BTreeSet<BackupId>,
    pub(super) removed: BTreeSet<BackupId>,
    pub(super) unreadable: usize,
}

const DAY: Duration = Duration::from_secs(24 * 3600);

impl Past {
    pub(super) fn read(place: &BackupPlace, now: OffsetDateTime) -> Result<Self> {
        let repository = (place.open)()?;
        let there = repository.backups()?.into_iter().collect();
        let history = repository.read_history()?;
        let mut past = Self {
            now,
            every: place.every.unwrap_or(DAY),
            recovery_time: place.recovery_time,
            runs: Vec::new(),
            looks: Vec::new(),
            drills: Vec::new(),
            there,
            removed: BTreeSet::new(),
            unreadable: history.unreadable.len(),
        };
        let is_ours = |target: &Option<String>| place.target.is_none() || *target == place.target;
        let mut ours = BTreeSet::new();
        for entry in &history.entries {
            if let HistoryEvent::Run(record) = &entry.event
                && is_ours(&record.target)
            {
                ours.insert(record.id.clone());
                past.runs.push(Run {
                    id: record.id.clone(),
                    started: parse_rfc3339(&record.started_at)?,
                    status: record.status,
                    is_whole: record.backup_type == BackupType::Full
                        && record.selection == Selection::All,
                    size: record.size_bytes,
                    took: Duration::from_millis(record.duration_ms),
                });
            }
        }
        let events = history.entries.iter();
        for entry in events.filter(|entry| ours.contains(entry.event.backup())) {
            past.event(&entry.event, parse_rfc3339(&entry.recorded_at)?);
        }
        past.runs.sort_by_key(|run| run.started);
        past.looks.sort_by_key(|look| look.at);
        past.drills.sort_by_key(|drill| drill.at);
        Ok(past)
    }

    fn event(&mut self, event: &HistoryEvent, at: OffsetDateTime) {
        match event {
            HistoryEvent::Verify(record) => self.looks.push(Proof {
                at,
                is_good: record.outcome == VerifyOutcome::Sound,
                took: None,
            }),
            // One that was cancelled says nothing.
            HistoryEvent::Drill(record) if record.status == Some(RunStatus::Cancelled) => {}
            HistoryEvent::Drill(record) => self.drills.push(Proof {
                at,
                is_good: matches!(
                    record.outcome,
                    Some(DrillOutcome::Passed | DrillOutcome::Partial)
                ),
                took: record.recovery_ms.map(Duration::from_millis),
            }),
            HistoryEvent::Forget(record) => {
                self.removed.insert(record.id.clone());
            }
            HistoryEvent::Prune(record) => {
                self.removed.insert(record.id.clone());
            }
            _ => {}
        }
    }

    /// The whole backups that came to a good end.
    pub(super) fn good(&self) -> impl DoubleEndedIterator<Item = &Run> {
        let is_good = |run: &&Run| run.is_whole && run.status == RunStatus::Success;
        self.runs.iter().filter(is_good)
    }
}
