//! `opskit migrate drift`, `baseline` and `repair`.

use super::{runner, watched};
use crate::App;
use crate::args::{MigrateBaselineArgs, MigrateDriftArgs, MigrateRepairArgs};
use crate::exit::Stop;
use crate::units;
use serde::Serialize;

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct ChangedDocument {
    schema: &'static str,
    versions: Vec<String>,
}

pub(super) fn drift(args: &MigrateDriftArgs, app: &App) -> Result<(), Stop> {
    let (database, runner) = runner(&args.on, app)?;
    if args.accept {
        watched(&database, app, async |ctx| runner.accept_drift(ctx).await)?;
        let document = ChangedDocument {
            schema: "opskit.migrate-accept/1",
            versions: Vec::new(),
        };
        return match app.printer.is_json() {
            true => app.printer.json(&document),
            false => app
                .printer
                .good_news("what is there now is what later runs compare with\n"),
        };
    }
    let report = watched(&database, app, async |ctx| match args.replay {
        true => runner.replayed_drift(ctx, args.pg_bin.as_deref()).await,
        false => runner.drift(ctx).await,
    })?;
    if app.printer.is_json() {
        app.printer.json(&report)?;
    } else if report.is_drift() {
        app.printer.result(&format!(
            "{}changed since migration {} on {}\n",
            report.diff, report.after, report.taken_at
        ))?;
    } else {
        app.printer.good_news(&format!(
            "nothing changed since migration {} on {}\n",
            report.after, report.taken_at
        ))?;
    }
    match report.is_drift() {
        false => Ok(()),
        true => Err(Stop::Refuted),
    }
}

pub(super) fn baseline(args: &MigrateBaselineArgs, app: &App) -> Result<(), Stop> {
    let (database, runner) = runner(&args.on, app)?;
    let ids = watched(&database, app, async |ctx| {
        runner.baseline(ctx, &args.version).await
    })?;
    let versions: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let count = units::counted(versions.len() as u64, "migration");
    match app.printer.is_json() {
        true => app.printer.json(&ChangedDocument {
            schema: "opskit.migrate-baseline/1",
            versions,
        }),
        false => app
            .printer
            .good_news(&format!("{count} declared done, up to {}\n", args.version)),
    }
}

pub(super) fn repair(args: &MigrateRepairArgs, app: &App) -> Result<(), Stop> {
    let (database, runner) = runner(&args.on, app)?;
    watched(&database, app, async |ctx| {
        runner.accept_change(ctx, &args.accept, &args.reason).await
    })?;
    let versions = vec![args.accept.to_string()];
    match app.printer.is_json() {
        true => app.printer.json(&ChangedDocument {
            schema: "opskit.migrate-repair/1",
            versions,
        }),
        false => app.printer.good_news(&format!(
            "the file of migration {} is accepted as it is\n",
            args.accept
        )),
    }
}
