//! `opskit migrate status`.

use super::{runner, watched};
use crate::App;
use crate::args::MigrateOn;
use crate::exit::Stop;
use crate::summary::aligned;
use opskit_core::migrate::{MigrationRunner as _, MigrationStatus, Standing, Status};
use std::fmt::Write as _;

pub(super) fn run(args: &MigrateOn, app: &App) -> Result<(), Stop> {
    let (database, runner) = runner(args, app)?;
    let status = watched(&database, app, async |ctx| runner.status(ctx).await)?;
    match (app.printer.is_json(), status.is_up_to_date()) {
        (true, _) => app.printer.json(&status)?,
        (false, true) => app.printer.good_news(&text(&status))?,
        (false, false) => app.printer.result(&text(&status))?,
    }
    match status.is_up_to_date() {
        true => Ok(()),
        false => Err(Stop::Refuted),
    }
}

fn text(status: &Status) -> String {
    let rows: Vec<Vec<String>> = status.migrations.iter().map(row).collect();
    let mut out = aligned(&rows);
    for ledger in &status.ledgers {
        let _ = writeln!(out, "kept in step: {}", ledger.table);
    }
    let pending = status
        .migrations
        .iter()
        .filter(|one| !matches!(one.standing, Standing::Applied | Standing::Baseline))
        .count();
    let _ = match (status.migrations.len(), pending) {
        (0, _) => writeln!(out, "no migrations"),
        (_, 0) => writeln!(out, "{} is up to date", status.database),
        (all, open) => writeln!(out, "{open} of {all} migrations need attention"),
    };
    out
}

fn row(one: &MigrationStatus) -> Vec<String> {
    let record = one.record.as_ref();
    let since = record.map_or_else(
        || {
            one.known_to
                .as_ref()
                .map_or_else(String::new, |table| format!("by {table}"))
        },
        |record| record.started_at.clone(),
    );
    vec![
        format!("{} {}", one.id, one.name),
        word(one.standing).to_owned(),
        since,
    ]
}

/// A standing in words.
pub(super) fn word(standing: Standing) -> &'static str {
    match standing {
        Standing::Pending => "pending",
        Standing::OutOfOrder => "pending, out of order",
        Standing::Again => "changed, runs again",
        Standing::Incomplete => "incomplete",
        Standing::Applied => "applied",
        Standing::Baseline => "baseline",
        Standing::Changed => "CHANGED since it ran",
        Standing::FileGone => "applied, file gone",
        Standing::Failed => "FAILED",
        Standing::TakenBack => "TAKEN BACK with another tool",
        _ => "unknown",
    }
}
