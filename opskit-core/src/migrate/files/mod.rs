//! Migrations as files: in a folder, or within the program.

mod digest;
mod folder;
mod name;
mod version;

pub use digest::Digests;
pub(crate) use digest::sqlx_checksum;
pub use folder::{FOLDERS, find_folder};
pub(crate) use folder::{read as read_file, sql_files_of};
pub use version::{MigrationId, Version};

use super::script::Script;
use crate::error::{Error, ErrorKind, Result};
use name::{FileName, Role};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

/// One migration: its text, taken apart, and what identifies it.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct Migration {
    /// Its version or name.
    pub id: MigrationId,
    /// What the name of the file says behind the version.
    pub name: String,
    /// The file, as it is named in errors and reports.
    pub file: String,
    /// Its statements.
    pub script: Script,
    /// Digests of the file.
    pub digests: Digests,
    /// What takes it back, where there is a file for it.
    pub down: Option<DownScript>,
}

/// The file that takes a migration back.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct DownScript {
    /// The file, as it is named in errors.
    pub file: String,
    /// Its statements.
    pub script: Script,
}

/// The migrations of a project, in the order in which they run.
///
/// ```
/// use opskit_core::migrate::Migrations;
/// // In a program, the text would come from `include_str!`.
/// let migrations = Migrations::embedded([
///     ("2_index.sql", "create index concurrently on orders (customer)"),
///     ("1_orders.sql", "create table orders (id bigint primary key, customer text)"),
/// ])?;
/// let names: Vec<_> = migrations.iter().map(|migration| migration.name.as_str()).collect();
/// assert_eq!(names, ["orders", "index"]);
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Migrations {
    all: Vec<Migration>,
    folder: Option<PathBuf>,
    ignored: Vec<String>,
}

impl Migrations {
    /// Migrations within the program: names of files, and their text.
    ///
    /// # Errors
    /// Of kind `InvalidInput` for a name that is of no migration, for two of one version, for a file that takes back
    /// what there is not, and for text that cannot be taken apart, with file, line and column.
    pub fn embedded<N: AsRef<str>, T: AsRef<str>>(
        files: impl IntoIterator<Item = (N, T)>,
    ) -> Result<Self> {
        let mut set = Collected::default();
        for (name, text) in files {
            let name = name.as_ref();
            if !set.take(name, name, text.as_ref())? {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!("\"{name}\" is no name of a migration"),
                )
                .with_hint(NAMES));
            }
        }
        set.finish()
    }

    /// The migrations of a folder. Files in it that are no migrations are named in [`Migrations::ignored`]; folders in
    /// it are not looked at.
    ///
    /// # Errors
    /// Those of [`Migrations::embedded`]; of kind `NotFound` where there is no folder, `PermissionDenied` or `Storage`
    /// where it cannot be read, `InvalidInput` for a file that is no UTF-8.
    pub fn in_folder(folder: &Path) -> Result<Self> {
        let mut set = Collected::default();
        for (name, path) in folder::sql_files(folder)? {
            let text = folder::read(&path)?;
            if !set.take(&name, &path.display().to_string(), &text)? {
                set.ignored.push(name);
            }
        }
        let mut migrations = set.finish()?;
        migrations.folder = Some(folder.to_owned());
        Ok(migrations)
    }

    /// The migrations, those with a version first.
    pub fn iter(&self) -> impl Iterator<Item = &Migration> {
        self.all.iter()
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.all.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The migration with this id.
    #[must_use]
    pub fn get(&self, id: &MigrationId) -> Option<&Migration> {
        self.all.iter().find(|migration| migration.id == *id)
    }

    /// Files with `.sql` at the end of their name that are no migrations by what it says.
    #[must_use]
    pub fn ignored(&self) -> &[String] {
        &self.ignored
    }

    /// Those of these ids.
    pub(crate) fn only(&self, ids: &[MigrationId]) -> Self {
        let wanted = self
            .all
            .iter()
            .filter(|migration| ids.contains(&migration.id));
        Self {
            all: wanted.cloned().collect(),
            ..Self::default()
        }
    }

    /// Where they were read from.
    #[must_use]
    pub fn folder(&self) -> Option<&Path> {
        self.folder.as_deref()
    }
}

/// How files are named.
const NAMES: &str = "Files are named VERSION_name.sql, with a number as version; also VERSION_name.up.sql and .down.sql, \
                     V1__name.sql, and R__name.sql for one that runs again when it was changed.";

/// Files by id, on the way to [`Migrations`].
#[derive(Default)]
struct Collected {
    up: BTreeMap<MigrationId, Migration>,
    down: BTreeMap<MigrationId, DownScript>,
    ignored: Vec<String>,
}

impl Collected {
    /// Takes a file; `false` when its name is of no migration.
    fn take(&mut self, name: &str, file: &str, text: &str) -> Result<bool> {
        let Some(parsed) = FileName::parse(name)? else {
            return Ok(false);
        };
        let script = Script::parse(text)
            .map_err(|error| error.while_doing(format!("cannot take \"{file}\" apart")))?;
        let file = file.to_owned();
        let before = match parsed.role {
            Role::Down => {
                let down = DownScript { file, script };
                let before = self.down.insert(parsed.id.clone(), down);
                before.map(|before| before.file)
            }
            Role::Up => {
                let migration = Migration {
                    id: parsed.id.clone(),
                    name: parsed.name,
                    file,
                    script,
                    digests: Digests::of(text),
                    down: None,
                };
                let before = self.up.insert(parsed.id.clone(), migration);
                before.map(|before| before.file)
            }
        };
        match before {
            None => Ok(true),
            Some(before) => Err(Error::new(
                ErrorKind::InvalidInput,
                format!(
                    "\"{before}\" and \"{name}\" are of one version, {}",
                    parsed.id
                ),
            )
            .with_hint("Give the one that did not run anywhere yet a later version.")),
        }
    }

    fn finish(mut self) -> Result<Migrations> {
        for (id, down) in self.down {
            let Some(migration) = self.up.get_mut(&id) else {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    format!("\"{}\" takes back a migration that there is not", down.file),
                ));
            };
            migration.down = Some(down);
        }
        Ok(Migrations {
            all: self.up.into_values().collect(),
            folder: None,
            ignored: self.ignored,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_run_as_numbers_and_repeatable_ones_last() {
        let files = ["R__a.sql", "10_ten.sql", "9_nine.up.sql", "9_nine.down.sql"];
        let set = Migrations::embedded(files.map(|name| (name, "select 1"))).unwrap();
        let ids: Vec<String> = set
            .iter()
            .map(|migration| migration.id.to_string())
            .collect();
        assert_eq!(ids, ["9", "10", "R__a"]);
        assert!(
            set.get(&MigrationId::Versioned(9.into()))
                .unwrap()
                .down
                .is_some()
        );
    }

    #[test]
    fn what_is_ambiguous_is_refused_by_name() {
        let refused = |files: &[&str]| {
            let files = files.iter().map(|name| (*name, "select 1"));
            Migrations::embedded(files).unwrap_err().to_string()
        };
        assert_eq!(
            refused(&["1_a.sql", "01_b.sql"]),
            "\"1_a.sql\" and \"01_b.sql\" are of one version, 01"
        );
        assert!(refused(&["1_a.down.sql"]).contains("takes back"));
        assert!(refused(&["seed.sql"]).contains("no name of a migration"));
    }

    #[test]
    fn a_text_that_cannot_be_taken_apart_names_its_file() {
        let error = Migrations::embedded([("1_a.sql", "select 'x")]).unwrap_err();
        assert_eq!(error.to_string(), "cannot take \"1_a.sql\" apart");
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
