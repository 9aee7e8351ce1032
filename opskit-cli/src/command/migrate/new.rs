//! `opskit migrate new`.

use super::files;
use crate::App;
use crate::args::MigrateNewArgs;
use crate::exit::{Stop, usage_error};
use opskit_core::migrate::FOLDERS;
use opskit_core::{Error, ErrorKind};
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use time::OffsetDateTime;
use time::macros::format_description;

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct NewDocument {
    schema: &'static str,
    files: Vec<String>,
}

pub(super) fn run(args: &MigrateNewArgs, app: &App) -> Result<(), Stop> {
    let folder = match files::folder(&args.files, app) {
        Err(error) if error.kind() == ErrorKind::NotFound => PathBuf::from(FOLDERS[0]),
        found => found?,
    };
    let name = slug(&args.name)?;
    let version = version(&folder)?;
    let ends: &[&str] = match args.down {
        true => &["up.sql", "down.sql"],
        false => &["sql"],
    };
    fs::create_dir_all(&folder).map_err(|source| cannot("make the folder", &folder, source))?;
    let mut made = Vec::new();
    for end in ends {
        let path = folder.join(format!("{version}_{name}.{end}"));
        let file = OpenOptions::new().write(true).create_new(true).open(&path);
        file.and_then(|mut file| file.write_all(b""))
            .map_err(|source| cannot("make", &path, source))?;
        made.push(path.display().to_string());
    }
    if app.printer.is_json() {
        return app.printer.json(&NewDocument {
            schema: "opskit.migrate-new/1",
            files: made,
        });
    }
    app.printer.result(&format!("{}\n", made.join("\n")))
}

fn cannot(doing: &str, path: &Path, source: std::io::Error) -> Error {
    let kind = match source.kind() {
        std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
        _ => ErrorKind::Storage,
    };
    Error::new(kind, format!("cannot {doing} \"{}\"", path.display())).with_source(source)
}

/// The words of a name as a file may have them.
fn slug(name: &str) -> Result<String, Error> {
    let lower = name.to_lowercase();
    let words: Vec<&str> = lower
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty())
        .collect();
    match words.is_empty() {
        true => Err(usage_error(
            "the name has no letters",
            "Say in a few words what the migration does: \"add orders\".",
        )),
        false => Ok(words.join("_")),
    }
}

/// The time to the second; a later one where that version is taken.
fn version(folder: &Path) -> Result<i64, Error> {
    let now = OffsetDateTime::now_utc();
    let format = format_description!("[year][month][day][hour][minute][second]");
    let text = now.format(&format).unwrap_or_default();
    let now: i64 = text.parse().unwrap_or_default();
    let taken = match folder.is_dir() {
        true => opskit_core::migrate::Migrations::in_folder(folder)?,
        false => opskit_core::migrate::Migrations::default(),
    };
    let versions = taken
        .iter()
        .filter_map(|one| one.id.version().map(opskit_core::migrate::Version::number));
    let latest = versions.max().unwrap_or_default();
    Ok(if now > latest { now } else { latest + 1 })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_becomes_words() {
        assert_eq!(slug("Add  orders!").unwrap(), "add_orders");
        assert_eq!(slug("größe/2").unwrap(), "größe_2");
        assert!(slug("--").is_err());
    }
}
