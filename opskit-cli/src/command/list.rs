//! `opskit list`.

use crate::App;
use crate::args::ListArgs;
use crate::exit::Stop;
use crate::overdue::{OverdueTarget, overdue, warn};
use crate::summary::{aligned, type_word};
use crate::units;
use opskit_core::repository::{Among, BackupId, Fault, Origin, Pin, Pins, Repository};
use opskit_core::{Error, ErrorKind};
use serde::Serialize;
use time::OffsetDateTime;

/// The document of `--json`.
#[derive(Debug, Serialize)]
pub(crate) struct ListDocument {
    schema: &'static str,
    repository: String,
    location: String,
    backups: Vec<Listed>,
    /// Targets of `opskit.toml` whose schedule was not kept.
    overdue: Vec<OverdueTarget>,
    /// What the user should know.
    warnings: Vec<String>,
}

/// One line.
#[derive(Debug, Serialize)]
struct Listed {
    id: BackupId,
    #[serde(flatten)]
    origin: Option<Origin>,
    encrypted: bool,
    snapshot_at: Option<String>,
    objects: u64,
    stored_bytes: u64,
    /// The pin that it has, which may have ended.
    pin: Option<Pin>,
    /// Why its manifests cannot be read.
    error: Option<String>,
}

pub(crate) fn run(args: &ListArgs, app: &App) -> Result<(), Stop> {
    let repository = args
        .repository
        .place_of_backups(&args.of, None, app)?
        .open()?;
    let mut document = ListDocument::of(&repository, &args.of.among())?;
    document.look_at_history(&repository, app);
    if app.printer.is_json() {
        app.printer.json(&document)?;
    } else {
        app.printer.result(&text(&document))?;
    }
    let warnings = document.warnings.iter();
    warnings.for_each(|text| app.printer.warning(text));
    document.overdue.iter().for_each(|late| warn(late, app));
    match document.is_sound() {
        true => Ok(()),
        false => Err(Stop::Told(ErrorKind::Damaged)),
    }
}

impl ListDocument {
    pub(crate) fn of(repository: &Repository, among: &Among) -> Result<Self, Error> {
        let ids = repository.among(among)?;
        let pins = repository.pins()?;
        Ok(Self {
            schema: "opskit.list/1",
            repository: repository.id().to_owned(),
            location: repository.place().to_owned(),
            backups: ids.iter().map(|id| listed(repository, id, &pins)).collect(),
            overdue: Vec::new(),
            warnings: pins.unreadable.values().map(unreadable_pin).collect(),
        })
    }

    /// Tells what is overdue. What the history is too damaged to say takes nothing from the list.
    fn look_at_history(&mut self, repository: &Repository, app: &App) {
        match repository.read_history() {
            Ok(history) => {
                let unreadable = history.unreadable.into_iter();
                self.warnings.extend(unreadable.map(|fault| {
                    format!(
                        "a record cannot be read: {}: {}",
                        fault.object, fault.problem
                    )
                }));
            }
            Err(error) => self.warnings.push(error.chain().join(": ")),
        }
        match overdue(repository, app) {
            Ok(overdue) => self.overdue = overdue,
            Err(error) => self.warnings.push(format!(
                "whether a backup is overdue cannot be told: {}",
                error.chain().join(": ")
            )),
        }
    }

    /// Whether the manifest of each can be read.
    pub(crate) fn is_sound(&self) -> bool {
        self.backups.iter().all(|listed| listed.error.is_none())
    }
}

fn unreadable_pin(fault: &Fault) -> String {
    format!(
        "a pin cannot be read, and holds: {}: {}",
        fault.object, fault.problem
    )
}

fn listed(repository: &Repository, id: &BackupId, pins: &Pins) -> Listed {
    let pin = pins.pins.get(id).cloned();
    let read = || {
        let reader = repository.read(id)?;
        let manifest = reader.manifest();
        Ok::<_, Error>(Listed {
            id: id.clone(),
            origin: Some(repository.origin_of(&reader)?),
            encrypted: reader.is_sealed(),
            snapshot_at: Some(manifest.snapshot_at.clone()),
            objects: manifest.all_objects().count() as u64,
            stored_bytes: manifest.stored_bytes(),
            pin: pin.clone(),
            error: None,
        })
    };
    read().unwrap_or_else(|error| Listed {
        id: id.clone(),
        origin: None,
        encrypted: false,
        snapshot_at: None,
        objects: 0,
        stored_bytes: 0,
        pin: pin.clone(),
        error: Some(error.chain().join(": ")),
    })
}

/// The list for people.
pub(crate) fn text(document: &ListDocument) -> String {
    let row = |backup: &Listed| match (&backup.error, &backup.origin) {
        (None, Some(origin)) => vec![
            backup.id.to_string(),
            origin.target.clone().unwrap_or_else(|| "-".to_owned()),
            origin.database.clone(),
            type_word(origin.backup_type).to_owned(),
            units::counted(backup.objects, "object"),
            units::size(backup.stored_bytes),
            encrypted(backup),
            pinned(backup.pin.as_ref()),
        ],
        (error, _) => vec![
            backup.id.to_string(),
            error.clone().unwrap_or_else(|| "unreadable".to_owned()),
        ],
    };
    let rows: Vec<Vec<String>> = document.backups.iter().map(row).collect();
    let count = units::counted(document.backups.len() as u64, "backup");
    format!("{}{count} in {}\n", aligned(&rows), document.location)
}

fn encrypted(backup: &Listed) -> String {
    let word = if backup.encrypted { "encrypted" } else { "" };
    word.to_owned()
}

/// What people want to know of a pin.
fn pinned(pin: Option<&Pin>) -> String {
    let Some(pin) = pin else { return String::new() };
    let day = pin
        .until
        .as_deref()
        .map(|until| until.split('T').next().unwrap_or(until));
    match (pin.holds(OffsetDateTime::now_utc()), day) {
        (true, None) => "pinned".to_owned(),
        (true, Some(day)) => format!("pinned until {day}"),
        (false, _) => "was pinned".to_owned(),
    }
}
