//! Which repository is meant.

use crate::App;
use crate::args::{OfArgs, RepositoryArgs};
use crate::database::{Database, usual_target};
use crate::project::{Project, is_name};
use opskit_core::config::{FILE_NAME, Target};
use opskit_core::repository::Repository;
use opskit_core::{Error, ErrorKind};
use std::path::PathBuf;

/// Where backups go when nobody says.
const DEFAULT: &str = "backups";

/// Where a repository is, and who says so.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) path: PathBuf,
    /// Its name in `opskit.toml`.
    name: Option<String>,
}

impl Place {
    /// Its name in `opskit.toml`.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// Opens the repository that is there.
    pub(crate) fn open(&self) -> Result<Repository, Error> {
        Repository::open(&self.path)
    }

    /// The same; makes it where somebody named the directory just now. One of `opskit.toml` is there already: an
    /// empty directory in its place is a disk that is not mounted.
    pub(crate) fn open_or_make(&self) -> Result<Repository, Error> {
        let Some(name) = &self.name else {
            return self.make();
        };
        self.open().map_err(|error| match error.kind() {
            ErrorKind::NotFound => error
                .while_doing(format!("repository \"{name}\" of {FILE_NAME} is not there"))
                .with_hint("Is its disk mounted? The first backup makes it with --init."),
            _ => error,
        })
    }

    /// Makes it where it is not there.
    pub(crate) fn make(&self) -> Result<Repository, Error> {
        Repository::create(&self.path)
    }
}

impl RepositoryArgs {
    /// The place that was named: by `--repo` or `OPSKIT_REPO` (a name of `opskit.toml`, else a directory),
    /// else by the target of the database, else by the default of `opskit.toml`.
    pub(crate) fn place(&self, target: Option<&Target>, app: &App) -> Result<Place, Error> {
        let project = Project::find(app)?;
        let typed = self.repo.as_deref().or_else(|| app.env.var("OPSKIT_REPO"));
        let directory = |path: &str| Place {
            path: path.into(),
            name: None,
        };
        let Some(project) = project else {
            return Ok(directory(typed.unwrap_or(DEFAULT)));
        };
        match typed {
            Some(typed) if is_name(typed) && project.config.repositories.contains_key(typed) => {
                named(typed, &project)
            }
            Some(typed) => Ok(directory(typed)),
            None => place_of(target, &project),
        }
    }

    /// Where the backups are that are meant: of the target that `--of` names, else of the database that the
    /// command works on, else of the one that `backup` would take.
    pub(crate) fn place_of_backups(
        &self,
        of: &OfArgs,
        database: Option<&Database>,
        app: &App,
    ) -> Result<Place, Error> {
        let Some(project) = Project::find(app)? else {
            return self.place(None, app);
        };
        let of = of
            .of
            .as_ref()
            .and_then(|name| project.config.targets.get(name));
        let of_database = database.and_then(|database| database.target.as_ref());
        let of_database = of_database
            .map(|(_, target)| target)
            .filter(|target| target.repository.is_some());
        let usual = usual_target(&project, app);
        let usual = usual.as_ref().map(|(_, target)| target);
        self.place(of.or(of_database).or(usual), app)
    }
}

/// Where the backups of a target go, by what `opskit.toml` says.
pub(crate) fn place_of(target: Option<&Target>, project: &Project) -> Result<Place, Error> {
    let config = &project.config;
    let of_target = target.and_then(|target| target.repository.as_deref());
    let mut all = config.repositories.keys().map(String::as_str);
    let only = all.next().filter(|_| all.next().is_none());
    let name = of_target.or(config.default_repository.as_deref());
    match name.or(only) {
        Some(name) => named(name, project),
        None => Ok(Place {
            path: DEFAULT.into(),
            name: None,
        }),
    }
}

fn named(name: &str, project: &Project) -> Result<Place, Error> {
    Ok(Place {
        path: project.path(&project.config.repository(name)?.url),
        name: Some(name.to_owned()),
    })
}
