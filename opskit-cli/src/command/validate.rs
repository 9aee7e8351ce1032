//! `opskit validate`.

use crate::App;
use crate::args::ValidateArgs;
use crate::database::Database;
use crate::exit::Stop;
use crate::project::Project;
use crate::runtime;
use opskit_core::config::Rule;
use opskit_core::context::OpContext;
use opskit_core::validate::{RuleOutcome, ValidateReport, ValidateRequest, validate};
use opskit_core::{Error, ErrorKind};
use std::fmt::Write as _;

pub(crate) fn run(args: &ValidateArgs, app: &App) -> Result<(), Stop> {
    let database = Database::find(args.db.as_deref(), app)?;
    let target = database.target.as_ref().map(|(name, _)| name.as_str());
    let mut request = ValidateRequest::new(rules(args, target, app)?);
    request.samples = args.samples;
    let report = runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        let report = Box::pin(validate(&ctx, &database.url, &request)).await;
        Ok(report.map_err(|error| database.explain(error))?)
    })?;
    if app.printer.is_json() {
        app.printer.json(&report)?;
    } else {
        app.printer.result(&text(&report))?;
    }
    match report.holds() {
        true => Ok(()),
        false => Err(Stop::Refuted),
    }
}

fn rules(args: &ValidateArgs, target: Option<&str>, app: &App) -> Result<Vec<Rule>, Error> {
    let project = Project::find(app)?;
    let all = project.map_or_else(Vec::new, |project| project.config.rules);
    let is_here = |rule: &&Rule| rule.target.is_none() || rule.target.as_deref() == target;
    let here: Vec<Rule> = all.iter().filter(is_here).cloned().collect();
    for id in &args.rules {
        if !here.iter().any(|rule| rule.id == *id) {
            let message = format!("there is no rule \"{id}\" for this database");
            let error = Error::new(ErrorKind::InvalidInput, message);
            return Err(error.with_hint("Rules stand in opskit.toml, as [[rule]]."));
        }
    }
    let is_wanted = |rule: &Rule| args.rules.is_empty() || args.rules.contains(&rule.id);
    Ok(here.into_iter().filter(is_wanted).collect())
}

fn text(report: &ValidateReport) -> String {
    let mut out = String::new();
    for rule in &report.rules {
        let word = match rule.outcome {
            RuleOutcome::Holds => "holds",
            RuleOutcome::Broken => "broken",
            _ => "unknown",
        };
        let _ = writeln!(out, "{word:<8}{}: {}", rule.id, rule.detail);
        for sample in &rule.samples {
            let pairs = sample.iter().map(|(name, form)| format!("{name} {form}"));
            let _ = writeln!(out, "        {}", pairs.collect::<Vec<_>>().join(", "));
        }
    }
    out
}
