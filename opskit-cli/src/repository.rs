//! Which repository is meant.

use crate::App;
use crate::args::RepositoryArgs;
use crate::database::Database;
use crate::project::{Project, is_name};
use opskit_core::Error;
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
        let of_target = database
            .and_then(|database| database.target.as_ref())
            .and_then(|(_, target)| target.repository.as_deref());
        let named = of_target.or(project.config.default_repository.as_deref());
        match (typed, named) {
            (Some(typed), _)
                if is_name(typed) && project.config.repositories.contains_key(typed) =>
            {
                Ok(project.path(&project.config.repository(typed)?.url))
            }
            (Some(typed), _) => Ok(typed.into()),
            (None, Some(name)) => Ok(project.path(&project.config.repository(name)?.url)),
            (None, None) => Ok(DEFAULT.into()),
        }
    }
}
