//! `opskit list`.

use crate::App;
use crate::args::ListArgs;
use crate::exit::Stop;
use crate::summary::aligned;
use crate::units;
use opskit_core::ErrorKind;
use opskit_core::repository::{BackupId, BackupType, Repository};
use serde::Serialize;

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct ListDocument {
    schema: &'static str,
    repository: String,
    location: String,
    backups: Vec<Listed>,
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
    let ids = repository.backups()?;
    let backups: Vec<Listed> = ids.iter().map(|id| listed(&repository, id)).collect();
    let damaged = backups.iter().any(|listed| listed.error.is_some());
    let document = ListDocument {
        schema: "opskit.list/1",
        repository: repository.id().to_owned(),
        location: repository.path().display().to_string(),
        backups,
    };
    if app.printer.is_json() {
        app.printer.json(&document)?;
    } else {
        app.printer.result(&text(&document))?;
    }
    match damaged {
        true => Err(Stop::Told(ErrorKind::Damaged)),
        false => Ok(()),
    }
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

fn text(document: &ListDocument) -> String {
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
