//! Which repository is meant.

use crate::App;
use crate::args::{OfArgs, RepositoryArgs};
use crate::database::{Database, usual_target};
use crate::exit::usage_error;
use crate::keys::KeySettings;
use crate::project::{Project, is_name};
use opskit_core::config::{FILE_NAME, Target};
use opskit_core::repository::{Repository, RepositoryUrl, StoreEnv};
use opskit_core::{Error, ErrorKind};

/// Where backups go when nobody says.
const DEFAULT: &str = "backups";

/// Where a repository is, and who says so.
#[derive(Debug)]
pub(crate) struct Place {
    /// A path or URL, as it was written; a relative path of `opskit.toml` starts at its folder.
    text: String,
    env: StoreEnv,
    /// Its name in `opskit.toml`.
    name: Option<String>,
    pub(crate) keys: KeySettings,
}

impl Place {
    /// A place that somebody typed, or the default one.
    fn typed(text: &str, app: &App) -> Self {
        Self {
            text: text.to_owned(),
            env: app.env.stores.clone(),
            name: None,
            keys: KeySettings::of_environment(app),
        }
    }

    /// Its name in `opskit.toml`.
    pub(crate) fn name(&self) -> Option<&str> {
        self.name.as_deref()
    }

    /// A repository of `opskit.toml`.
    fn named(name: &str, project: &Project, app: &App) -> Result<Self, Error> {
        let settings = project.config.repository(name)?;
        let url = &settings.url;
        Ok(Self {
            text: match is_url(url) {
                true => url.clone(),
                false => project.path(url).display().to_string(),
            },
            env: app.env.stores.clone(),
            name: Some(name.to_owned()),
            keys: KeySettings::of_environment(app).pinned(settings),
        })
    }

    /// What it leads to.
    pub(crate) fn url(&self) -> Result<RepositoryUrl, Error> {
        RepositoryUrl::parse(&self.text, &self.env)
    }

    /// Opens the repository that is there.
    pub(crate) fn open(&self) -> Result<Repository, Error> {
        let keyring = self.keys.keyring()?;
        Ok(Repository::open_at(&self.url()?)?.with_keyring(keyring))
    }

    /// Seals backups for those who were named by options, unless `opskit.toml` says for whom.
    pub(crate) fn seal_for(&mut self, recipients: &[String]) -> Result<(), Error> {
        if recipients.is_empty() {
            return Ok(());
        }
        if !self.keys.recipients.is_empty() {
            return Err(usage_error(
                "opskit.toml says whom the backups of this repository are encrypted for",
                "Leave --recipient out, or change recipients there.",
            ));
        }
        self.keys.recipients = recipients.to_vec();
        Ok(())
    }

    /// The same; makes it where somebody named the place just now. One of `opskit.toml` is there already: an
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

    /// Whether it is this one.
    pub(crate) fn is(&self, repository: &Repository) -> bool {
        let Ok(url) = self.url() else { return false };
        match (url.as_directory(), repository.directory()) {
            (Some(one), Some(other)) => one.canonicalize().ok() == other.canonicalize().ok(),
            (None, None) => url.to_string() == repository.place(),
            _ => false,
        }
    }

    /// Makes it where it is not there.
    pub(crate) fn make(&self) -> Result<Repository, Error> {
        let keyring = self.keys.keyring()?;
        Ok(Repository::create_at(&self.url()?)?.with_keyring(keyring))
    }
}

/// Whether this is a URL rather than a path.
fn is_url(text: &str) -> bool {
    text.contains("://") || text == "memory:"
}

impl RepositoryArgs {
    /// The place that was named: by `--repo` or `OPSKIT_REPO` (a name of `opskit.toml`, else a path or URL),
    /// else by the target of the database, else by the default of `opskit.toml`.
    pub(crate) fn place(&self, target: Option<&Target>, app: &App) -> Result<Place, Error> {
        let project = Project::find(app)?;
        let typed = self.repo.as_deref().or_else(|| app.env.var("OPSKIT_REPO"));
        let mut place = match (typed, project) {
            (Some(typed), project) => place_named(typed, project.as_ref(), app)?,
            (None, Some(project)) => place_of(target, &project, app)?,
            (None, None) => Place::typed(DEFAULT, app),
        };
        place.keys.read_with(self);
        Ok(place)
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

/// The place that was named: a name of `opskit.toml`, else a path or URL.
pub(crate) fn place_named(
    typed: &str,
    project: Option<&Project>,
    app: &App,
) -> Result<Place, Error> {
    match project {
        Some(project) if is_name(typed) && project.config.repositories.contains_key(typed) => {
            Place::named(typed, project, app)
        }
        _ => Ok(Place::typed(typed, app)),
    }
}

/// Where the backups of a target go, by what `opskit.toml` says.
pub(crate) fn place_of(
    target: Option<&Target>,
    project: &Project,
    app: &App,
) -> Result<Place, Error> {
    let config = &project.config;
    let of_target = target.and_then(|target| target.repository.as_deref());
    let mut all = config.repositories.keys().map(String::as_str);
    let only = all.next().filter(|_| all.next().is_none());
    let name = of_target.or(config.default_repository.as_deref());
    match name.or(only) {
        Some(name) => Place::named(name, project, app),
        None => Ok(Place::typed(DEFAULT, app)),
    }
}
