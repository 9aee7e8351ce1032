//! `opskit demo`: backup, accident, restore and drill on a throw-away server, each with its proof.

mod proof;
mod sample;
mod story;
mod teller;

use crate::App;
use crate::args::DemoArgs;
use crate::exit::Stop;
use crate::printer::Printer;
use crate::{runtime, units};
use opskit_core::cancel::Cancel;
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::{Error, ErrorKind};
use serde::Serialize;
use std::path::{Path, PathBuf};
use std::time::Instant;
use story::{Story, Told};
use teller::{Step, Teller, Verdict};

/// The document of `--json`.
#[derive(Debug, Serialize)]
struct Document {
    schema: &'static str,
    server: String,
    /// Where the files are; none where they were removed.
    target: Option<PathBuf>,
    verdict: Verdict,
    steps: Vec<Step>,
    #[serde(flatten)]
    told: Told,
    elapsed_ms: u64,
}

pub(crate) fn run(args: &DemoArgs, app: &App) -> Result<(), Stop> {
    let started = Instant::now();
    let printer = &app.printer;
    let (places, kept) = Places::make(args.keep.as_deref())?;
    let mut teller = Teller::new(printer);
    let (server, told) = runtime::block_on(printer, async |cancel| {
        Box::pin(demo(args, &places, &mut teller, cancel)).await
    })?;
    let verdict = teller.verdict();
    let elapsed = started.elapsed();
    if printer.is_json() {
        printer.json(&Document {
            schema: "opskit.demo/2",
            server,
            target: args.keep.clone(),
            verdict,
            steps: teller.into_steps(),
            told,
            elapsed_ms: elapsed.as_millis() as u64,
        })?;
    } else {
        teller.say(&ending(args, &told, units::elapsed(elapsed)))?;
    }
    kept.keep_where_asked();
    match verdict {
        Verdict::Holds => Ok(()),
        Verdict::Fails => Err(Stop::Refuted),
    }
}

fn ending(args: &DemoArgs, told: &Told, took: String) -> String {
    let duckdb = told.duckdb();
    match &args.keep {
        Some(keep) => format!(
            "\nA backup is Parquet. Without any of ours:\n\n$ {duckdb}\n\nThe files are in {}. All of it took {took}.\n",
            keep.display()
        ),
        None => format!(
            "\nA backup is Parquet. With --keep DIR the files stay, and this reads them without any of ours:\n\n$ {duckdb}\n\n\
             The files are removed now. All of it took {took}.\n"
        ),
    }
}

async fn demo(
    args: &DemoArgs,
    places: &Places,
    teller: &mut Teller,
    cancel: Cancel,
) -> Result<(String, Told), Stop> {
    let ctx = observed(cancel, teller.printer());
    let sample = Box::pin(sample::start(args.pg_bin.as_deref(), &ctx)).await?;
    teller.say(&format!(
        "Postgres {} on a private socket, with {} of sample data made in {}.\n",
        sample.version,
        units::size(sample.bytes),
        units::elapsed(sample.took)
    ))?;
    let story = Story {
        ctx: &ctx,
        sample: &sample,
        places,
        pg_bin: args.pg_bin.as_deref(),
    };
    let told = Box::pin(story.tell(teller)).await?;
    let version = sample.version.clone();
    sample.stop().await?;
    Ok((version, told))
}

fn observed(cancel: Cancel, printer: &Printer) -> OpContext {
    let printer = printer.clone();
    OpContext::new(cancel).with_observer(move |event: &Event| {
        if let Event::Warning { message } = event {
            printer.warning(message);
        }
    })
}

/// Where the files are.
struct Places {
    root: PathBuf,
    backups: PathBuf,
    export: PathBuf,
    /// The server's own bytes, to compare with.
    copies: PathBuf,
}

/// What is removed in the end.
struct Kept {
    temporary: tempfile::TempDir,
    /// The directory that was asked for. It goes too, unless all went well.
    asked: Option<tempfile::TempDir>,
}

impl Kept {
    fn keep_where_asked(self) {
        if let Some(asked) = self.asked {
            drop(asked.keep());
        }
        drop(self.temporary);
    }
}

impl Places {
    fn make(keep: Option<&Path>) -> Result<(Self, Kept), Error> {
        let failed = |source| {
            Error::new(ErrorKind::Storage, "cannot make a temporary directory").with_source(source)
        };
        let temporary = tempfile::Builder::new()
            .prefix("opskit-demo-")
            .tempdir()
            .map_err(failed)?;
        let asked = keep.map(make_new).transpose()?;
        let root = asked.as_ref().unwrap_or(&temporary).path().to_owned();
        let places = Self {
            backups: root.join("backups"),
            export: root.join("export"),
            copies: temporary.path().join("copies"),
            root,
        };
        Ok((places, Kept { temporary, asked }))
    }
}

/// Makes a directory that must not exist yet, and removes it unless it is kept.
fn make_new(path: &Path) -> Result<tempfile::TempDir, Error> {
    let failed = |source: std::io::Error| {
        let message = format!("cannot make directory \"{}\"", path.display());
        Error::new(ErrorKind::Storage, message).with_source(source)
    };
    let parent = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty());
    let name = path
        .file_name()
        .ok_or_else(|| failed(std::io::ErrorKind::InvalidInput.into()))?;
    tempfile::Builder::new()
        .prefix(name)
        .rand_bytes(0)
        .tempdir_in(parent.unwrap_or(Path::new(".")))
        .map_err(failed)
}
