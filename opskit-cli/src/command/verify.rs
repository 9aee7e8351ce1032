//! `opskit verify`.

use crate::App;
use crate::args::VerifyArgs;
use crate::exit::Stop;
use crate::{runtime, units};
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupId, Repository, VerifyLevel, VerifyReport};
use opskit_core::{Error, ErrorKind};
use std::fmt::Write as _;
use time::OffsetDateTime;

pub(crate) fn run(args: &VerifyArgs, app: &App) -> Result<(), Stop> {
    let repository = args
        .repository
        .place_of_backups(&args.of, None, app)?
        .open()?;
    let id = repository.find_of(&args.id, &args.of.among())?;
    let level = args.level.into();
    let report = runtime::block_on(&app.printer, async |cancel| {
        let ctx = OpContext::new(cancel);
        Ok(on_a_thread(&ctx, &repository, id, level).await?)
    })?;
    let printer = &app.printer;
    // A repository that can be read only can be verified all the same.
    if let Err(error) = repository.record_verification(&report, OffsetDateTime::now_utc()) {
        printer.warning(&format!(
            "the verification has no record: {}",
            error.chain().join(": ")
        ));
    }
    match (printer.is_json(), report.is_sound()) {
        (true, _) => printer.json(&report)?,
        (false, true) => printer.good_news(&text(&report))?,
        (false, false) => printer.result(&text(&report))?,
    }
    if report.is_sound() {
        Ok(())
    } else {
        Err(Stop::Told(ErrorKind::Damaged))
    }
}

/// Verifies on a thread that may block, so that signals are seen meanwhile.
pub(crate) async fn on_a_thread(
    ctx: &OpContext,
    repository: &Repository,
    id: BackupId,
    level: VerifyLevel,
) -> Result<VerifyReport, Error> {
    let (ctx, repository) = (ctx.clone(), repository.clone());
    let work = move || repository.verify(&ctx, &id, level);
    tokio::task::spawn_blocking(work).await.map_err(|source| {
        Error::new(ErrorKind::Internal, "the verification stopped").with_source(source)
    })?
}

/// The report for people.
pub(crate) fn text(report: &VerifyReport) -> String {
    let mut out = String::new();
    for fault in &report.faults {
        let _ = writeln!(out, "{}: {}", fault.object, fault.problem);
    }
    let looked = format!(
        "{} of {}",
        units::counted(report.objects, "object"),
        units::size(report.bytes)
    );
    let verdict = match report.faults.len() {
        0 => "sound".to_owned(),
        faults => units::counted(faults as u64, "fault"),
    };
    let depth = match report.level {
        VerifyLevel::Decode => format!(", {} decoded", units::counted(report.rows, "row")),
        VerifyLevel::Hash => ", digests taken".to_owned(),
        _ => String::new(),
    };
    let _ = writeln!(out, "{}: {verdict}; {looked}{depth}", report.id);
    out
}
