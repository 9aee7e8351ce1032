//! `opskit demo`: the main job on a throw-away server, and the proof that it was done.

mod proof;
mod sample;

use crate::App;
use crate::args::DemoArgs;
use crate::exit::Stop;
use crate::printer::{Printer, Verbosity};
use crate::{runtime, summary, units};
use opskit_core::cancel::Cancel;
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::export::parquet::ParquetOptions;
use opskit_core::postgres::export::{Export, ExportReport, ExportRequest};
use opskit_core::postgres::url::DatabaseUrl;
use opskit_core::sink::{DirectorySink, FileFormat};
use opskit_core::{Error, ErrorKind};
use proof::Proof;
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Instant;

/// What is exported, and in parts of which size: small, so that there are several.
const PATTERN: &str = "public.*";
const PART_BYTES: u64 = 4 << 20;

pub(crate) fn run(args: &DemoArgs, app: &App) -> Result<(), Stop> {
    let started = Instant::now();
    let printer = &app.printer;
    let temporary = tempfile::Builder::new()
        .prefix("opskit-demo-")
        .tempdir()
        .map_err(|source| {
            Error::new(ErrorKind::Storage, "cannot make a temporary directory").with_source(source)
        })?;
    let places = Places {
        export: match &args.keep {
            Some(keep) => keep.clone(),
            None => temporary.path().join("export"),
        },
        copies: temporary.path().join("copies"),
    };
    let done = runtime::block_on(printer, async |cancel| {
        Box::pin(demo(args, &places, printer, cancel)).await
    })?;
    let elapsed = started.elapsed();
    if printer.is_json() {
        return printer.json(&Document {
            schema: "opskit.demo/1",
            server: done.server,
            command: done.command,
            target: args.keep.clone(),
            export: done.report,
            proof: done.proof,
            elapsed_ms: elapsed.as_millis() as u64,
        });
    }
    let kept = match &args.keep {
        Some(keep) => format!("The files are in {}.", keep.display()),
        None => "The files are removed now; --keep DIR keeps them.".to_owned(),
    };
    let took = units::elapsed(elapsed);
    say(printer, &format!("\n{kept} All of it took {took}.\n"))
}

/// Where the files are.
struct Places {
    export: PathBuf,
    /// The server's own bytes, to compare with.
    copies: PathBuf,
}

/// What was done.
struct Done {
    server: String,
    command: String,
    report: ExportReport,
    proof: Proof,
}

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    server: String,
    command: String,
    target: Option<PathBuf>,
    export: ExportReport,
    proof: Proof,
    elapsed_ms: u64,
}

async fn demo(
    args: &DemoArgs,
    places: &Places,
    printer: &Printer,
    cancel: Cancel,
) -> Result<Done, Stop> {
    let warnings = printer.clone();
    let ctx = OpContext::new(cancel).with_observer(move |event: &Event| {
        if let Event::Warning { message } = event {
            warnings.warning(message);
        }
    });
    let sample = Box::pin(sample::start(args.pg_bin.as_deref(), &ctx)).await?;
    say(
        printer,
        &format!(
            "Postgres {} on a private socket, with {} of sample data made in {}.\n\n",
            sample.version,
            units::size(sample.bytes),
            units::elapsed(sample.took)
        ),
    )?;
    let command = format!(
        "opskit export '{PATTERN}' --part-size 4MiB -o {}",
        places.export.display()
    );
    say(printer, &format!("$ {command}\n"))?;
    let parquet = FileFormat::Parquet(ParquetOptions::default());
    let report = Box::pin(export(&ctx, &sample.url, &places.export, parquet)).await?;
    let exact = opskit_core::export::Exactness::Exact;
    let target = places.export.display().to_string();
    say(printer, &summary::export(&report, exact, &target))?;
    let copies = Box::pin(export(
        &ctx,
        &sample.url,
        &places.copies,
        FileFormat::PgCopy(0),
    ))
    .await?;
    let proof = proof::prove((&places.export, &report), (&places.copies, &copies)).await?;
    say(printer, &proof.to_string())?;
    sample.server.stop().await?;
    Ok(Done {
        server: sample.version,
        command,
        report,
        proof,
    })
}

fn say(printer: &Printer, text: &str) -> Result<(), Stop> {
    if printer.is_json() || printer.verbosity() == Verbosity::Quiet {
        return Ok(());
    }
    printer.result(text)
}

async fn export(
    ctx: &OpContext,
    url: &DatabaseUrl,
    target: &Path,
    format: FileFormat,
) -> Result<ExportReport, Error> {
    let request = ExportRequest::tables([PATTERN])?.with_part_bytes(PART_BYTES);
    let sink = DirectorySink::create(target, format)?;
    let export = Box::pin(Export::open(ctx, url, request)).await?;
    Box::pin(export.run(ctx, Arc::new(sink))).await
}
