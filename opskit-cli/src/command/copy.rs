//! `opskit copy`.

use crate::App;
use crate::args::CopyArgs;
use crate::exit::Stop;
use crate::progress::Progress;
use crate::project::Project;
use crate::repository::place_named;
use crate::{runtime, units};
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::repository::{CopyOutcome, CopyReport};
use opskit_core::{Error, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

pub(crate) fn run(args: &CopyArgs, app: &App) -> Result<(), Stop> {
    let repository = args
        .repository
        .place_of_backups(&args.of, None, app)?
        .open()?;
    let id = repository.find_of(&args.id, &args.of.among())?;
    let to = place_named(&args.to, Project::find(app)?.as_ref(), app)?;
    let copies = repository.copies_at(&to.url()?)?;
    let printer = &app.printer;
    let report = runtime::block_on(printer, async |cancel| {
        let progress = Arc::new(Progress::new(printer));
        let watched = Arc::clone(&progress);
        let ctx = OpContext::new(cancel).with_observer(move |event: &Event| watched.observe(event));
        // On a thread that may block, so that signals are seen meanwhile.
        let copying = tokio::task::spawn_blocking(move || repository.copy(&ctx, &id, &copies));
        let done = copying.await.map_err(|source| {
            Error::new(ErrorKind::Internal, "the copy stopped").with_source(source)
        });
        progress.clear();
        Ok(done??)
    })?;
    if printer.is_json() {
        return printer.json(&report);
    }
    report
        .warnings
        .iter()
        .for_each(|text| printer.warning(text));
    printer.good_news(&text(&report))
}

/// The report for people.
fn text(report: &CopyReport) -> String {
    let size = format!(
        "{} of {}",
        units::counted(report.objects, "object"),
        units::size(report.bytes)
    );
    match report.outcome {
        CopyOutcome::AlreadyThere => format!(
            "{}: {size}, there already: {}\n",
            report.id, report.location
        ),
        _ => format!(
            "{}: {size} in {}, read again where they arrived: {}\n",
            report.id,
            units::elapsed(Duration::from_millis(report.elapsed_ms)),
            report.location
        ),
    }
}
