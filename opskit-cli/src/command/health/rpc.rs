//! `opskit health install`, `refresh` and `uninstall`.

use crate::App;
use crate::args::{HealthCounts, HealthDatabaseArgs, HealthInstallArgs};
use crate::database::Database;
use crate::exit::Stop;
use crate::runtime;
use opskit_core::config::parse_duration;
use opskit_core::context::OpContext;
use opskit_core::health::rpc::{
    self, Counts, InstallReport, Installed, Latest, Outside, OutsideCheck, RpcSettings,
};
use opskit_core::name::{QualifiedName, parse_identifiers};
use opskit_core::secret::Secret;
use opskit_core::{Error, ErrorKind};
use serde::Serialize;

/// Where the key is that everybody may have. An argument would show in the list of processes.
const ANON_KEY: &str = "SUPABASE_ANON_KEY";

pub(crate) fn install(args: &HealthInstallArgs, app: &App) -> Result<(), Stop> {
    let settings = settings(args)?;
    if args.print {
        return app.printer.result(&rpc::install_sql(&settings));
    }
    if let Some(url) = &args.check {
        return look(url, &args.private, app);
    }
    let database = Database::find(args.database.db.as_deref(), app)?;
    let report = runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        let report = Box::pin(rpc::install(&ctx, &database.url, &settings)).await;
        Ok(report.map_err(|error| database.explain(error))?)
    })?;
    if app.printer.is_json() {
        app.printer.json(&report)?;
    } else {
        app.printer.result(&told(&report))?;
    }
    // What the function says of the database is what the command is about.
    match report.answer["status"].as_str() {
        Some("error") | None => Err(Stop::Refuted),
        Some(_) => Ok(()),
    }
}

/// What `--check` found.
#[derive(Debug, Serialize)]
struct Looked<'a> {
    schema: &'static str,
    checks: &'a [OutsideCheck],
}

fn look(url: &str, private: &[String], app: &App) -> Result<(), Stop> {
    let key = app.env.var(ANON_KEY).filter(|key| !key.is_empty());
    let mut outside = Outside::new(url, key.map(Secret::new))?;
    outside.private = private.to_vec();
    let checks = runtime::block_on(&app.printer, async |cancel| {
        Ok(outside.check(&OpContext::new(cancel)).await?)
    })?;
    if app.printer.is_json() {
        app.printer.json(&Looked {
            schema: "opskit.health-outside/1",
            checks: &checks,
        })?;
    } else {
        let line = |one: &OutsideCheck| {
            let word = if one.ok { "pass" } else { "FAIL" };
            format!("{word}  {}: {}\n", one.name, one.detail)
        };
        let lines: String = checks.iter().map(line).collect();
        app.printer.result(&lines)?;
    }
    match checks.iter().all(|one| one.ok) {
        true => Ok(()),
        false => Err(Stop::Refuted),
    }
}

pub(crate) fn refresh(args: &HealthDatabaseArgs, app: &App) -> Result<(), Stop> {
    let database = Database::find(args.db.as_deref(), app)?;
    runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        let done = Box::pin(rpc::refresh(&ctx, &database.url)).await;
        Ok(done.map_err(|error| database.explain(error))?)
    })?;
    done(app, &database, "refreshed")
}

pub(crate) fn uninstall(args: &HealthDatabaseArgs, app: &App) -> Result<(), Stop> {
    let database = Database::find(args.db.as_deref(), app)?;
    runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        let done = Box::pin(rpc::uninstall(&ctx, &database.url)).await;
        Ok(done.map_err(|error| database.explain(error))?)
    })?;
    done(app, &database, "uninstalled")
}

/// What was done where.
#[derive(Debug, Serialize)]
struct Done<'a> {
    schema: &'static str,
    database: &'a str,
    done: &'static str,
}

fn done(app: &App, database: &Database, done: &'static str) -> Result<(), Stop> {
    let database = database.url.dbname();
    if app.printer.is_json() {
        return app.printer.json(&Done {
            schema: "opskit.health-rpc/1",
            database,
            done,
        });
    }
    app.printer
        .result(&format!("public.health_check {done} in \"{database}\"\n"))
}

fn told(report: &InstallReport) -> String {
    let done = match report.installed {
        Installed::New => "installed",
        Installed::Replaced => "brought up to date",
    };
    let mut out = format!(
        "public.health_check {done} in \"{}\", for {}\nit answers: {}\n",
        report.database,
        report.callers.join(", "),
        report.answer
    );
    if !report.missing_callers.is_empty() {
        let missing = report.missing_callers.join(", ");
        out.push_str(&format!("no such role here: {missing}\n"));
    }
    out
}

fn settings(args: &HealthInstallArgs) -> Result<RpcSettings, Error> {
    let mut settings = RpcSettings::default();
    settings.service.clone_from(&args.service);
    settings.release.clone_from(&args.release);
    settings.schemas.clone_from(&args.schemas);
    if !args.callers.is_empty() {
        settings.callers.clone_from(&args.callers);
    }
    settings.open = tables(&args.open)?;
    settings.tables = tables(&args.tables)?;
    settings.counts = match args.counts {
        HealthCounts::Exact => Counts::Exact,
        HealthCounts::Estimated => Counts::Estimated,
        HealthCounts::Withheld => Counts::Withheld,
    };
    settings.latest = args
        .latest
        .iter()
        .map(|text| latest(text))
        .collect::<Result<_, _>>()?;
    settings.max_age = parse_duration(&args.max_age)
        .map_err(|why| Error::new(ErrorKind::InvalidInput, format!("--max-age: {why}")))?;
    Ok(settings)
}

fn tables(names: &[String]) -> Result<Vec<QualifiedName>, Error> {
    let named = |text: &String| match parse_identifiers(text).as_deref() {
        Some([schema, table]) => Ok(QualifiedName::new(schema, table)),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("\"{text}\" is no SCHEMA.TABLE"),
        )),
    };
    names.iter().map(named).collect()
}

fn latest(text: &str) -> Result<Latest, Error> {
    let (key, column) = text.split_once('=').unwrap_or_default();
    match parse_identifiers(column).as_deref() {
        Some([schema, table, column]) if !key.is_empty() => Ok(Latest {
            key: key.to_owned(),
            table: QualifiedName::new(schema, table),
            column: column.clone(),
        }),
        _ => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("\"{text}\" is no KEY=SCHEMA.TABLE.COLUMN"),
        )),
    }
}
