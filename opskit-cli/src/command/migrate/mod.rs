//! `opskit migrate`.

mod apply;
mod files;
mod new;
mod plan;
mod rehearse;
mod small;
mod status;
mod verify;

use crate::App;
use crate::args::{MigrateAction, MigrateOn};
use crate::database::Database;
use crate::exit::Stop;
use crate::progress::Progress;
use crate::runtime;
use opskit_core::Error;
use opskit_core::catalog::Scope;
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::migrate::PgMigrationRunner;
use std::sync::Arc;

pub(crate) fn run(what: &MigrateAction, app: &App) -> Result<(), Stop> {
    match what {
        MigrateAction::New(args) => new::run(args, app),
        MigrateAction::Status(args) => status::run(args, app),
        MigrateAction::Plan(args) => plan::run(args, app),
        MigrateAction::Rehearse(args) => rehearse::run(args, app),
        MigrateAction::Apply(args) => apply::run(args, app),
        MigrateAction::Verify(args) => verify::run(args, app),
        MigrateAction::Drift(args) => small::drift(args, app),
        MigrateAction::Baseline(args) => small::baseline(args, app),
        MigrateAction::Repair(args) => small::repair(args, app),
    }
}

/// The database and the runner of a command.
fn runner(on: &MigrateOn, app: &App) -> Result<(Database, PgMigrationRunner), Error> {
    let database = Database::find(on.db.as_deref(), app)?;
    let migrations = files::migrations(&on.files, app)?;
    for name in migrations.ignored() {
        app.printer.warning(&format!(
            "\"{name}\" is no migration by its name, and is passed over"
        ));
    }
    let runner =
        PgMigrationRunner::new(database.url.clone(), migrations).with_scope(scope(&database));
    Ok((database, runner))
}

fn scope(database: &Database) -> Scope {
    let target = database.target.as_ref().map(|(_, target)| target);
    let ignored = target.map_or(&[][..], |target| &target.ignore_schemas);
    Scope::default().ignoring(ignored)
}

/// Runs `work`, shows its events, and adds the likely reason to an error of connecting.
fn watched<T>(
    database: &Database,
    app: &App,
    work: impl AsyncFnOnce(&OpContext) -> Result<T, Error>,
) -> Result<T, Stop> {
    runtime::block_on(&app.printer, async |cancel| {
        let progress = Arc::new(Progress::new(&app.printer));
        let seen = Arc::clone(&progress);
        let ctx = OpContext::new(cancel).with_observer(move |event: &Event| seen.observe(event));
        let result = Box::pin(work(&ctx)).await;
        progress.clear();
        Ok(result.map_err(|error| database.explain(error))?)
    })
}
