//! `opskit export`.

use crate::App;
use crate::args::ExportArgs;
use crate::database::Database;
use crate::document::{ExportDocument, PlanDocument};
use crate::exit::{Stop, usage_error};
use crate::output::{Place, Target};
use crate::printer::{Printer, Verbosity};
use crate::progress::Progress;
use crate::{runtime, summary};
use opskit_core::Error;
use opskit_core::cancel::Cancel;
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::postgres::export::{Export, ExportPlan, ExportReport, ExportRequest};
use opskit_core::sink::BackupSink;
use std::sync::Arc;
use time::OffsetDateTime;

pub(crate) fn run(args: &ExportArgs, app: &App) -> Result<(), Stop> {
    let printer = &app.printer;
    let limits = args.limits.resolve(app)?;
    let target = Target::resolve(args, &limits, printer, OffsetDateTime::now_utc())?;
    let mut request = args.request(&limits)?;
    if target.is_single() {
        request = request.with_single_part();
    }
    let database = Database::find(args.db.as_deref(), app)?;
    if args.plan {
        return plan(&database, request, &target, printer);
    }
    // Made before and dropped after the runtime, so that nothing is written behind its back when it
    // removes what there is of a failed export.
    let sink = target.sink(printer)?;
    let report = runtime::block_on(printer, async |cancel| {
        let progress = Arc::new(Progress::new(printer));
        let ctx = observed(cancel, &progress);
        let work = export(&ctx, &database, request, &target, Arc::clone(&sink));
        let result = Box::pin(work).await;
        progress.clear();
        Ok(result?)
    });
    drop(sink);
    match report {
        Ok(report) => tell(&report, args, &target, printer),
        Err(_) if printer.pipe_broke() => Err(Stop::BrokenPipe),
        Err(stop) => Err(stop),
    }
}

fn observed(cancel: Cancel, progress: &Arc<Progress>) -> OpContext {
    let progress = Arc::clone(progress);
    OpContext::new(cancel).with_observer(move |event: &Event| progress.observe(event))
}

async fn open(
    ctx: &OpContext,
    database: &Database,
    request: ExportRequest,
    target: &Target,
) -> Result<Export, Error> {
    let opened = Box::pin(Export::open(ctx, &database.url, request)).await;
    let export = opened.map_err(|error| database.explain(error))?;
    match &export.plan().tables[..] {
        [_, _, ..] if target.is_single() => Err(several_tables(export.plan())),
        _ => Ok(export),
    }
}

async fn export(
    ctx: &OpContext,
    database: &Database,
    request: ExportRequest,
    target: &Target,
    sink: Arc<dyn BackupSink>,
) -> Result<ExportReport, Error> {
    let export = open(ctx, database, request, target).await?;
    Box::pin(export.run(ctx, sink)).await
}

fn several_tables(plan: &ExportPlan) -> Error {
    usage_error(
        format!(
            "{} tables were found, and one file takes one",
            plan.tables.len()
        ),
        "Give -o a directory, or name one table.",
    )
}

fn plan(
    database: &Database,
    request: ExportRequest,
    target: &Target,
    printer: &Printer,
) -> Result<(), Stop> {
    let export = runtime::block_on(printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        let export = Box::pin(open(&ctx, database, request, target)).await?;
        Ok(export.plan().clone())
    })?;
    export
        .warnings
        .iter()
        .for_each(|message| printer.warning(message));
    if printer.is_json() {
        printer.json(&PlanDocument::new(&export))
    } else {
        printer.result(&summary::plan(&export))
    }
}

/// Tells the result, where it is not the data itself.
fn tell(
    report: &ExportReport,
    args: &ExportArgs,
    target: &Target,
    printer: &Printer,
) -> Result<(), Stop> {
    let text = || summary::export(report, args.exactness.into(), &target.name());
    match target.place {
        Place::Stream => printer.note(text().trim_end()),
        _ if printer.is_json() => {
            return printer.json(&ExportDocument {
                report,
                target: target.name(),
            });
        }
        _ if printer.verbosity() == Verbosity::Quiet => {}
        _ => return printer.result(&text()),
    }
    Ok(())
}
