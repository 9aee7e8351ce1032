//! `opskit migrate verify`.

use super::{files, scope, watched};
use crate::App;
use crate::args::MigrateVerifyArgs;
use crate::database::Database;
use crate::exit::Stop;
use crate::units;
use opskit_core::migrate::{Migrations, PgMigrationRunner, Safety, SuiteReport, TestOutcome};
use serde::Serialize;
use std::fmt::Write as _;

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct VerifyDocument {
    schema: &'static str,
    database: String,
    files: Vec<SuiteReport>,
}

pub(super) fn run(args: &MigrateVerifyArgs, app: &App) -> Result<(), Stop> {
    let database = Database::find(args.db.as_deref(), app)?;
    let suites = files::tests(&args.tests, app)?;
    if suites.is_empty() {
        return Err(files::no_tests().into());
    }
    let mut safety = Safety::default();
    safety.suites = suites;
    let runner = PgMigrationRunner::new(database.url.clone(), Migrations::default())
        .with_scope(scope(&database))
        .with_safety(safety);
    let files = watched(&database, app, async |ctx| runner.verify(ctx).await)?;
    let green = files.iter().all(SuiteReport::is_green);
    let text = text(&files);
    match (app.printer.is_json(), green) {
        (true, _) => app.printer.json(&VerifyDocument {
            schema: "opskit.migrate-verify/1",
            database: database.url.dbname().to_owned(),
            files,
        })?,
        (false, true) => app.printer.good_news(&text)?,
        (false, false) => app.printer.result(&text)?,
    }
    match green {
        true => Ok(()),
        false => Err(Stop::Refuted),
    }
}

/// What failed, and how many there were.
pub(super) fn text(files: &[SuiteReport]) -> String {
    let mut out = String::new();
    let mut counts = [0_u64; 3];
    for (file, test) in files
        .iter()
        .flat_map(|file| file.tests.iter().map(move |test| (file, test)))
    {
        match test.outcome {
            TestOutcome::Passed => counts[0] += 1,
            TestOutcome::Skipped => counts[2] += 1,
            _ => {
                counts[1] += 1;
                let _ = writeln!(out, "not ok: {}: {}: {}", file.name, test.name, test.detail);
            }
        }
    }
    let [passed, failed, skipped] = counts;
    let _ = writeln!(
        out,
        "{}: {passed} passed, {failed} failed, {skipped} skipped",
        units::counted(files.len() as u64, "file")
    );
    out
}
