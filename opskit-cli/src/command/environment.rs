//! `opskit env`.

use crate::App;
use crate::args::{EnvAction, EnvArgs};
use crate::exit::Stop;
use crate::project::Project;
use crate::units;
use opskit_core::config::{FILE_NAME, Variable, VariableClass};
use opskit_core::environment::{
    EnvChange, EnvCheck, EnvDiff, EnvDifference, EnvRule, Frozen, Salt, check,
};
use opskit_core::{Error, ErrorKind};
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

pub(crate) fn run(args: &EnvArgs, app: &App) -> Result<(), Stop> {
    match &args.what {
        EnvAction::Check => check_now(app),
        EnvAction::Freeze { output, like } => freeze(output.as_deref(), like.as_deref(), app),
        EnvAction::Diff { a, b } => diff(a, b.as_deref(), app),
    }
}

fn check_now(app: &App) -> Result<(), Stop> {
    let found = check(&declared(app)?, |name| app.env.var(name));
    match (app.printer.is_json(), found.problems.is_empty()) {
        (true, _) => app.printer.json(&found)?,
        (false, true) => app.printer.good_news(&text(&found))?,
        (false, false) => app.printer.result(&text(&found))?,
    }
    match found.problems.is_empty() {
        true => Ok(()),
        false => Err(Stop::Refuted),
    }
}

fn freeze(output: Option<&Path>, like: Option<&Path>, app: &App) -> Result<(), Stop> {
    let variables = declared(app)?;
    let found = check(&variables, |name| app.env.var(name));
    if let Some(problem) = found.problems.first() {
        let what = format!(
            "the environment is not as {FILE_NAME} says: {}",
            told(problem.rule, &problem.variable)
        );
        let error = Error::new(ErrorKind::CheckFailed, what);
        return Err(error
            .with_hint("opskit env check tells all that is wrong.")
            .into());
    }
    let salt = match like {
        Some(path) => load(path)?.salt,
        None => Salt::random()?,
    };
    let text = Frozen::of(&variables, |name| app.env.var(name), salt)?.to_json()?;
    let Some(path) = output else {
        return app.printer.result(&text);
    };
    std::fs::write(path, text).map_err(|source| {
        let message = format!("cannot write \"{}\"", path.display());
        Error::new(ErrorKind::Storage, message).with_source(source)
    })?;
    let count = units::counted(variables.len() as u64, "variable");
    app.printer.note(&format!("{count} in {}", path.display()));
    Ok(())
}

fn diff(a: &Path, b: Option<&Path>, app: &App) -> Result<(), Stop> {
    let before = load(a)?;
    let after = match b {
        Some(path) => load(path)?,
        None => Frozen::of(
            &declared(app)?,
            |name| app.env.var(name),
            before.salt.clone(),
        )?,
    };
    let diff = EnvDiff::between(&before, &after)?;
    if app.printer.is_json() {
        app.printer.json(&diff)?;
    } else if diff.differences.is_empty() {
        app.printer.note("no difference");
    } else {
        let lines = diff.differences.iter().map(line);
        app.printer.result(&lines.collect::<String>())?;
    }
    let guarded = diff
        .differences
        .iter()
        .filter(|difference| difference.class == VariableClass::Guarded);
    for difference in guarded {
        app.printer
            .warning(&format!("guarded variable {}", changed(difference)));
    }
    match diff.is_allowed() {
        true => Ok(()),
        false => Err(Stop::Refuted),
    }
}

/// What `opskit.toml` declares.
fn declared(app: &App) -> Result<BTreeMap<String, Variable>, Error> {
    let variables = Project::find(app)?.map(|project| project.config.variables);
    match variables {
        Some(variables) if !variables.is_empty() => Ok(variables),
        _ => Err(
            Error::new(ErrorKind::NotFound, "no environment variable is declared")
                .with_hint(format!("Declare each in {FILE_NAME}: [env.NAME].")),
        ),
    }
}

fn load(path: &Path) -> Result<Frozen, Error> {
    let bytes = std::fs::read(path).map_err(|source| {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            _ => ErrorKind::InvalidInput,
        };
        Error::new(kind, format!("cannot read \"{}\"", path.display())).with_source(source)
    })?;
    Frozen::from_json(&bytes)
        .map_err(|error| error.while_doing(format!("cannot use \"{}\"", path.display())))
}

fn text(found: &EnvCheck) -> String {
    let mut out = String::new();
    for problem in &found.problems {
        let _ = writeln!(out, "{}", told(problem.rule, &problem.variable));
    }
    let set = found
        .variables
        .iter()
        .filter(|variable| variable.is_set)
        .count();
    let verdict = match found.problems.len() {
        0 => "as they should be".to_owned(),
        problems => units::counted(problems as u64, "problem"),
    };
    let _ = writeln!(
        out,
        "{}, {} set: {verdict}",
        units::counted(found.variables.len() as u64, "variable"),
        units::count(set as u64),
    );
    out
}

fn told(rule: EnvRule, variable: &str) -> String {
    match rule {
        EnvRule::Required => format!("{variable} is required, and not set"),
        _ => format!("{variable} is not as its pattern says"),
    }
}

fn line(difference: &EnvDifference) -> String {
    let class = match difference.class {
        VariableClass::Frozen => "frozen",
        VariableClass::Guarded => "guarded",
        _ => "mutable",
    };
    format!("{class}: {}\n", changed(difference))
}

fn changed(difference: &EnvDifference) -> String {
    let what = match difference.change {
        EnvChange::Changed => "has another value",
        EnvChange::Set => "was not set, and is now",
        EnvChange::Unset => "was set, and is not any more",
        EnvChange::Declared => "is declared now",
        EnvChange::Gone => "is not declared any more",
        _ => "is declared with another class",
    };
    format!("{} {what}", difference.variable)
}
