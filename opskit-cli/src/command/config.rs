//! `opskit config`.

use crate::App;
use crate::args::{ConfigAction, ConfigArgs};
use crate::exit::Stop;
use crate::project::{Project, url_of};
use crate::repository::place_named;
use opskit_core::config::{Config, FILE_NAME, TargetClass};
use opskit_core::hook::Hook;
use opskit_core::{Error, ErrorKind};
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What the configuration means here and now.
#[derive(Debug, Serialize)]
struct ConfigDocument {
    schema: &'static str,
    file: String,
    default_target: Option<String>,
    default_repository: Option<String>,
    targets: BTreeMap<String, TargetDocument>,
    repositories: BTreeMap<String, String>,
    /// Who is called, without what is secret about it.
    hooks: BTreeMap<&'static str, String>,
    problems: Vec<String>,
}

#[derive(Debug, Serialize)]
struct TargetDocument {
    class: TargetClass,
    url_env: String,
    /// The URL without its password; none where the variable is not set or cannot be read.
    url: Option<String>,
    repository: Option<String>,
    ignore_schemas: Vec<String>,
    exclude: Vec<String>,
    accept_loss: Vec<String>,
    schedule_seconds: Option<u64>,
}

pub(crate) fn run(args: &ConfigArgs, app: &App) -> Result<(), Stop> {
    let Some(project) = Project::find(app)? else {
        let error = Error::new(
            ErrorKind::NotFound,
            format!("there is no {FILE_NAME} here or above"),
        );
        return Err(error
            .with_hint("docs/configuration.md has an example; --config names a file elsewhere.")
            .into());
    };
    let document = document(&project, app);
    if app.printer.is_json() {
        app.printer.json(&document)?;
    } else {
        app.printer.result(&text(&document, args.what))?;
    }
    match (args.what, document.problems.first()) {
        (ConfigAction::Check, Some(problem)) => {
            Err(Error::new(ErrorKind::CheckFailed, problem.clone()).into())
        }
        _ => Ok(()),
    }
}

fn document(project: &Project, app: &App) -> ConfigDocument {
    let config = &project.config;
    let mut problems = Vec::new();
    let mut targets = BTreeMap::new();
    for (name, target) in &config.targets {
        let url = url_of(name, target, app).map_err(|error| problems.push(error.to_string()));
        let document = TargetDocument {
            class: target.class,
            url_env: target.url_env.clone(),
            url: url.ok().map(|url| url.to_string()),
            repository: target.repository.clone(),
            ignore_schemas: target.ignore_schemas.clone(),
            exclude: target.exclude.iter().map(ToString::to_string).collect(),
            accept_loss: target.accept_loss.clone(),
            schedule_seconds: target.schedule.map(|schedule| schedule.as_secs()),
        };
        targets.insert(name.clone(), document);
    }
    let mut repositories = BTreeMap::new();
    for name in config.repositories.keys() {
        let url = place_named(name, Some(project), app).and_then(|place| place.url());
        let url = url.map_err(|error| problems.push(error.chain().join(": ")));
        let shown = url.map_or_else(|()| "cannot be used".to_owned(), |url| url.to_string());
        repositories.insert(name.clone(), shown);
    }
    let hooks = hooks(&project.config, app, &mut problems);
    ConfigDocument {
        schema: "opskit.config/1",
        file: project.file.display().to_string(),
        default_target: config.default_target.clone(),
        default_repository: config.default_repository.clone(),
        targets,
        repositories,
        hooks,
        problems,
    }
}

fn hooks(config: &Config, app: &App, problems: &mut Vec<String>) -> BTreeMap<&'static str, String> {
    let hooks = config.hooks.resolve(|name| app.env.var(name));
    let mut told = BTreeMap::new();
    for (name, hook) in [
        ("on_success", hooks.on_success),
        ("on_failure", hooks.on_failure),
    ] {
        let whom = match hook {
            Some(Hook::Command(words)) => words.first().cloned().unwrap_or_default(),
            Some(Hook::Web(url)) => format!("a URL at {}", url.host()),
            Some(Hook::Broken { problem }) => {
                problems.push(format!("hook {name}: {problem}"));
                "nobody".to_owned()
            }
            _ => continue,
        };
        told.insert(name, whom);
    }
    told
}

fn text(document: &ConfigDocument, action: ConfigAction) -> String {
    let mut out = format!("{}\n", document.file);
    if action == ConfigAction::Show {
        for (name, target) in &document.targets {
            let class = format!("{:?}", target.class).to_lowercase();
            let url = target.url.as_deref().unwrap_or("not set");
            let _ = writeln!(out, "target {name}: {class}, {} = {url}", target.url_env);
        }
        for (name, url) in &document.repositories {
            let _ = writeln!(out, "repository {name}: {url}");
        }
        for (name, whom) in &document.hooks {
            let _ = writeln!(out, "hook {name}: {whom}");
        }
    }
    for problem in &document.problems {
        let _ = writeln!(out, "problem: {problem}");
    }
    if document.problems.is_empty() {
        out.push_str("no problem found\n");
    }
    out
}
