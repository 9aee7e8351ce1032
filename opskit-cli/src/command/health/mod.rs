//! `opskit health`.

mod metrics;
mod rpc;
mod selftest;
mod serve;
mod setup;
mod text;

use crate::App;
use crate::args::{HealthAction, HealthArgs, HealthCheckArgs, HealthFormat};
use crate::database::Database;
use crate::exit::Stop;
use crate::runtime;
use opskit_core::context::OpContext;
use opskit_core::health::{HealthReport, State, check};
use opskit_core::{Error, ErrorKind};
use std::path::Path;

pub(crate) use metrics::open_metrics;
pub(crate) use setup::Setup;

pub(crate) fn run(args: &HealthArgs, app: &App) -> Result<(), Stop> {
    match &args.what {
        Some(HealthAction::List) => list(app),
        Some(HealthAction::Install(args)) => rpc::install(args, app),
        Some(HealthAction::Refresh(args)) => rpc::refresh(args, app),
        Some(HealthAction::Uninstall(args)) => rpc::uninstall(args, app),
        Some(HealthAction::SelfTest(args)) => selftest::run(args, app),
        Some(HealthAction::Serve(args)) => serve::run(args, app),
        None => ask(&args.check, app),
    }
}

fn list(app: &App) -> Result<(), Stop> {
    let all = Setup::everything(app)?;
    if app.printer.is_json() {
        return app.printer.json(&text::listed(&all));
    }
    app.printer.result(&text::list(&all))
}

fn ask(args: &HealthCheckArgs, app: &App) -> Result<(), Stop> {
    let result = report(args, app);
    let is_nagios = args.format == HealthFormat::Nagios && !app.printer.is_json();
    let (report, baseline) = match result {
        Ok(both) => both,
        // Who speaks Nagios's language knows the four codes only: no connection is a failure, all else is unknown.
        Err(Stop::Failed(error)) if is_nagios => {
            app.printer.result(&text::nagios_error(&error))?;
            let code = if error.kind() == ErrorKind::Connection {
                2
            } else {
                3
            };
            return Err(Stop::Status(code));
        }
        Err(stop) => return Err(stop),
    };
    let new = baseline.map(|baseline| report.new_since(&baseline));
    let blocks = new
        .as_ref()
        .map_or_else(|| report.blocks(), |new| !new.is_empty());
    match args.format {
        _ if app.printer.is_json() => app.printer.json(&report)?,
        HealthFormat::Json => app.printer.json(&report)?,
        HealthFormat::Table => app.printer.result(&text::table(&report, &app.printer))?,
        HealthFormat::Markdown => app.printer.result(&text::markdown(&report))?,
        HealthFormat::Openmetrics => app.printer.result(&open_metrics(Ok(&report)))?,
        HealthFormat::Nagios => app.printer.result(&text::nagios(&report))?,
    }
    for (probe, object) in new.iter().flatten() {
        app.printer.note(&format!("new: {probe} {object}"));
    }
    match (is_nagios, blocks) {
        (true, true) => Err(Stop::Status(nagios_code(report.worst()))),
        (true, false) => Err(Stop::Status(u8::from(report.worst() == State::Warn))),
        (false, true) => Err(Stop::Refuted),
        (false, false) => Ok(()),
    }
}

fn nagios_code(worst: State) -> u8 {
    match worst {
        State::Pass | State::Skipped => 0,
        State::Warn => 1,
        State::Fail => 2,
        _ => 3,
    }
}

fn report(args: &HealthCheckArgs, app: &App) -> Result<(HealthReport, Option<HealthReport>), Stop> {
    let database = Database::find(args.db.as_deref(), app)?;
    let read = |path: &Option<_>| path.as_deref().map(load).transpose();
    let baseline = read(&args.fail_on_new)?;
    let setup = Setup::of(&database, &args.repository, app)?;
    let mut request = setup.request();
    request.only.clone_from(&args.probes);
    request.before = read(&args.since)?;
    let report = runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        let report = Box::pin(check(&ctx, &database.url, &setup.probes(), &request)).await;
        Ok(report.map_err(|error| database.explain(error))?)
    })?;
    Ok((report, baseline))
}

fn load(path: &Path) -> Result<HealthReport, Error> {
    let doing = || format!("cannot use \"{}\"", path.display());
    let bytes = std::fs::read(path)
        .map_err(|source| Error::new(ErrorKind::NotFound, doing()).with_source(source))?;
    HealthReport::from_json(&bytes).map_err(|error| error.while_doing(doing()))
}
