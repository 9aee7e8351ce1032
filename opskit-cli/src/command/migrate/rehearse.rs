//! `opskit migrate rehearse`.

use super::plan::wanted;
use super::{files, runner, scope, verify, watched};
use crate::App;
use crate::args::MigrateRehearseArgs;
use crate::exit::Stop;
use crate::units;
use opskit_core::Error;
use opskit_core::migrate::{
    Done, MigrationRunner as _, Plan, PlannedMigration, Rehearsal, RehearsalOutcome,
    RehearseRequest, Seen, Standing, rehearse,
};
use std::fmt::Write as _;
use std::time::Duration;

pub(super) fn run(args: &MigrateRehearseArgs, app: &App) -> Result<(), Stop> {
    let (database, runner) = runner(&args.on, app)?;
    let target = database.target.as_ref().map(|(_, target)| target);
    let place = args.repository.place(target, app)?;
    let repository = place.open()?;
    let id = repository.find(&args.id)?;
    let mut request = RehearseRequest::default();
    request.bin_dir = args.pg_bin.clone();
    request.suites = files::tests(&args.tests, app)?;
    request.limits = files::limits(&args.limits, app)?;
    request.scope = scope(&database);
    request.source = Some(database.url.clone());
    let wanted = wanted(&args.wanted);
    let (plan, rehearsal) = watched(&database, app, async |ctx| {
        let status = runner.status(ctx).await?;
        let ran = status
            .migrations
            .iter()
            .filter(|one| one.standing == Standing::Applied);
        request.ran = ran.map(|one| one.id.clone()).collect();
        let plan = runner.plan(ctx, &wanted).await?;
        let done = rehearse(
            ctx,
            &plan,
            runner.migrations(),
            (&repository, &id),
            &request,
        )
        .await?;
        Ok((plan, done))
    })?;
    let text = text(&rehearsal, &plan);
    if let Some(path) = &args.markdown {
        std::fs::write(path, &text).map_err(|source| {
            Error::new(
                opskit_core::ErrorKind::Storage,
                format!("cannot write \"{}\"", path.display()),
            )
            .with_source(source)
        })?;
    }
    match (app.printer.is_json(), rehearsal.outcome) {
        (true, _) => app.printer.json(&rehearsal)?,
        (false, RehearsalOutcome::Passed) => app.printer.good_news(&text)?,
        (false, _) => app.printer.result(&text)?,
    }
    match rehearsal.outcome {
        RehearsalOutcome::Passed => Ok(()),
        _ => Err(Stop::Refuted),
    }
}

/// The report, as Markdown, which people read as it is.
fn text(rehearsal: &Rehearsal, plan: &Plan) -> String {
    let mut out = String::new();
    let outcome = match rehearsal.outcome {
        RehearsalOutcome::Passed => "passed",
        RehearsalOutcome::Partial => "partial",
        _ => "FAILED",
    };
    let _ = writeln!(
        out,
        "# Rehearsal on backup {}: {outcome}\n",
        rehearsal.backup
    );
    for migration in &rehearsal.applied {
        let elapsed = units::elapsed(Duration::from_millis(migration.elapsed_ms));
        let _ = writeln!(out, "## {} {}: {elapsed}\n", migration.id, migration.name);
        let planned = plan
            .migrations
            .iter()
            .find(|planned| planned.id == migration.id);
        for done in &migration.statements {
            statement(&mut out, done, planned);
        }
        out.push('\n');
    }
    if let Some(failure) = &rehearsal.failure {
        let _ = writeln!(
            out,
            "Migration {} failed: {}\n",
            failure.id,
            failure.messages.join(": ")
        );
    }
    if !rehearsal.tests.is_empty() {
        out.push_str(&verify::text(&rehearsal.tests));
        out.push('\n');
    }
    end(&mut out, rehearsal);
    out
}

/// A statement, and what it did.
fn statement(out: &mut String, done: &Done, planned: Option<&PlannedMigration>) {
    let planned =
        planned.and_then(|planned| planned.statements.iter().find(|one| one.line == done.line));
    let what = planned.map_or_else(
        || done.tag.clone().unwrap_or_default(),
        |planned| planned.text.clone(),
    );
    let _ = writeln!(out, "- line {}: `{what}` {} ms", done.line, done.elapsed_ms);
    let Some(measured) = &done.measured else {
        return;
    };
    for lock in &measured.locks {
        let seen = match lock.seen {
            Seen::Sampled => " (sampled)",
            Seen::Held => "",
        };
        let _ = writeln!(out, "  - {} on {}{seen}", lock.mode, lock.relation);
    }
    for name in &measured.rewrites {
        let _ = writeln!(out, "  - writes {name} anew");
    }
    for rows in &measured.rows {
        let _ = writeln!(
            out,
            "  - {}: {} rows came, {} changed, {} went",
            rows.table, rows.inserted, rows.updated, rows.deleted
        );
    }
}

/// What the whole run did.
fn end(out: &mut String, rehearsal: &Rehearsal) {
    for harm in &rehearsal.harms {
        let _ = writeln!(out, "- **{}**: {}", harm.object, harm.says);
    }
    for wait in &rehearsal.waiting {
        let _ = writeln!(
            out,
            "- about {} statements would wait for {}, which is locked for {} ms",
            wait.statements, wait.relation, wait.held_ms
        );
    }
    let longest = rehearsal.max_access_exclusive_ms;
    let _ = writeln!(out, "- nobody could read a table for up to {longest} ms");
    let back = units::elapsed(Duration::from_millis(rehearsal.restore_ms));
    let _ = writeln!(
        out,
        "- the database grew by {} KiB; going back took {back}",
        rehearsal.size_change / 1024
    );
    for item in &rehearsal.unproven {
        let _ = writeln!(out, "- not as on the real server: {item}");
    }
}
