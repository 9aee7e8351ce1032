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

/// What a line says between its time and its backup.
#[derive(Default)]
struct Cells {
    what: String,
    end: String,
    of: String,
    size: String,
    time: String,
}

/// When, what, how it ended, of what, how much, how long, of which backup.
fn row(told: &Told) -> Vec<String> {
    let entry = &told.entry;
    let cells = cells(told);
    let at = to_the_second(&entry.recorded_at).replace('T', " ");
    let id = entry.event.backup().to_string();
    vec![
        at, cells.what, cells.end, cells.of, cells.size, cells.time, id,
    ]
}

fn cells(told: &Told) -> Cells {
    let event = &told.entry.event;
    let mut cells = Cells {
        what: event.kind().as_str().to_owned(),
        ..Cells::default()
    };
    match event {
        HistoryEvent::Run(run) => {
            cells.what = format!("backup {}", type_word(run.backup_type));
            status(run).clone_into(&mut cells.end);
            cells.of = run.target.clone().unwrap_or_else(|| run.database.clone());
            cells.size = units::size(run.size_bytes);
            cells.time = elapsed(Some(run.duration_ms));
        }
        HistoryEvent::Verify(record) => {
            cells.what = format!("verify {}", level(record.level));
            cells.end = match record.outcome {
                VerifyOutcome::Sound => "sound".to_owned(),
                _ => units::counted(record.faults, "fault"),
            };
            cells.size = units::size(record.bytes);
        }
        HistoryEvent::Drill(record) => {
            outcome(record).clone_into(&mut cells.end);
            cells.time = elapsed(record.recovery_ms);
        }
        HistoryEvent::Pin(record) => match record.action {
            PinAction::Set => "set".clone_into(&mut cells.end),
            _ => "removed".clone_into(&mut cells.end),
        },
        HistoryEvent::Forget(record) => {
            let end = if told.is_there { "begun" } else { "removed" };
            end.clone_into(&mut cells.end);
            cells.of = record.database.clone().unwrap_or_default();
            cells.size = units::size(record.size_bytes);
        }
        HistoryEvent::Prune(record) => {
            "swept".clone_into(&mut cells.end);
            cells.size = units::size(record.size_bytes);
        }
        _ => {}
    }
    cells
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
