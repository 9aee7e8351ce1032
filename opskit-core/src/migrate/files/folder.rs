//! Folders of migrations.

use crate::error::{Error, ErrorKind, Result, storage};
use std::fs;
use std::path::{Path, PathBuf};

/// Where projects keep their migrations, in the order in which they are looked for.
pub const FOLDERS: [&str; 4] = [
    "migrations",
    "supabase/migrations",
    "sql/migrations",
    "db/migrations",
];

/// The folder of migrations below `root`: the one of [`FOLDERS`] that there is.
///
/// # Errors
/// Of kind `NotFound` where there is none, and `InvalidInput` where there are several, so that nobody migrates by the
/// wrong one.
pub fn find_folder(root: &Path) -> Result<PathBuf> {
    let mut found = FOLDERS
        .into_iter()
        .filter(|folder| root.join(folder).is_dir());
    match (found.next(), found.next()) {
        (Some(folder), None) => Ok(root.join(folder)),
        (Some(one), Some(other)) => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("there are migrations in \"{one}\" and in \"{other}\""),
        )
        .with_hint("Say which: --dir DIR, or folder in [migrate] of opskit.toml.")),
        _ => Err(Error::new(
            ErrorKind::NotFound,
            format!("there is no folder of migrations in \"{}\"", root.display()),
        )
        .with_hint(format!(
            "Looked for: {}. Make the first migration with `opskit migrate new NAME`, or say where they are with --dir DIR.",
            FOLDERS.join(", ")
        ))),
    }
}

/// A file by its name; of a folder, the files in it.
pub(crate) fn sql_files_of(path: &Path) -> Result<Vec<(String, PathBuf)>> {
    if path.is_dir() {
        return sql_files(path);
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    Ok(vec![(name.into_owned(), path.to_owned())])
}

/// The files with `.sql` at the end of their name, by name.
pub(super) fn sql_files(folder: &Path) -> Result<Vec<(String, PathBuf)>> {
    let cannot = |source: std::io::Error| {
        let doing = format!("cannot read the folder \"{}\"", folder.display());
        match source.kind() {
            std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory => {
                Error::new(ErrorKind::NotFound, doing).with_source(source)
            }
            _ => storage(doing, source),
        }
    };
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).map_err(cannot)? {
        let entry = entry.map_err(cannot)?;
        let path = entry.path();
        let name = entry.file_name().to_string_lossy().into_owned();
        // What editors leave is not a migration.
        if name.ends_with(".sql") && !name.starts_with('.') && path.is_file() {
            files.push((name, path));
        }
    }
    files.sort();
    Ok(files)
}

pub(crate) fn read(path: &Path) -> Result<String> {
    let doing = || format!("cannot read \"{}\"", path.display());
    let bytes = fs::read(path).map_err(|source| match source.kind() {
        std::io::ErrorKind::NotFound => {
            Error::new(ErrorKind::NotFound, doing()).with_source(source)
        }
        _ => storage(doing(), source),
    })?;
    String::from_utf8(bytes).map_err(|source| {
        let at = source.utf8_error().valid_up_to();
        Error::new(ErrorKind::InvalidInput, doing())
            .with_source(format!("it is no UTF-8: byte {at}"))
            .with_hint("Save the file in UTF-8.")
    })
}
