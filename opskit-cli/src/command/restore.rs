//! `opskit restore`.

use crate::App;
use crate::args::RestoreArgs;
use crate::database::Database;
use crate::exit::Stop;
use crate::progress::Progress;
use crate::summary::{aligned, of};
use crate::{runtime, units};
use opskit_core::backup::restore::{
    Carry, Existing, MissingRoles, OnError, Part, Restore, RestorePlan, RestoreReport,
    RestoreRequest, SessionKind, Transactions, Trust,
};
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::{Error, ErrorKind};
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn run(args: &RestoreArgs, app: &App) -> Result<(), Stop> {
    let database = Database::find(Some(&args.to), app)?;
    let request = request(args)?;
    let place = args
        .repository
        .place_of_backups(&args.of, Some(&database), app)?;
    let repository = place.open()?;
    let among = match args.schema_only {
        true => args.of.among(),
        false => args.of.among().with_rows(),
    };
    let backup = repository.read(&repository.find_of(&args.id, &among)?)?;
    if !args.plan {
        database.confirm(args.confirm.as_deref())?;
    }
    let printer = &app.printer;
    let done = runtime::block_on(printer, async |cancel| {
        let progress = Arc::new(Progress::new(printer));
        let watched = Arc::clone(&progress);
        let ctx = OpContext::new(cancel).with_observer(move |event: &Event| watched.observe(event));
        let opened = Box::pin(Restore::open(&ctx, backup, &database.url, request)).await;
        let restore = opened.map_err(|error| database.explain(error))?;
        if args.plan {
            return Ok(Done::Planned(restore.plan().clone()));
        }
        let result = Box::pin(restore.run(&ctx)).await;
        progress.clear();
        Ok(Done::Restored(result?))
    })?;
    match done {
        Done::Planned(plan) => tell_plan(&plan, app),
        Done::Restored(report) => tell(&report, app),
    }
}

enum Done {
    Planned(RestorePlan),
    Restored(RestoreReport),
}

fn request(args: &RestoreArgs) -> Result<RestoreRequest, Error> {
    let carry = |leave: bool| if leave { Carry::Leave } else { Carry::Keep };
    let part = match (args.schema_only, args.data_only) {
        (true, _) => Part::Schema,
        (_, true) => Part::Data,
        _ => Part::Everything,
    };
    let mut request = RestoreRequest::default()
        .only(&args.only)?
        .with_part(part)
        .with_owners(carry(args.no_owner))
        .with_privileges(carry(args.no_acl))
        .with_jobs(usize::from(args.jobs));
    request.lock_timeout = args.lock_timeout;
    if args.clean {
        request.existing = Existing::Drop;
    }
    if args.single_transaction {
        request.transactions = Transactions::One;
    }
    if args.keep_going {
        request.on_error = OnError::KeepGoing;
    }
    if args.create_roles {
        request.roles = MissingRoles::Create;
    }
    if args.trust_backup {
        request.trust = Trust::Backup;
    }
    Ok(request)
}

fn tell_plan(plan: &RestorePlan, app: &App) -> Result<(), Stop> {
    if app.printer.is_json() {
        app.printer.json(plan)?;
    } else {
        plan.warnings
            .iter()
            .for_each(|text| app.printer.warning(text));
        app.printer.result(&plan_text(plan))?;
    }
    if plan.problems.is_empty() {
        Ok(())
    } else {
        Err(Stop::Told(ErrorKind::Unsupported))
    }
}

fn plan_text(plan: &RestorePlan) -> String {
    let rows: Vec<Vec<String>> = plan
        .tables
        .iter()
        .map(|table| {
            vec![
                table.name.to_string(),
                units::counted(table.rows, "row"),
                units::size(table.bytes),
                units::counted(table.parts as u64, "part"),
            ]
        })
        .collect();
    let mut out = aligned(&rows);
    let lists = [
        (
            "left by a restore that was stopped, dropped first",
            &plan.leftovers,
        ),
        ("dropped first", &plan.drops),
        ("role created, without a password", &plan.roles),
        ("away while rows are loaded", &plan.suspends),
        ("left out", &plan.skipped),
        ("in the way", &plan.problems),
    ];
    for (what, list) in lists {
        for item in list {
            let _ = writeln!(out, "{what}: {item}");
        }
    }
    let who = match plan.session {
        SessionKind::TemporaryLogin => "a temporary login without rights",
        _ => plan.role.as_str(),
    };
    let _ = writeln!(
        out,
        "{} into \"{}\" by {who}: {} before the rows, {} of rows, {} after them, {} for owners, privileges and comments",
        of(&plan.backup, &plan.source),
        plan.database,
        units::counted(plan.pre_data as u64, "statement"),
        units::size(plan.bytes),
        units::counted(plan.post_data as u64, "statement"),
        units::counted(plan.access as u64, "statement"),
    );
    out
}

fn tell(report: &RestoreReport, app: &App) -> Result<(), Stop> {
    if app.printer.is_json() {
        app.printer.json(report)?;
    } else {
        report
            .warnings
            .iter()
            .for_each(|text| app.printer.warning(text));
        let text = text(report);
        match report.is_same() {
            true => app.printer.good_news(&text)?,
            false => app.printer.result(&text)?,
        }
    }
    if report.is_same() {
        Ok(())
    } else {
        Err(Stop::Refuted)
    }
}

/// The report for people.
pub(crate) fn text(report: &RestoreReport) -> String {
    let mut out = String::new();
    for item in &report.skipped {
        let _ = writeln!(out, "left out: {item}");
    }
    for failure in &report.failures {
        let _ = writeln!(out, "failed: {}", failure.message);
    }
    for difference in &report.differences {
        let _ = writeln!(out, "differs: {difference}");
    }
    let verdict = match (report.is_same(), report.compared.is_empty()) {
        (true, false) => format!("the same by {}", report.compared.join(" and ")),
        (true, true) => "nothing to compare".to_owned(),
        (false, _) => "not the same".to_owned(),
    };
    let _ = writeln!(
        out,
        "{}: {} and {} restored into \"{}\" in {}: {verdict}",
        report.backup,
        units::counted(report.statements as u64, "statement"),
        units::counted(report.rows, "row"),
        report.database,
        units::elapsed(Duration::from_millis(report.elapsed_ms)),
    );
    out
}
