//! Which database is meant.

use crate::App;
use crate::exit::usage_error;
use crate::project::{Project, is_name, url_of};
use opskit_core::config::{Target, TargetClass};
use opskit_core::postgres::url::DatabaseUrl;
use opskit_core::{Error, ErrorKind};

/// The database that was named: by `--db` (a URL, or a target of `opskit.toml`), else by `DATABASE_URL`,
/// else by `SUPABASE_DB_URL`, else by the default target, else by the `PG*` variables.
#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) url: DatabaseUrl,
    /// The target of `opskit.toml` that it is, by whatever name it was called.
    pub(crate) target: Option<(String, Target)>,
    named: Named,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Named {
    /// By someone.
    Somewhere,
    /// By nobody: it is the server that `libpq` would try.
    Nowhere,
}

impl Database {
    pub(crate) fn find(db: Option<&str>, app: &App) -> Result<Self, Error> {
        let env = &app.env;
        let project = Project::find(app)?;
        let text = db
            .or(env.database_url.as_deref())
            .or(env.supabase_db_url.as_deref());
        let default = project
            .as_ref()
            .and_then(|project| project.config.default_target.as_deref());
        match (text, default) {
            (None, Some(name)) => Self::by_name(name, project.as_ref(), app),
            (Some(name), _) if is_name(name) => Self::by_name(name, project.as_ref(), app),
            _ => Self::by_text(db, text.unwrap_or_default(), project.as_ref(), app),
        }
    }

    fn by_name(name: &str, project: Option<&Project>, app: &App) -> Result<Self, Error> {
        let Some(project) = project else {
            return Err(usage_error(
                format!("there is no opskit.toml that could say what \"{name}\" is"),
                "Give the URL of the database, or name a target of opskit.toml.",
            ));
        };
        let target = project.config.target(name)?;
        Ok(Self {
            url: url_of(name, target, app)?,
            target: Some((name.to_owned(), target.clone())),
            named: Named::Somewhere,
        })
    }

    fn by_text(
        db: Option<&str>,
        text: &str,
        project: Option<&Project>,
        app: &App,
    ) -> Result<Self, Error> {
        let env = &app.env;
        let url = DatabaseUrl::parse(text, &env.connect)?;
        if db.is_some() && url.has_password_in_url() {
            app.printer.warning(
                "a password in an argument shows in the process list; use DATABASE_URL, PGPASSWORD or a password file",
            );
        }
        let by_variable = ["PGHOST", "PGHOSTADDR", "PGSERVICE"]
            .iter()
            .any(|name| env.connect.vars.contains_key(*name));
        let named = if !text.is_empty() || by_variable {
            Named::Somewhere
        } else {
            Named::Nowhere
        };
        let target = project.and_then(|project| same_database(&url, project, app));
        Ok(Self { url, target, named })
    }

    /// Refuses to change or delete in a production target that was not named for it.
    pub(crate) fn confirm(&self, confirmed: Option<&str>) -> Result<(), Error> {
        match &self.target {
            Some((name, target))
                if target.class == TargetClass::Production && confirmed != Some(name) =>
            {
                Err(usage_error(
                    format!("target \"{name}\" is production"),
                    format!("If it is meant: --confirm {name}"),
                ))
            }
            _ => Ok(()),
        }
    }

    /// Adds the likely reason to an error of connecting.
    pub(crate) fn explain(&self, error: Error) -> Error {
        if self.named == Named::Nowhere && error.kind() == ErrorKind::Connection {
            error.with_hint(
                "No database was named, so a local server was tried: set DATABASE_URL, or give --db.",
            )
        } else {
            error
        }
    }
}

/// The target of the database that is meant when a command names none, as far as can be told.
pub(crate) fn usual_target(project: &Project, app: &App) -> Option<(String, Target)> {
    let env = &app.env;
    let config = &project.config;
    let text = env
        .database_url
        .as_deref()
        .or(env.supabase_db_url.as_deref());
    let by_name = |name: &str| Some((name.to_owned(), config.targets.get(name)?.clone()));
    match text {
        Some(name) if is_name(name) => by_name(name),
        Some(text) => {
            let url = DatabaseUrl::parse(text, &env.connect).ok()?;
            same_database(&url, project, app)
        }
        None => by_name(config.default_target.as_deref()?),
    }
}

/// The target whose URL leads to the same database: naming it by its URL does not make it less precious.
fn same_database(url: &DatabaseUrl, project: &Project, app: &App) -> Option<(String, Target)> {
    let leads_there = |(name, target): &(&String, &Target)| {
        url_of(name, target, app)
            .is_ok_and(|other| other.dbname() == url.dbname() && same_hosts(&other, url))
    };
    let found = project.config.targets.iter().find(leads_there);
    found.map(|(name, target)| (name.clone(), target.clone()))
}

fn same_hosts(a: &DatabaseUrl, b: &DatabaseUrl) -> bool {
    let places = |url: &DatabaseUrl| -> Vec<(String, u16)> {
        let hosts = url.hosts().iter();
        hosts
            .map(|host| (host.name().to_owned(), host.port()))
            .collect()
    };
    let (a, b) = (places(a), places(b));
    a.iter().any(|place| b.contains(place))
}
