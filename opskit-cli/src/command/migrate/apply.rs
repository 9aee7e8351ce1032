//! `opskit migrate apply`.

use super::plan::{finding, wanted};
use super::{files, runner, verify, watched};
use crate::App;
use crate::args::{MigrateApplyArgs, MigrateOn};
use crate::command::backup::{git, hooks_of};
use crate::database::Database;
use crate::exit::{Stop, usage_error};
use crate::project::Project;
use crate::units;
use opskit_core::backup::BackupRequest;
use opskit_core::config::{HookSetting, TargetClass};
use opskit_core::context::OpContext;
use opskit_core::migrate::{
    After, ApplyReport, BackupFirst, Gates, MigrationRunner as _, OnGap, OnHarm, Outcome, Plan,
    PlannedMigration, Rehearsed, Safety, Standing, Waiver, WayBack, Writers,
};
use opskit_core::{Error, ErrorKind};
use std::fmt::Write as _;
use std::time::Duration;

pub(super) fn run(args: &MigrateApplyArgs, app: &App) -> Result<(), Stop> {
    let (database, runner) = runner(&args.on, app)?;
    database.confirm(args.confirm.as_deref())?;
    let runner = runner
        .with_limits(files::limits(&args.limits, app)?)
        .with_safety(safety(args, &database, app)?);
    let wanted = wanted(&args.wanted);
    let report = watched(&database, app, async |ctx| {
        let plan = runner.plan(ctx, &wanted).await?;
        gate(&plan, &database, app)?;
        rehearsed(&plan, args, &database)?;
        staged(ctx, &plan, args, &database, app).await?;
        runner.apply(ctx, &plan).await
    })?;
    match (app.printer.is_json(), report.is_done()) {
        (true, _) => app.printer.json(&report)?,
        (false, true) => app.printer.good_news(&text(&report))?,
        (false, false) => app.printer.result(&text(&report))?,
    }
    match &report.failure {
        None if report.is_done() => Ok(()),
        None => Err(Stop::Refuted),
        // The document says it all; people get it as every error.
        Some(failure) if app.printer.is_json() => Err(Stop::Told(failure.kind)),
        Some(failure) => Err(failure.to_error().into()),
    }
}

/// What the gate found stops a run on a production target, and is told on any other.
fn gate(plan: &Plan, database: &Database, app: &App) -> Result<(), Error> {
    let is_production = class(database) == Some(TargetClass::Production);
    let mut refused = plan.refused();
    if is_production && let Some(first) = refused.next() {
        let more = match refused.count() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        let message = format!(
            "{}:{} is refused on a production target{more}",
            first.file, first.line
        );
        return Err(Error::new(ErrorKind::CheckFailed, message).with_source(finding(first)).with_hint(format!(
            "`opskit migrate plan` shows all. If it is meant, write above the statement: -- opskit: allow {} \"why\"",
            first.rule.id
        )));
    }
    for found in refused {
        app.printer
            .warning(&format!("{}:{} {}", found.file, found.line, finding(found)));
    }
    Ok(())
}

/// On a production target, each migration must have run on the staging target of `opskit.toml`.
async fn staged(
    ctx: &OpContext,
    plan: &Plan,
    args: &MigrateApplyArgs,
    database: &Database,
    app: &App,
) -> Result<(), Error> {
    let project = Project::find(app)?;
    let staging = project.and_then(|project| project.config.migrate.staging);
    let Some(name) = staging.filter(|_| class(database) == Some(TargetClass::Production)) else {
        return Ok(());
    };
    let on = MigrateOn {
        db: Some(name.clone()),
        files: args.on.files.clone(),
    };
    let (_, staging) = runner(&on, app)?;
    let status = staging
        .status(ctx)
        .await
        .map_err(|error| error.while_doing(format!("cannot look at target \"{name}\"")))?;
    let ran = |planned: &PlannedMigration| {
        let there = status.migrations.iter().find(|one| one.id == planned.id);
        there.is_some_and(|one| one.standing == Standing::Applied)
    };
    match plan.migrations.iter().find(|planned| !ran(planned)) {
        None => Ok(()),
        Some(first) => Err(Error::new(
            ErrorKind::CheckFailed,
            format!(
                "\"{}\" did not run on target \"{name}\", as it is now",
                first.file
            ),
        )
        .with_hint(format!(
            "Run it there first: opskit migrate apply --db {name}"
        ))),
    }
}

/// Holds the plan against the rehearsal that was named.
fn rehearsed(plan: &Plan, args: &MigrateApplyArgs, database: &Database) -> Result<(), Error> {
    let Some(path) = &args.rehearsed else {
        return Ok(());
    };
    let doing = || format!("cannot use the rehearsal \"{}\"", path.display());
    let bytes = std::fs::read(path)
        .map_err(|source| Error::new(ErrorKind::NotFound, doing()).with_source(source))?;
    let rehearsed = Rehearsed::from_json(&bytes).map_err(|error| error.while_doing(doing()))?;
    let mut gates = Gates::default();
    gates.max_access_exclusive_ms = args
        .max_access_exclusive
        .map(|time| u64::try_from(time.as_millis()).unwrap_or(u64::MAX));
    if class(database) == Some(TargetClass::Production) {
        gates.harms = OnHarm::Refuse;
    }
    for text in &args.accept_harm {
        let Some((object, reason)) = text
            .split_once('=')
            .filter(|(_, reason)| !reason.trim().is_empty())
        else {
            return Err(usage_error(
                format!("\"{text}\" gives no reason"),
                "Write it as OBJECT=reason.",
            ));
        };
        gates
            .waivers
            .push(Waiver::new(object, reason, &rehearsed.backup));
    }
    rehearsed.check(plan, &gates)
}

fn class(database: &Database) -> Option<TargetClass> {
    database.target.as_ref().map(|(_, target)| target.class)
}

fn safety(args: &MigrateApplyArgs, database: &Database, app: &App) -> Result<Safety, Error> {
    let mut safety = Safety::default();
    safety.suites = files::tests(&args.tests, app)?;
    let config = Project::find(app)?.map(|project| project.config);
    let config = config.unwrap_or_default();
    safety.disk = config.health.disk;
    let settings = config.migrate;
    let hook = |setting: &HookSetting| setting.resolve(|name| app.env.var(name));
    safety.before = settings.before.as_ref().map(hook);
    safety.after = settings.after.as_ref().map(hook);
    if args.accept_drift {
        safety.drift = OnGap::Accept;
    }
    if args.swap_database {
        safety.way_back = WayBack::Swap;
    }
    if args.writers_stopped {
        safety.writers = Writers::Stopped;
    }
    if args.no_backup {
        if class(database) != Some(TargetClass::Scratch) {
            return Err(usage_error(
                "--no-backup is for databases that may be thrown away",
                "Name the database as a target of class \"scratch\" in opskit.toml; or leave --no-backup out.",
            ));
        }
        return Ok(safety);
    }
    let target = database.target.as_ref();
    let mut place = args
        .repository
        .place(target.map(|(_, target)| target), app)?;
    place.seal_for(&args.recipient)?;
    let mut request = BackupRequest::new().with_hooks(hooks_of(app)?);
    request.git = git();
    request.target = target.map(|(name, _)| name.clone());
    if let Some((_, target)) = target {
        request.scope = super::scope(database);
        request.accept_losses = target.accept_loss.clone();
    }
    let mut first = BackupFirst::new(place.open_or_make()?, request);
    if args.backup_after {
        first.after = After::Backup;
    }
    safety.backup = Some(first);
    Ok(safety)
}

fn text(report: &ApplyReport) -> String {
    let mut out = String::new();
    if let Some(taken) = &report.backup {
        let elapsed = units::elapsed(Duration::from_millis(taken.elapsed_ms));
        let _ = writeln!(
            out,
            "backup {} in {}, taken and read back in {elapsed}",
            taken.id, taken.repository
        );
    }
    for done in &report.applied {
        let elapsed = units::elapsed(Duration::from_millis(done.elapsed_ms));
        let _ = writeln!(
            out,
            "{} {}: {} in {elapsed}",
            done.id,
            done.name,
            units::counted(done.statements.len() as u64, "statement")
        );
    }
    if !report.tests.is_empty() {
        out.push_str(&verify::text(&report.tests));
    }
    for change in &report.changed_tests {
        let word = |outcome: Option<_>| {
            outcome.map_or_else(
                || "absent".to_owned(),
                |outcome| format!("{outcome:?}").to_lowercase(),
            )
        };
        let _ = writeln!(
            out,
            "{}: {} before, {} now",
            change.test,
            word(change.before),
            word(change.after)
        );
    }
    if let Some(taken) = &report.backup_after {
        let _ = writeln!(out, "backup {} afterwards", taken.id);
    }
    let elapsed = units::elapsed(Duration::from_millis(report.elapsed_ms));
    outcome(&mut out, report, &elapsed);
    out
}

fn outcome(out: &mut String, report: &ApplyReport, elapsed: &str) {
    let _ = match &report.outcome {
        Outcome::NothingToDo => writeln!(out, "nothing to do"),
        Outcome::Applied => {
            let count = units::counted(report.applied.len() as u64, "migration");
            writeln!(out, "{count} applied to {} in {elapsed}", report.database)
        }
        Outcome::DownScript => writeln!(
            out,
            "tests failed: taken back by scripts; the schema is what it was before"
        ),
        Outcome::InPlaceRestore => {
            writeln!(
                out,
                "tests failed: the backup was restored; schema and rows are what they were before"
            )
        }
        Outcome::SwapDatabase { kept } => {
            writeln!(
                out,
                "tests failed: the backup was restored and took the name; what was migrated is in \"{kept}\""
            )
        }
        Outcome::NeedsDecision {
            why,
            changed,
            choices,
        } => {
            let _ = writeln!(
                out,
                "tests failed, and what was migrated is still there: {why}"
            );
            for table in changed {
                let _ = writeln!(out, "rows changed since the backup: {table}");
            }
            for choice in choices {
                let minutes = choice.minutes.map_or_else(String::new, |minutes| {
                    format!(" (about {minutes} min, by the last drill)")
                });
                let _ = writeln!(out, "- {}{minutes}\n    {}", choice.means, choice.command);
            }
            Ok(())
        }
        // The failure is told as an error.
        _ => Ok(()),
    };
}
