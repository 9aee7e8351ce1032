//! `opskit drill`.

use super::restore;
use crate::App;
use crate::args::DrillArgs;
use crate::database::Database;
use crate::exit::Stop;
use crate::progress::Progress;
use crate::summary::of;
use crate::{runtime, units};
use opskit_core::backup::drill::{DrillReport, DrillRequest, Outcome, drill};
use opskit_core::backup::restore::Trust;
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::{Error, ErrorKind};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn run(args: &DrillArgs, app: &App) -> Result<(), Stop> {
    let database = args
        .to
        .as_deref()
        .map(|to| Database::find(Some(to), app))
        .transpose()?;
    if let Some(database) = &database {
        database.confirm(args.confirm.as_deref())?;
    }
    let place = args
        .repository
        .place_of_backups(&args.of, database.as_ref(), app)?;
    let repository = place.open()?;
    let id = repository.find_of(&args.id, &args.of.among().with_rows())?;
    let mut request = DrillRequest::default();
    request.to = database.map(|database| database.url);
    request.bin_dir = args.pg_bin.clone();
    request.jobs = usize::from(args.jobs);
    if args.trust_backup {
        request.trust = Trust::Backup;
    }
    for path in &args.check {
        let sql = std::fs::read_to_string(path).map_err(|source| {
            Error::new(
                ErrorKind::NotFound,
                format!("cannot read \"{}\"", path.display()),
            )
            .with_source(source)
        })?;
        request.checks.push(sql);
    }
    let printer = &app.printer;
    let report = runtime::block_on(printer, async |cancel| {
        let progress = Arc::new(Progress::new(printer));
        let watched = Arc::clone(&progress);
        let ctx = OpContext::new(cancel).with_observer(move |event: &Event| watched.observe(event));
        let result = Box::pin(drill(&ctx, &repository, &id, request)).await;
        progress.clear();
        Ok(result?)
    })?;
    match (printer.is_json(), report.outcome) {
        (true, _) => printer.json(&report)?,
        (false, Outcome::Passed) => printer.good_news(&text(&report))?,
        (false, _) => printer.result(&text(&report))?,
    }
    match report.outcome {
        Outcome::Passed => Ok(()),
        _ => Err(Stop::Refuted),
    }
}

/// The report for people.
pub(crate) fn text(report: &DrillReport) -> String {
    let mut out = restore::text(&report.restore);
    for check in &report.checks {
        let said = match check.ok {
            Some(true) => "ok",
            Some(false) => "not ok",
            None => "unknown",
        };
        let _ = writeln!(out, "{said}: {}: {}", check.name, check.detail);
    }
    for item in &report.unproven {
        let _ = writeln!(out, "not proven: {item}");
    }
    let outcome = match report.outcome {
        Outcome::Passed => "passed",
        Outcome::Partial => "partial",
        _ => "failed",
    };
    let _ = writeln!(
        out,
        "drill {outcome}: recovery took {}: {}",
        units::elapsed(Duration::from_millis(report.recovery_ms)),
        of(&report.backup, &report.source),
    );
    out
}
