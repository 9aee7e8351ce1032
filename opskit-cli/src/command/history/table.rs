//! The history for people.

use super::Told;
use super::line::to_the_second;
use crate::summary::{aligned, type_word};
use crate::units;
use opskit_core::repository::{
    DrillOutcome, DrillRecord, HistoryEvent, PinAction, RunRecord, RunStatus, VerifyLevel,
    VerifyOutcome,
};
use std::time::Duration;

/// A line per record, and below it what it says in words.
pub(super) fn text(records: &[Told], location: &str) -> String {
    let rows: Vec<Vec<String>> = records.iter().map(row).collect();
    let mut out = String::new();
    for (line, told) in aligned(&rows).lines().zip(records) {
        out.push_str(line);
        out.push('\n');
        for words in words(&told.entry.event) {
            out.push_str(&format!("    {words}\n"));
        }
    }
    let count = units::counted(records.len() as u64, "record");
    format!("{out}{count} in {location}\n")
}

/// When, what, how it ended, of what, how much, how long, of which backup.
fn row(told: &Told) -> Vec<String> {
    let entry = &told.entry;
    let (what, end, of, size, time) = match &entry.event {
        HistoryEvent::Run(run) => (
            format!("backup {}", type_word(run.backup_type)),
            status(run).to_owned(),
            run.target.clone().unwrap_or_else(|| run.database.clone()),
            units::size(run.size_bytes),
            elapsed(Some(run.duration_ms)),
        ),
        HistoryEvent::Verify(record) => (
            format!("verify {}", level(record.level)),
            match record.outcome {
                VerifyOutcome::Sound => "sound".to_owned(),
                _ => units::counted(record.faults, "fault"),
            },
            String::new(),
            units::size(record.bytes),
            String::new(),
        ),
        HistoryEvent::Drill(record) => {
            let time = elapsed(record.recovery_ms);
            (
                "drill".to_owned(),
                outcome(record).to_owned(),
                String::new(),
                String::new(),
                time,
            )
        }
        HistoryEvent::Pin(record) => {
            let end = match record.action {
                PinAction::Set => "set",
                _ => "removed",
            };
            (
                "pin".to_owned(),
                end.to_owned(),
                String::new(),
                String::new(),
                String::new(),
            )
        }
        HistoryEvent::Forget(record) => (
            "forget".to_owned(),
            if told.is_there { "begun" } else { "removed" }.to_owned(),
            record.database.clone().unwrap_or_default(),
            units::size(record.size_bytes),
            String::new(),
        ),
        HistoryEvent::Prune(record) => {
            let size = units::size(record.size_bytes);
            (
                "prune".to_owned(),
                "swept".to_owned(),
                String::new(),
                size,
                String::new(),
            )
        }
        event => {
            let kind = event.kind().as_str().to_owned();
            (
                kind,
                String::new(),
                String::new(),
                String::new(),
                String::new(),
            )
        }
    };
    let at = to_the_second(&entry.recorded_at).replace('T', " ");
    let id = entry.event.backup().to_string();
    vec![at, what, end, of, size, time, id]
}

fn words(event: &HistoryEvent) -> Vec<String> {
    match event {
        HistoryEvent::Run(run) => {
            let error = run
                .error
                .as_ref()
                .map(|error| format!("error: {}", error.messages.join(": ")));
            let warnings = run.warnings.iter().map(|text| format!("warning: {text}"));
            error.into_iter().chain(warnings).collect()
        }
        HistoryEvent::Note(note) => note
            .warnings
            .iter()
            .map(|text| format!("warning: {text}"))
            .collect(),
        HistoryEvent::Drill(record) => {
            let error = record.error.as_ref();
            error
                .map(|error| format!("error: {}", error.messages.join(": ")))
                .into_iter()
                .collect()
        }
        HistoryEvent::Pin(record) => {
            let why = record.pin.as_ref().and_then(|pin| pin.reason.as_ref());
            let why = why.map_or_else(String::new, |why| format!(": {why}"));
            vec![format!("by {}{why}", record.by)]
        }
        HistoryEvent::Forget(record) => vec![record.reasons.join("; ")],
        _ => Vec::new(),
    }
}

fn status(run: &RunRecord) -> &'static str {
    match run.status {
        RunStatus::Success => "success",
        RunStatus::Cancelled => "cancelled",
        _ => "failed",
    }
}

fn level(level: VerifyLevel) -> &'static str {
    match level {
        VerifyLevel::List => "list",
        VerifyLevel::Decode => "decode",
        _ => "hash",
    }
}

fn outcome(record: &DrillRecord) -> &'static str {
    match (record.outcome, record.status) {
        (Some(DrillOutcome::Passed), _) => "passed",
        (Some(DrillOutcome::Partial), _) => "partial",
        (None, Some(RunStatus::Cancelled)) => "cancelled",
        _ => "failed",
    }
}

fn elapsed(ms: Option<u64>) -> String {
    ms.map_or_else(String::new, |ms| units::elapsed(Duration::from_millis(ms)))
}
