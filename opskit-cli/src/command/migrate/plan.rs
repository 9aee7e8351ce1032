//! `opskit migrate plan`.

use super::status::word;
use super::{runner, watched};
use crate::App;
use crate::args::{MigratePlanArgs, WantedArgs};
use crate::exit::Stop;
use crate::units;
use opskit_core::migrate::{
    Effect, Finding, MigrationRunner as _, Mode, OnGap, Plan, Ran, Standing, Wanted, Work,
};
use std::fmt::Write as _;

pub(super) fn run(args: &MigratePlanArgs, app: &App) -> Result<(), Stop> {
    let (database, runner) = runner(&args.on, app)?;
    let wanted = wanted(&args.wanted);
    let plan = watched(&database, app, async |ctx| runner.plan(ctx, &wanted).await)?;
    match app.printer.is_json() {
        true => app.printer.json(&plan)?,
        false => app.printer.result(&text(&plan))?,
    }
    match plan.refused().next() {
        None => Ok(()),
        Some(_) => Err(Stop::Refuted),
    }
}

pub(super) fn wanted(args: &WantedArgs) -> Wanted {
    let gap = |accepted| match accepted {
        true => OnGap::Accept,
        false => OnGap::Refuse,
    };
    let mut wanted = Wanted::default();
    wanted.to = args.to.clone();
    wanted.out_of_order = gap(args.allow_out_of_order);
    wanted.file_gone = gap(args.allow_missing);
    wanted
}

fn text(plan: &Plan) -> String {
    let mut out = String::new();
    for migration in &plan.migrations {
        let mode = match migration.mode {
            Mode::Transaction => "one transaction",
            _ => "statement by statement",
        };
        let standing = match migration.standing {
            Standing::Pending => String::new(),
            standing => format!(", {}", word(standing)),
        };
        let _ = writeln!(
            out,
            "{} {} ({mode}{standing})",
            migration.id, migration.name
        );
        for statement in &migration.statements {
            let done = match statement.done {
                Ran::Before => " (done)",
                Ran::Now => "",
            };
            let _ = writeln!(out, "  {:>4}  {}{done}", statement.line, statement.text);
            for effect in &statement.effects {
                let _ = writeln!(out, "        {}", effect_text(effect));
            }
            let about = migration
                .findings
                .iter()
                .filter(|found| found.line == statement.line);
            for found in about {
                let _ = writeln!(out, "        {}", finding(found));
            }
        }
        for lint in &migration.lints {
            let (line, rule, says) = (lint.line, &lint.rule, &lint.says);
            let hint = lint.hint.as_deref().unwrap_or_default();
            let _ = writeln!(out, "  {line:>4}  squawk {rule}: {says} {hint}");
        }
    }
    let refused = plan.refused().count() as u64;
    let _ = match (plan.migrations.len() as u64, refused) {
        (0, _) => writeln!(out, "nothing to do"),
        (count, 0) => writeln!(
            out,
            "{} would run on {}",
            units::counted(count, "migration"),
            plan.database
        ),
        (count, refused) => writeln!(
            out,
            "{} would run on {}; a production target refuses {}",
            units::counted(count, "migration"),
            plan.database,
            units::counted(refused, "finding")
        ),
    };
    out
}

/// A finding on one line.
pub(super) fn finding(found: &Finding) -> String {
    let object = match found.object.as_str() {
        "" => String::new(),
        object => format!(" {object}"),
    };
    match &found.allowed {
        Some(reason) => format!(
            "{}:{object} {} (allowed: {reason})",
            found.rule.id, found.rule.says
        ),
        None => format!(
            "{}:{object} {}. {}",
            found.rule.id, found.rule.says, found.rule.hint
        ),
    }
}

/// An effect on one line.
fn effect_text(effect: &Effect) -> String {
    let size = effect
        .bytes
        .map_or_else(String::new, |bytes| format!(" ({})", units::size(bytes)));
    let work = match effect.work {
        Work::Scans => ", reads all of it",
        Work::Builds => ", builds an index over it",
        Work::Rewrites => ", writes it anew",
        _ => "",
    };
    format!("{} on {}{size}{work}", effect.lock, effect.relation)
}
