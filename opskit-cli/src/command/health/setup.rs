//! Which probes are asked, and by what they are measured: those of opskit, of the backups, and of `opskit.toml`.

use crate::App;
use crate::args::RepositoryArgs;
use crate::database::Database;
use crate::project::Project;
use opskit_core::config::HealthSettings;
use opskit_core::health::{
    BackupPlace, HealthProbe, HealthRequest, backup_probes, declared_probes, probes,
};
use opskit_core::{Error, ErrorKind};
use std::collections::BTreeMap;

/// What a run is made from; a server makes many.
#[derive(Debug)]
pub(crate) struct Setup {
    settings: HealthSettings,
    target: Option<String>,
    backups: Option<BackupPlace>,
    variables: BTreeMap<String, String>,
}

impl Setup {
    pub(crate) fn of(database: &Database, repo: &RepositoryArgs, app: &App) -> Result<Self, Error> {
        let project = Project::find(app)?;
        let named = repo.repo.is_some() || app.env.var("OPSKIT_REPO").is_some();
        let (settings, of_project) = match &project {
            Some(project) => {
                let config = &project.config;
                (config.health.clone(), !config.repositories.is_empty())
            }
            None => (HealthSettings::default(), false),
        };
        let target = database.target.as_ref();
        let is_due = target.is_some_and(|(_, target)| target.schedule.is_some());
        let setup = Self {
            backups: match named || of_project || is_due {
                true => Some(place(database, repo, &settings, app)?),
                false => None,
            },
            target: target.map(|(name, _)| name.clone()),
            variables: app.env.vars.clone(),
            settings,
        };
        setup.check_ids()?;
        Ok(setup)
    }

    /// All probes that there are, without knowing of any database.
    pub(crate) fn everything(app: &App) -> Result<Vec<Box<dyn HealthProbe>>, Error> {
        let project = Project::find(app)?;
        let nowhere = || Err(Error::new(ErrorKind::NotFound, "there is no repository"));
        let mut all = probes();
        all.extend(backup_probes(&BackupPlace::new(nowhere)));
        for probe in project.iter().flat_map(|it| &it.config.health.probes) {
            let mut one = HealthSettings::default();
            one.probes.push(probe.clone());
            all.extend(declared_probes(&one, probe.target.as_deref(), |_| None));
        }
        Ok(all)
    }

    pub(crate) fn probes(&self) -> Vec<Box<dyn HealthProbe>> {
        let mut all = probes();
        all.extend(self.backups.iter().flat_map(backup_probes));
        let variable = |name: &str| self.variables.get(name).map(String::as_str);
        let target = self.target.as_deref();
        all.extend(declared_probes(&self.settings, target, variable));
        all
    }

    pub(crate) fn request(&self) -> HealthRequest {
        HealthRequest::default().configured(&self.settings, self.target.as_deref())
    }

    /// Two probes of one name could not be told apart.
    fn check_ids(&self) -> Result<(), Error> {
        let all = self.probes();
        for (at, probe) in all.iter().enumerate() {
            if all[..at].iter().any(|other| other.id() == probe.id()) {
                let message = format!("opskit has a probe \"{}\" of its own", probe.id());
                let error = Error::new(ErrorKind::InvalidInput, message);
                return Err(error.with_hint("Give the [[probe]] of opskit.toml another id."));
            }
        }
        Ok(())
    }
}

fn place(
    database: &Database,
    repo: &RepositoryArgs,
    settings: &HealthSettings,
    app: &App,
) -> Result<BackupPlace, Error> {
    let target = database.target.as_ref();
    let place = repo.place(target.map(|(_, target)| target), app)?;
    let mut of = BackupPlace::new(move || place.open());
    if let Some((name, target)) = target {
        of = of.of_target(name);
        of = match target.schedule {
            Some(every) => of.every(every),
            None => of,
        };
    }
    Ok(match settings.recovery_time {
        Some(most) => of.recovery_time(most),
        None => of,
    })
}
