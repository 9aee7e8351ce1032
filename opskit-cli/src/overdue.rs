//! Which schedules of `opskit.toml` were not kept.

use crate::App;
use crate::project::Project;
use crate::repository::place_of;
use crate::units;
use opskit_core::Error;
use opskit_core::repository::{Overdue, Repository};
use serde::Serialize;
use std::time::Duration;
use time::OffsetDateTime;

/// A target whose last whole backup is too old.
#[derive(Debug, Serialize)]
pub(crate) struct OverdueTarget {
    target: String,
    schedule_seconds: u64,
    /// By how much the last backup is older than it may be; none where there is no backup.
    overdue_seconds: Option<u64>,
}

/// The targets whose backups go here and are older than they may be.
pub(crate) fn overdue(repository: &Repository, app: &App) -> Result<Vec<OverdueTarget>, Error> {
    let Some(project) = Project::find(app)? else {
        return Ok(Vec::new());
    };
    let mut found = Vec::new();
    for (name, target) in &project.config.targets {
        let Some(every) = target.schedule else {
            continue;
        };
        if !place_of(Some(target), &project, app)?.is(repository) {
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

/// Says that it is so.
pub(crate) fn warn(late: &OverdueTarget, app: &App) {
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
