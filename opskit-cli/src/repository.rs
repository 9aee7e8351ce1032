//! Which repository is meant.

use crate::App;
use crate::args::RepositoryArgs;
use crate::database::Database;
use crate::project::{Project, is_name};
use opskit_core::Error;
use opskit_core::config::Target;
use std::path::PathBuf;

/// Where backups go when nobody says.
const DEFAULT: &str = "backups";

impl RepositoryArgs {
    /// The place that was named: by `--repo` or `OPSKIT_REPO` (a name of `opskit.toml`, else a directory),
    /// else by the target of the database, else by the default of `opskit.toml`.
    pub(crate) fn place(&self, database: Option<&Database>, app: &App) -> Result<PathBuf, Error> {
        let project = Project::find(app)?;
        let typed = self.repo.as_deref().or_else(|| app.env.var("OPSKIT_REPO"));
        let Some(project) = project else {
            return Ok(typed.unwrap_or(DEFAULT).into());
        };
        match typed {
            Some(typed) if is_name(typed) && project.config.repositories.contains_key(typed) => {
                Ok(project.path(&project.config.repository(typed)?.url))
            }
            Some(typed) => Ok(typed.into()),
            None => {
                let target = database.and_then(|database| database.target.as_ref());
                place_of(target.map(|(_, target)| target), &project)
            }
        }
    }
}

/// Where the backups of a target go, by what `opskit.toml` says.
pub(crate) fn place_of(target: Option<&Target>, project: &Project) -> Result<PathBuf, Error> {
    let config = &project.config;
    let of_target = target.and_then(|target| target.repository.as_deref());
    let mut all = config.repositories.keys().map(String::as_str);
    let only = all.next().filter(|_| all.next().is_none());
    let named = of_target.or(config.default_repository.as_deref());
    match named.or(only) {
        Some(name) => Ok(project.path(&project.config.repository(name)?.url)),
        None => Ok(DEFAULT.into()),
    }
}
