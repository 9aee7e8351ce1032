//! `opskit forget`.

use crate::App;
use crate::args::{ForgetArgs, RuleArgs};
use crate::exit::{Stop, usage_error};
use crate::project::Project;
use crate::repository::Place;
use crate::summary::aligned;
use crate::{runtime, units};
use opskit_core::context::OpContext;
use opskit_core::repository::retention::{
    Action, Decision, ForgetReport, Holding, Policy, RetentionPlan, RetentionRequest,
};
use opskit_core::{Error, ErrorKind};
use serde::Serialize;
use std::fmt::Write as _;

/// The document of `--json` with `--yes`: what was done, and the plan.
#[derive(Debug, Serialize)]
struct ForgetDocument<'a> {
    #[serde(flatten)]
    report: &'a ForgetReport,
    plan: &'a RetentionPlan,
}

pub(crate) fn run(args: &ForgetArgs, app: &App) -> Result<(), Stop> {
    let place = args.repository.place_of_backups(&args.of, None, app)?;
    let request = request(args, &place, app)?;
    let repository = place.open()?;
    let among = args.of.among();
    let yes = args.yes;
    let (plan, report) = runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        // Files are read and removed on a thread that may block, so that signals are seen meanwhile.
        let work = move || {
            let plan = repository.plan_retention(&ctx, &among, &request)?;
            let report = match yes {
                true => Some(repository.apply_retention(&ctx, &plan)?),
                false => None,
            };
            Ok::<_, Error>((plan, report))
        };
        let done = tokio::task::spawn_blocking(work).await;
        let done = done.map_err(|source| {
            Error::new(ErrorKind::Internal, "the removal stopped").with_source(source)
        });
        Ok(done??)
    })?;
    tell(&plan, report.as_ref(), app)?;
    match report {
        Some(report) if !report.skipped.is_empty() => Err(Stop::Told(ErrorKind::Busy)),
        _ if !plan.refused.is_empty() => Err(Stop::Refuted),
        _ => Ok(()),
    }
}

fn tell(plan: &RetentionPlan, report: Option<&ForgetReport>, app: &App) -> Result<(), Stop> {
    let printer = &app.printer;
    match (printer.is_json(), report) {
        (true, Some(report)) => printer.json(&ForgetDocument { report, plan })?,
        (true, None) => printer.json(plan)?,
        (false, Some(report)) => printer.good_news(&(text(plan) + &done(report)))?,
        (false, None) => printer.result(&text(plan))?,
    }
    plan.warnings.iter().for_each(|text| printer.warning(text));
    for refused in &plan.refused {
        printer.warning(&format!("not removed: {refused}"));
    }
    for skipped in report.iter().flat_map(|report| &report.skipped) {
        printer.warning(&format!(
            "backup {} was not removed: {}",
            skipped.id, skipped.reason
        ));
    }
    if report.is_none() && !plan.removals.is_empty() {
        printer.note("nothing was removed; --yes removes what the plan says");
    }
    Ok(())
}

fn request(args: &ForgetArgs, place: &Place, app: &App) -> Result<RetentionRequest, Error> {
    let policy = policy(&args.rules, place, app)?;
    let says_something = policy.of(None).is_some()
        || policy
            .targets
            .keys()
            .any(|name| policy.of(Some(name)).is_some());
    if args.ids.is_empty() && !says_something {
        return Err(usage_error(
            "no rule says which backups to keep",
            "Give one, such as --keep-within 30d or --keep-daily 7, or write [retention] into opskit.toml.",
        ));
    }
    let request = RetentionRequest::by(policy).naming(args.ids.iter().cloned());
    Ok(match args.even_after_failure {
        true => request.even_after_failure(),
        false => request,
    })
}

/// What was typed, else what `opskit.toml` says of each target here.
fn policy(rules: &RuleArgs, place: &Place, app: &App) -> Result<Policy, Error> {
    let mut policy = Policy::default();
    let config = Project::find(app)?
        .map(|project| project.config)
        .unwrap_or_default();
    for name in config.targets.keys() {
        let rules = rules.over(config.retention_of(place.name(), Some(name)));
        policy
            .targets
            .extend(rules.map(|rules| (name.clone(), rules)));
    }
    policy.others = rules.over(config.retention_of(place.name(), None));
    Ok(policy)
}

fn text(plan: &RetentionPlan) -> String {
    let mut out = String::new();
    let mut last = None;
    let rows: Vec<Vec<String>> = plan.backups.iter().map(row).collect();
    for (line, decision) in aligned(&rows).lines().zip(&plan.backups) {
        if last != Some(&decision.group) {
            out.push_str(&heading(decision));
            last = Some(&decision.group);
        }
        let reasons: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
        let _ = writeln!(out, "  {line}  {}", reasons.join("; "));
    }
    let kept = plan.backups.len() - plan.removals.len();
    let _ = writeln!(
        out,
        "{} kept, {} to remove: {}",
        units::counted(kept as u64, "backup"),
        units::count(plan.removals.len() as u64),
        units::size(plan.freed_bytes),
    );
    out
}

fn row(decision: &Decision) -> Vec<String> {
    let action = match decision.action {
        Action::Remove => "remove",
        _ => "keep",
    };
    vec![
        action.to_owned(),
        decision.id.to_string(),
        units::size(decision.size_bytes),
    ]
}

fn heading(decision: &Decision) -> String {
    let Some(group) = &decision.group else {
        return "of which nothing can be read:\n".to_owned();
    };
    let what = match group.holding {
        Holding::Whole => "whole backups",
        Holding::Part => "backups of some tables",
        Holding::Schema => "backups of objects only",
        _ => "backups without a record of their run",
    };
    let tags: Vec<String> = group
        .tags
        .iter()
        .map(|(key, value)| format!(", {key}={value}"))
        .collect();
    format!("{what} of {}{}:\n", group.of.database, tags.concat())
}

fn done(report: &ForgetReport) -> String {
    let removed = units::counted(report.removed.len() as u64, "backup");
    format!("{removed} removed: {}\n", units::size(report.freed_bytes))
}
