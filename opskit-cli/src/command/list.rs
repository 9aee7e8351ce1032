//! `opskit list`.

use crate::App;
use crate::args::ListArgs;
use crate::exit::Stop;
use crate::project::Project;
use crate::repository::place_of;
use crate::summary::aligned;
use crate::units;
use opskit_core::repository::{BackupId, BackupType, Overdue, Repository};
use opskit_core::{Error, ErrorKind};
use serde::Serialize;
use std::time::Duration;
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
}

#[derive(Debug, Serialize)]
pub(crate) struct OverdueTarget {
    target: String,
    schedule_seconds: u64,
    /// By how much the last backup is older than it may be; none where there is no backup.
    overdue_seconds: Option<u64>,
}

/// One line.
#[derive(Debug, Serialize)]
struct Listed {
    id: BackupId,
    #[serde(rename = "type")]
    backup_type: Option<BackupType>,
    snapshot_at: Option<String>,
    objects: u64,
    stored_bytes: u64,
    /// Why its manifest cannot be read.
    error: Option<String>,
}

pub(crate) fn run(args: &ListArgs, app: &App) -> Result<(), Stop> {
    let repository = Repository::open(args.repository.place(None, app)?)?;
    let document = ListDocument::of(&repository, overdue(&repository, app)?)?;
    document.overdue.iter().for_each(|late| warn(late, app));
    if app.printer.is_json() {
        app.printer.json(&document)?;
    } else {
        app.printer.result(&text(&document))?;
    }
    match document.is_sound() {
        true => Ok(()),
        false => Err(Stop::Told(ErrorKind::Damaged)),
    }
}

impl ListDocument {
    pub(crate) fn of(repository: &Repository, overdue: Vec<OverdueTarget>) -> Result<Self, Error> {
        let ids = repository.backups()?;
        Ok(Self {
            schema: "opskit.list/1",
            repository: repository.id().to_owned(),
            location: repository.path().display().to_string(),
            backups: ids.iter().map(|id| listed(repository, id)).collect(),
            overdue,
        })
    }

    /// Whether the manifest of each can be read.
    pub(crate) fn is_sound(&self) -> bool {
        self.backups.iter().all(|listed| listed.error.is_none())
    }
}

/// The targets whose backups go here and are older than they may be.
fn overdue(repository: &Repository, app: &App) -> Result<Vec<OverdueTarget>, Error> {
    let Some(project) = Project::find(app)? else {
        return Ok(Vec::new());
    };
    let here = repository.path().canonicalize().ok();
    let mut found = Vec::new();
    for (name, target) in &project.config.targets {
        let Some(every) = target.schedule else {
            continue;
        };
        if place_of(Some(target), &project)?.canonicalize().ok() != here {
            continue;
        }
        let overdue = repository.overdue(name, every, OffsetDateTime::now_utc())?;
        found.extend(overdue.map(|overdue| OverdueTarget {
            target: name.clone(),
            schedule_seconds: every.as_secs(),
            overdue_seconds: match overdue {
                Overdue::By(late) => Some(late.as_secs()),
                _ => None,
            },
        }));
    }
    Ok(found)
}

fn warn(late: &OverdueTarget, app: &App) {
    let every = units::elapsed(Duration::from_secs(late.schedule_seconds));
    let how = match late.overdue_seconds {
        Some(seconds) => format!(
            "overdue by {}",
            units::elapsed(Duration::from_secs(seconds))
        ),
        None => "missing: none was made under this name yet".to_owned(),
    };
    let target = &late.target;
    app.printer.warning(&format!(
        "the backup of target \"{target}\", due every {every}, is {how}"
    ));
}

fn listed(repository: &Repository, id: &BackupId) -> Listed {
    match repository.read(id) {
        Ok(reader) => {
            let manifest = reader.manifest();
            Listed {
                id: id.clone(),
                backup_type: Some(manifest.backup_type),
                snapshot_at: Some(manifest.snapshot_at.clone()),
                objects: manifest.all_objects().count() as u64,
                stored_bytes: manifest.stored_bytes(),
                error: None,
            }
        }
        Err(error) => Listed {
            id: id.clone(),
            backup_type: None,
            snapshot_at: None,
            objects: 0,
            stored_bytes: 0,
            error: Some(error.chain().join(": ")),
        },
    }
}

/// The list for people.
pub(crate) fn text(document: &ListDocument) -> String {
    let rows: Vec<Vec<String>> = document
        .backups
        .iter()
        .map(|backup| match &backup.error {
            Some(error) => vec![backup.id.to_string(), error.clone()],
            None => vec![
                backup.id.to_string(),
                match backup.backup_type {
                    Some(BackupType::Schema) => "schema".to_owned(),
                    _ => "full".to_owned(),
                },
                units::counted(backup.objects, "object"),
                units::size(backup.stored_bytes),
            ],
        })
        .collect();
    let count = units::counted(document.backups.len() as u64, "backup");
    format!("{}{count} in {}\n", aligned(&rows), document.location)
}
