//! Which files are meant.

use crate::App;
use crate::args::{FilesArgs, RunLimitArgs};
use crate::project::Project;
use opskit_core::config::MigrateSettings;
use opskit_core::migrate::{Migrations, RunLimits, Suite, find_folder};
use opskit_core::{Error, ErrorKind};
use std::path::{Path, PathBuf};

/// Where the Supabase CLI keeps tests.
const TESTS: &str = "supabase/tests";

/// The folder that was named: by `--dir`, else in `opskit.toml`; else the usual one there is.
pub(super) fn folder(args: &FilesArgs, app: &App) -> Result<PathBuf, Error> {
    let project = Project::find(app)?;
    let of_file = project.as_ref().and_then(|project| {
        let folder = project.config.migrate.folder.as_deref()?;
        Some(project.path(folder))
    });
    match args.dir.clone().or(of_file) {
        Some(folder) => Ok(folder),
        None => find_folder(Path::new("."))
            .map(|path| path.strip_prefix(".").map(Path::to_owned).unwrap_or(path)),
    }
}

pub(super) fn migrations(args: &FilesArgs, app: &App) -> Result<Migrations, Error> {
    Migrations::in_folder(&folder(args, app)?)
}

/// The tests that were named: as arguments, else in `opskit.toml`; else those of Supabase, where they are.
pub(super) fn tests(paths: &[PathBuf], app: &App) -> Result<Vec<Suite>, Error> {
    if !paths.is_empty() {
        return Suite::in_paths(paths);
    }
    if let Some(project) = Project::find(app)?
        && !project.config.migrate.tests.is_empty()
    {
        return Suite::in_paths(
            project
                .config
                .migrate
                .tests
                .iter()
                .map(|path| project.path(path)),
        );
    }
    match Path::new(TESTS).is_dir() {
        true => Suite::in_paths([TESTS]),
        false => Ok(Vec::new()),
    }
}

pub(super) fn no_tests() -> Error {
    Error::new(ErrorKind::NotFound, "there are no tests")
        .with_hint("Name files or folders, here or as tests in [migrate] of opskit.toml.")
}

/// The limits that were typed, else those of `opskit.toml`, else the usual ones.
pub(super) fn limits(args: &RunLimitArgs, app: &App) -> Result<RunLimits, Error> {
    let project = Project::find(app)?;
    let file = project.map_or_else(MigrateSettings::default, |project| project.config.migrate);
    let mut limits = RunLimits::default();
    limits.lock_timeout = args
        .lock_timeout
        .or(file.lock_timeout)
        .unwrap_or(limits.lock_timeout);
    limits.lock_deadline = args
        .lock_deadline
        .or(file.lock_deadline)
        .unwrap_or(limits.lock_deadline);
    limits.statement_timeout = args.statement_timeout.or(file.statement_timeout);
    limits.lock_wait = args.wait.unwrap_or(limits.lock_wait);
    Ok(limits)
}
