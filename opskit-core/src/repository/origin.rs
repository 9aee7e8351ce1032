//! Which database a backup is of, and which backup `latest` is.

use super::contents::{CONTENTS_VERSION, Source};
use super::manifest::{check_version, parse_json};
use super::{BackupId, BackupReader, BackupType, Repository, RunRecord};
use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;
use std::fmt;

/// Which database a backup is of, and what of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// What it holds.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// The name that the user had for the database.
    pub target: Option<String>,
    /// The database.
    pub database: String,
    /// The identity of its cluster. None where the role could not ask.
    pub system_identifier: Option<String>,
}

impl Origin {
    /// What the source of a backup says.
    #[must_use]
    pub fn of(backup_type: BackupType, source: &Source) -> Self {
        Self {
            backup_type,
            target: source.target.clone(),
            database: source.database.clone(),
            system_identifier: source.system_identifier.clone(),
        }
    }

    /// Reads the little that is needed of `manifest.sealed`.
    pub(super) fn parse(backup_type: BackupType, sealed: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Head {
            source: Source,
        }
        check_version(sealed, CONTENTS_VERSION, "the sealed manifest")?;
        let Head { source } = parse_json(sealed, "the sealed manifest")?;
        Ok(Self::of(backup_type, &source))
    }

    /// What the record of a run says of its backup.
    pub(super) fn of_run(run: &RunRecord) -> Self {
        Self {
            backup_type: run.backup_type,
            target: run.target.clone(),
            database: run.database.clone(),
            system_identifier: None,
        }
    }

    /// The database as `--of` takes it: the name that the user has for it, else its own with the cluster.
    ///
    /// ```
    /// use opskit_core::repository::{BackupType, Origin};
    /// let mut origin = Origin {
    ///     backup_type: BackupType::Full,
    ///     target: None,
    ///     database: "app".to_owned(),
    ///     system_identifier: Some("7412".to_owned()),
    /// };
    /// assert_eq!(origin.name(), "app@7412");
    /// origin.target = Some("shop".to_owned());
    /// assert_eq!(origin.name(), "shop");
    /// assert_eq!(origin.to_string(), "target \"shop\", database \"app\"");
    /// ```
    #[must_use]
    pub fn name(&self) -> String {
        match (&self.target, &self.system_identifier) {
            (Some(target), _) => target.clone(),
            (None, Some(cluster)) => format!("{}@{cluster}", self.database),
            (None, None) => self.database.clone(),
        }
    }

    fn has_target(&self, name: &str) -> bool {
        self.target.as_deref() == Some(name)
    }

    fn has_database(&self, name: &str) -> bool {
        self.database == name || self.name() == name
    }
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(target) = &self.target {
            write!(f, "target \"{target}\", ")?;
        }
        write!(f, "database \"{}\"", self.database)
    }
}

/// Which backups are meant.
///
/// ```
/// use opskit_core::repository::Among;
/// let among = Among::all().of("shop").with_rows();
/// assert_eq!(among.of.as_deref(), Some("shop"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Among {
    /// Those of this database: by the name that the user had for it, else by its own, which may have the
    /// identity of the cluster after an `@`. All, where none is said.
    pub of: Option<String>,
    /// Those that hold this. All, where none is said.
    pub holding: Option<BackupType>,
}

impl Among {
    /// All backups.
    #[must_use]
    pub fn all() -> Self {
        Self::default()
    }

    /// Those of one database.
    #[must_use]
    pub fn of(mut self, name: impl Into<String>) -> Self {
        self.of = Some(name.into());
        self
    }

    /// Those that hold rows.
    #[must_use]
    pub fn with_rows(mut self) -> Self {
        self.holding = Some(BackupType::Full);
        self
    }
}

/// A backup and what it is of; none where that cannot be read.
type Known = (BackupId, Option<Origin>);

impl Repository {
    /// The backups that are meant, the oldest first. What one is of may be unreadable: then it is meant
    /// too, so that whoever reads it learns of the damage instead of getting an older one.
    ///
    /// ```
    /// use opskit_core::repository::{Among, Repository};
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// assert_eq!(repository.among(&Among::all().of("shop"))?, []);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::backups`].
    pub fn among(&self, among: &Among) -> Result<Vec<BackupId>> {
        Ok(self.known(among)?.into_iter().map(|(id, _)| id).collect())
    }

    /// The backup that is meant by its identity, or the `latest` of those that are meant. Backups of
    /// several databases have no latest: which one is meant has to be said.
    ///
    /// ```
    /// use opskit_core::{ErrorKind, repository::{Among, Repository}};
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// let error = repository.find_of("latest", &Among::all().of("shop")).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::NotFound);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such backup, [`ErrorKind::InvalidInput`] for what names
    /// none, and for `latest` where it could be of more than one database.
    pub fn find_of(&self, name: &str, among: &Among) -> Result<BackupId> {
        if name == "latest" {
            return self.latest(among);
        }
        let id: BackupId = name.parse()?;
        let place = self.place();
        if !self.backups()?.contains(&id) {
            return Err(missing(format!("\"{place}\" has no backup {id}")));
        }
        // A backup that is named need not hold rows, but it must be of the database that is named too.
        let of = Among {
            holding: None,
            ..among.clone()
        };
        match of.of {
            Some(_) if !self.among(&of)?.contains(&id) => Err(missing(format!(
                "backup {id} is not of \"{}\"",
                of.of.unwrap_or_default()
            ))),
            _ => Ok(id),
        }
    }

    fn latest(&self, among: &Among) -> Result<BackupId> {
        let known = self.known(among)?;
        let names = databases(&known);
        if names.len() > 1 {
            let names: Vec<String> = names.into_iter().collect();
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "\"{}\" has backups of more than one database, and latest could be of any",
                    self.place()
                ),
            )
            .with_hint(format!(
                "Say which with --of: {}; or name a backup: opskit list shows them.",
                names.join(", ")
            )));
        }
        let ids: Vec<BackupId> = known.into_iter().map(|(id, _)| id).collect();
        self.last_of(&ids).ok_or_else(|| {
            let what = match among.holding {
                Some(BackupType::Full) => "backup with rows",
                _ => "backup",
            };
            let of = among.of.as_ref();
            let of = of.map_or_else(String::new, |of| format!(" of \"{of}\""));
            missing(format!("\"{}\" has no {what}{of} yet", self.place()))
        })
    }

    /// Which database a backup is of: as it says itself, or where no key at hand opens it, as the record of its run
    /// says.
    ///
    /// ```no_run
    /// # fn example(repository: &opskit_core::repository::Repository) -> opskit_core::Result<()> {
    /// let backup = repository.read(&repository.find("latest")?)?;
    /// println!("{}", repository.origin_of(&backup)?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`BackupReader::contents`].
    pub fn origin_of(&self, backup: &BackupReader) -> Result<Origin> {
        backup.origin().or_else(|error| {
            let is_locked = backup.is_sealed() && error.kind() == ErrorKind::PermissionDenied;
            let run = match is_locked {
                true => self.run_of(&backup.manifest().id),
                false => None,
            };
            run.map(|run| Origin::of_run(&run)).ok_or(error)
        })
    }

    fn known(&self, among: &Among) -> Result<Vec<Known>> {
        let mut known: Vec<Known> = self.each(self.backups()?, |id| {
            let origin = self.read(&id).and_then(|backup| self.origin_of(&backup));
            (id, origin.ok())
        });
        if let Some(wanted) = among.holding {
            keep(&mut known, |origin| origin.backup_type == wanted);
        }
        if let Some(name) = &among.of {
            let origins = known.iter().filter_map(|(_, origin)| origin.as_ref());
            // A database may be called as a target is that leads to another one.
            if origins.clone().any(|origin| origin.has_target(name)) {
                keep(&mut known, |origin| origin.has_target(name));
            } else {
                keep(&mut known, |origin| origin.has_database(name));
                if known.iter().all(|(_, origin)| origin.is_none()) {
                    known.clear();
                }
            }
        }
        Ok(known)
    }
}

/// The databases that there are backups of, by their names. One whose cluster could not be asked is no other
/// than the one of the same name that is known.
fn databases(known: &[Known]) -> BTreeSet<String> {
    let origins = known.iter().filter_map(|(_, origin)| origin.as_ref());
    let nameless = origins.clone().filter(|origin| origin.target.is_none());
    let located: BTreeSet<&str> = nameless
        .filter(|origin| origin.system_identifier.is_some())
        .map(|origin| origin.database.as_str())
        .collect();
    let is_vague = |origin: &&Origin| {
        origin.target.is_none()
            && origin.system_identifier.is_none()
            && located.contains(origin.database.as_str())
    };
    let told = origins.filter(|origin| !is_vague(origin));
    told.map(Origin::name).collect()
}

fn keep(known: &mut Vec<Known>, meant: impl Fn(&Origin) -> bool) {
    known.retain(|(_, origin)| origin.as_ref().is_none_or(&meant));
}

fn missing(what: String) -> Error {
    Error::new(ErrorKind::NotFound, what)
        .with_hint("opskit list shows the backups that are complete.")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known(target: Option<&str>, database: &str, cluster: Option<&str>) -> Known {
        let origin = Origin {
            backup_type: BackupType::Full,
            target: target.map(str::to_owned),
            database: database.to_owned(),
            system_identifier: cluster.map(str::to_owned),
        };
        ("20261121T013000Z-7f3a9c2e".parse().unwrap(), Some(origin))
    }

    #[test]
    fn databases_are_told_apart_by_what_is_known_of_them() {
        let names = |known: &[Known]| Vec::from_iter(databases(known));
        let (here, there) = (known(None, "app", Some("1")), known(None, "app", Some("2")));
        let somewhere = known(None, "app", None);
        assert_eq!(names(&[here.clone(), there.clone()]), ["app@1", "app@2"]);
        // The role could not ask once: that is no other database.
        assert_eq!(names(&[here.clone(), somewhere.clone()]), ["app@1"]);
        assert_eq!(names(&[somewhere]), ["app"]);
        // A target is the same one when it moved to another server.
        let moved = [
            known(Some("shop"), "app", Some("1")),
            known(Some("shop"), "app", Some("2")),
        ];
        assert_eq!(names(&moved), ["shop"]);
        assert_eq!(names(&[moved[0].clone(), here.clone()]), ["app@1", "shop"]);
        let unreadable = (here.0.clone(), None);
        assert_eq!(names(&[here, unreadable]), ["app@1"]);
    }
}
