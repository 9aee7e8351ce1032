//! `opskit prune`.

use crate::App;
use crate::args::PruneArgs;
use crate::exit::Stop;
use crate::summary::aligned;
use crate::{runtime, units};
use opskit_core::context::OpContext;
use opskit_core::repository::Leftover;
use opskit_core::{Error, ErrorKind};

pub(crate) fn run(args: &PruneArgs, app: &App) -> Result<(), Stop> {
    let repository = args
        .repository
        .place_of_backups(&args.of, None, app)?
        .open()?;
    let plan = repository.plan_prune()?;
    let printer = &app.printer;
    let warn = |warnings: &[String]| warnings.iter().for_each(|text| printer.warning(text));
    if !args.yes {
        match printer.is_json() {
            true => printer.json(&plan)?,
            false => printer.result(&text(&plan.leftovers, plan.freed_bytes, "to remove"))?,
        }
        warn(&plan.warnings);
        for id in &plan.busy {
            printer.note(&format!("{id} is being written or removed, and left alone"));
        }
        if !plan.leftovers.is_empty() {
            printer.note("nothing was removed; --yes removes what the plan says");
        }
        return Ok(());
    }
    let report = runtime::block_on(printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        let done = tokio::task::spawn_blocking(move || repository.prune(&ctx, &plan)).await;
        let done = done.map_err(|source| {
            Error::new(ErrorKind::Internal, "the removal stopped").with_source(source)
        });
        Ok(done??)
    })?;
    match printer.is_json() {
        true => printer.json(&report)?,
        false => printer.good_news(&text(&report.removed, report.freed_bytes, "removed"))?,
    }
    warn(&report.warnings);
    Ok(())
}

fn text(leftovers: &[Leftover], bytes: u64, what: &str) -> String {
    let row = |left: &Leftover| {
        vec![
            left.id.to_string(),
            units::counted(left.objects, "object"),
            units::size(left.size_bytes),
        ]
    };
    let rows: Vec<Vec<String>> = leftovers.iter().map(row).collect();
    let count = units::counted(leftovers.len() as u64, "leftover");
    format!("{}{count} {what}: {}\n", aligned(&rows), units::size(bytes))
}
