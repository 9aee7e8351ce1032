//! `opskit show`.

use crate::App;
use crate::args::ShowArgs;
use crate::exit::Stop;
use crate::summary::{aligned, excluded, type_word};
use crate::units;
use opskit_core::repository::{Contents, Manifest, TableEntry};
use serde::Serialize;
use std::fmt::Write as _;

/// The document of `--json`: both halves of the manifest.
#[derive(Debug, Serialize)]
struct ShowDocument<'a> {
    schema: &'static str,
    manifest: &'a Manifest,
    contents: &'a Contents,
    /// The public keys of those who signed it.
    signers: Vec<String>,
}

pub(crate) fn run(args: &ShowArgs, app: &App) -> Result<(), Stop> {
    let repository = args
        .repository
        .place_of_backups(&args.of, None, app)?
        .open()?;
    let reader = repository.read(&repository.find_of(&args.id, &args.of.among())?)?;
    let contents = reader.contents()?;
    let signers: Vec<String> = reader.signers()?.iter().map(ToString::to_string).collect();
    if app.printer.is_json() {
        return app.printer.json(&ShowDocument {
            schema: "opskit.show/1",
            manifest: reader.manifest(),
            contents: &contents,
            signers,
        });
    }
    app.printer
        .result(&text(reader.manifest(), &contents, &signers))
}

fn text(manifest: &Manifest, contents: &Contents, signers: &[String]) -> String {
    let mut out = tables(contents);
    excluded(&mut out, &contents.excluded);
    for loss in &contents.accepted_losses {
        let _ = writeln!(out, "not in it, as accepted: {loss}");
    }
    let source = &contents.source;
    let mut line = |name: &str, value: &str| {
        let _ = writeln!(out, "{name:<10} {value}");
    };
    line("backup", manifest.id.as_str());
    line("type", type_word(manifest.backup_type));
    if let Some(target) = &source.target {
        line("target", target);
    }
    line("database", &source.database);
    line("server", &source.server_version.to_string());
    line("snapshot", &manifest.snapshot_at);
    for (name, value) in [
        ("cluster", source.system_identifier.as_deref()),
        ("wal", source.lsn.as_deref()),
        (
            "marker",
            contents.marker.as_ref().map(|marker| marker.lsn.as_str()),
        ),
        (
            "migration",
            contents
                .migration
                .as_ref()
                .map(|state| state.version.as_str()),
        ),
        (
            "commit",
            contents.git.as_ref().map(|git| git.commit.as_str()),
        ),
        ("facts", contents.facts_digest.as_deref()),
    ] {
        if let Some(value) = value {
            line(name, value);
        }
    }
    for signer in signers {
        line("signed by", signer);
    }
    for (key, value) in &contents.tags {
        line("tag", &format!("{key}={value}"));
    }
    let _ = writeln!(
        out,
        "{}, {}, {}, {}",
        units::counted(contents.rows(), "row"),
        units::counted(contents.sequences.len() as u64, "sequence"),
        units::counted(manifest.all_objects().count() as u64, "object"),
        units::size(manifest.stored_bytes()),
    );
    out
}

/// A line per table.
fn tables(contents: &Contents) -> String {
    let row = |table: &TableEntry| {
        vec![
            table.name.to_string(),
            units::counted(table.rows, "row"),
            units::counted(table.parts.len() as u64, "part"),
            table.fingerprint.to_string(),
        ]
    };
    let rows: Vec<Vec<String>> = contents.tables.iter().map(row).collect();
    aligned(&rows)
}
