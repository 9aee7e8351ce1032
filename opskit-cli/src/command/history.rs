//! `opskit history`.

mod line;
mod table;

use crate::App;
use crate::args::{HistoryAction, HistoryArgs, HistoryFormat, HistoryVerifyArgs, OfArgs};
use crate::exit::Stop;
use crate::overdue::{OverdueTarget, overdue, warn};
use crate::project::Project;
use crate::units;
use opskit_core::config::{Config, TargetClass};
use opskit_core::repository::{
    BackupId, HistoryCheck, HistoryEntry, HistoryEvent, Repository, RunRecord, RunStatus,
};
use opskit_core::{Error, ErrorKind};
use serde::Serialize;
use std::collections::BTreeSet;
use std::fmt::Write as _;

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct HistoryDocument {
    schema: &'static str,
    repository: String,
    location: String,
    /// In the order in which they were written.
    records: Vec<Told>,
    /// Targets of `opskit.toml` whose schedule was not kept.
    overdue: Vec<OverdueTarget>,
    /// What the user should know.
    warnings: Vec<String>,
}

/// A record, and what is known besides.
#[derive(Debug, Serialize)]
pub(crate) struct Told {
    #[serde(flatten)]
    pub(crate) entry: HistoryEntry,
    /// Where the backup of a run is, or was.
    #[serde(skip_serializing_if = "Option::is_none")]
    location: Option<String>,
    /// How much care the database deserves.
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<String>,
    /// Whether the backup is there.
    is_there: bool,
}

pub(crate) fn run(args: &HistoryArgs, app: &App) -> Result<(), Stop> {
    if let Some(HistoryAction::Verify(args)) = &args.what {
        return verify(args, app);
    }
    let repository = args
        .repository
        .place_of_backups(&args.of, None, app)?
        .open()?;
    let document = HistoryDocument::of(&repository, args, app)?;
    let printer = &app.printer;
    match args.format {
        _ if printer.is_json() => printer.json(&document)?,
        HistoryFormat::Json => printer.json(&document)?,
        HistoryFormat::Log => printer.result(&line::lines(&document.records)?)?,
        HistoryFormat::Table => {
            printer.result(&table::text(&document.records, &document.location))?;
        }
    }
    document
        .warnings
        .iter()
        .for_each(|text| printer.warning(text));
    document.overdue.iter().for_each(|late| warn(late, app));
    Ok(())
}

impl HistoryDocument {
    fn of(repository: &Repository, args: &HistoryArgs, app: &App) -> Result<Self, Error> {
        let history = repository.read_history()?;
        let there: BTreeSet<BackupId> = repository.backups()?.into_iter().collect();
        let config = Project::find(app)?.map(|project| project.config);
        let meant = Meant::of(&args.of, &history.runs());
        let entries = history.entries.into_iter().filter(|entry| meant.has(entry));
        let mut records: Vec<Told> = entries
            .map(|entry| told(repository, entry, &there, config.as_ref()))
            .collect();
        let skipped = args
            .last
            .map_or(0, |last| records.len().saturating_sub(last));
        records.drain(..skipped);
        let unreadable = history.unreadable.iter();
        let mut warnings: Vec<String> = unreadable
            .map(|fault| {
                format!(
                    "a record cannot be read: {}: {}",
                    fault.object, fault.problem
                )
            })
            .collect();
        let overdue = overdue(repository, app).unwrap_or_else(|error| {
            warnings.push(format!(
                "whether a backup is overdue cannot be told: {}",
                error.chain().join(": ")
            ));
            Vec::new()
        });
        Ok(Self {
            schema: "opskit.history/1",
            repository: repository.id().to_owned(),
            location: repository.place().to_owned(),
            records,
            overdue,
            warnings,
        })
    }
}

fn told(
    repository: &Repository,
    entry: HistoryEntry,
    there: &BTreeSet<BackupId>,
    config: Option<&Config>,
) -> Told {
    let id = entry.event.backup();
    let run = match &entry.event {
        HistoryEvent::Run(run) => Some(run),
        _ => None,
    };
    let made = run.filter(|run| run.status == RunStatus::Success);
    Told {
        location: made.map(|_| repository.location(id)),
        environment: run.and_then(|run| environment(run, config)),
        is_there: there.contains(id),
        entry,
    }
}

/// What the user wrote on it, else the class of its target.
fn environment(run: &RunRecord, config: Option<&Config>) -> Option<String> {
    if let Some(told) = run.tags.get("environment") {
        return Some(told.clone());
    }
    let target = config?.targets.get(run.target.as_ref()?)?;
    Some(
        match target.class {
            TargetClass::Production => "production",
            TargetClass::Staging => "staging",
            _ => "scratch",
        }
        .to_owned(),
    )
}

/// The backups whose records are meant; all without a name.
struct Meant(Option<BTreeSet<BackupId>>);

impl Meant {
    fn of(of: &OfArgs, runs: &[RunRecord]) -> Self {
        let Some(name) = &of.of else {
            return Self(None);
        };
        let has_target = |run: &&RunRecord| run.target.as_ref() == Some(name);
        let own = name.split('@').next().unwrap_or_default();
        let has_database = |run: &&RunRecord| run.target.is_none() && run.database == own;
        // A database may be called as a target is that leads to another one.
        let ids: BTreeSet<BackupId> = match runs.iter().any(|run| has_target(&run)) {
            true => runs
                .iter()
                .filter(has_target)
                .map(|run| run.id.clone())
                .collect(),
            false => runs
                .iter()
                .filter(has_database)
                .map(|run| run.id.clone())
                .collect(),
        };
        Self(Some(ids))
    }

    fn has(&self, entry: &HistoryEntry) -> bool {
        self.0
            .as_ref()
            .is_none_or(|ids| ids.contains(entry.event.backup()))
    }
}

fn verify(args: &HistoryVerifyArgs, app: &App) -> Result<(), Stop> {
    let repository = args
        .repository
        .place_of_backups(&args.of, None, app)?
        .open()?;
    let check = repository.verify_history(&args.knows)?;
    let printer = &app.printer;
    match (printer.is_json(), check.is_sound()) {
        (true, _) => printer.json(&check)?,
        (false, true) => printer.good_news(&text(&check))?,
        (false, false) => printer.result(&text(&check))?,
    }
    check.warnings.iter().for_each(|text| printer.warning(text));
    match check.is_sound() {
        true => Ok(()),
        false => Err(Stop::Told(ErrorKind::Damaged)),
    }
}

fn text(check: &HistoryCheck) -> String {
    let mut out = String::new();
    for fault in &check.faults {
        let kind = format!("{:?}", fault.kind).to_lowercase();
        let _ = writeln!(out, "{kind}: {}: {}", fault.record, fault.problem);
    }
    for end in &check.ends {
        let _ = writeln!(out, "last: {} sha256:{}", end.name, end.sha256);
    }
    let verdict = match check.faults.len() {
        0 => "sound".to_owned(),
        faults => units::counted(faults as u64, "fault"),
    };
    let records = units::counted(check.records, "record");
    let _ = writeln!(
        out,
        "{records}, {} chained: {verdict}",
        units::count(check.chained)
    );
    out
}
