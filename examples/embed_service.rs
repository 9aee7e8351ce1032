//! A service that keeps backups of one database: on a schedule, with progress, verified, until it is
//! told to stop.
//!
//! ```sh
//! DATABASE_URL=postgres://app@localhost/shop BACKUP_REPO=backups BACKUP_EVERY=24h \
//!   cargo run --release -p opskit-examples --example embed_service
//! ```
//!
//! Without a `DATABASE_URL` it shows itself: it takes a throw-away server with a few rows, makes two
//! backups a second apart, and ends.
#![expect(clippy::print_stderr, reason = "an example may talk")]

use opskit_core::backup::{BackupRequest, backup};
use opskit_core::cancel::{Cancel, CancelHandle};
use opskit_core::config::parse_duration;
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
use opskit_core::postgres::wire::WireConnection;
use opskit_core::repository::{Overdue, Repository, RunStatus, VerifyLevel};
use opskit_core::scratch::ScratchServer;
use opskit_core::{Error, ErrorKind, Result};
use std::path::PathBuf;
use std::time::{Duration, Instant, SystemTime};
use tokio::signal::unix::{SignalKind, signal};

/// The name of the database in the history: whether it is overdue is asked by it.
const TARGET: &str = "shop";
/// How soon a backup is tried again that failed for something that may pass.
const TRY_AGAIN: Duration = Duration::from_secs(60);

/// What the service is told.
struct Settings {
    url: DatabaseUrl,
    repository: PathBuf,
    every: Duration,
    /// The backups after which it ends by itself; none for a service.
    rounds: Option<u32>,
}

#[tokio::main]
async fn main() -> Result<()> {
    let (stop, cancel) = Cancel::pair();
    stop_on_signals(stop)?;
    match std::env::var("DATABASE_URL") {
        Ok(url) => {
            let variable = |name, default: &str| std::env::var(name).unwrap_or(default.to_owned());
            let every = parse_duration(&variable("BACKUP_EVERY", "24h"));
            let settings = Settings {
                url: DatabaseUrl::parse(&url, &ConnectEnv::from_process())?,
                repository: variable("BACKUP_REPO", "backups").into(),
                every: every.map_err(|hint| Error::new(ErrorKind::InvalidInput, hint))?,
                rounds: None,
            };
            Box::pin(serve(&settings, &cancel)).await
        }
        Err(_) => Box::pin(show(&cancel)).await,
    }
}

/// Asks everything to stop at the first Ctrl-C or SIGTERM. Whatever runs then cancels on the server too.
fn stop_on_signals(stop: CancelHandle) -> Result<()> {
    let install = |kind| {
        signal(kind).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot watch for signals").with_source(source)
        })
    };
    let mut interrupt = install(SignalKind::interrupt())?;
    let mut terminate = install(SignalKind::terminate())?;
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        eprintln!("stopping");
        stop.cancel();
    });
    Ok(())
}

/// Makes backups when they are due, until it is cancelled.
async fn serve(settings: &Settings, cancel: &Cancel) -> Result<()> {
    let repository = Repository::create(&settings.repository)?;
    tell_history(&repository)?;
    let mut round = 0;
    loop {
        if let Some(overdue) =
            repository.overdue(TARGET, settings.every, SystemTime::now().into())?
        {
            match overdue {
                Overdue::By(late) => eprintln!("the backup is overdue by {} s", late.as_secs()),
                _ => eprintln!("there is no backup yet"),
            }
        }
        let begun = Instant::now();
        let pause = match Box::pin(make_backup(settings, &repository, cancel)).await {
            Ok(()) => settings.every,
            Err(error) if error.kind() == ErrorKind::Cancelled => break,
            // The repository has a record of the failure; a service goes on.
            Err(error) => {
                eprintln!("the backup failed: {}", error.chain().join(": "));
                match error.is_retryable() {
                    true => TRY_AGAIN.min(settings.every),
                    false => settings.every,
                }
            }
        };
        round += 1;
        if settings.rounds.is_some_and(|rounds| round >= rounds) {
            break;
        }
        tokio::select! {
            () = cancel.cancelled() => break,
            () = tokio::time::sleep(pause.saturating_sub(begun.elapsed())) => {}
        }
    }
    tell_history(&repository)
}

/// One backup, and the check that its files are what they must be.
async fn make_backup(settings: &Settings, repository: &Repository, cancel: &Cancel) -> Result<()> {
    let ctx = OpContext::new(cancel.clone()).with_observer(progress);
    let request = BackupRequest::new().with_jobs(2).with_target(TARGET);
    let report = Box::pin(backup(&ctx, &settings.url, repository, request)).await?;
    for warning in &report.warnings {
        eprintln!("warning: {warning}");
    }
    eprintln!(
        "{}: {} rows, {} bytes",
        report.id, report.rows, report.stored_bytes
    );
    // It reads files, which must not hold up the runtime.
    let repository = repository.clone();
    let verifying = tokio::task::spawn_blocking(move || {
        repository.verify(&ctx, &report.id, VerifyLevel::Decode)
    });
    let verified = verifying.await.map_err(|source| {
        Error::new(ErrorKind::Internal, "the verification stopped").with_source(source)
    })??;
    for fault in &verified.faults {
        eprintln!("{}: {}", fault.object, fault.problem);
    }
    match verified.is_sound() {
        true => eprintln!("{}: verified, {} rows decoded", verified.id, verified.rows),
        false => return Err(Error::new(ErrorKind::Damaged, "the backup is damaged")),
    }
    Ok(())
}

/// Called on the task that does the work: it must not block.
fn progress(event: &Event) {
    match event {
        Event::RunStarted { tables, parts, .. } => eprintln!("{tables} tables in {parts} parts"),
        Event::TableFinished { table, rows } => eprintln!("  {table}: {rows} rows"),
        Event::PartRetried { table, reason, .. } => eprintln!("  {table} again: {reason}"),
        Event::Warning { message } => eprintln!("warning: {message}"),
        _ => {}
    }
}

fn tell_history(repository: &Repository) -> Result<()> {
    for run in repository.history()? {
        let ended = match &run.error {
            None => format!("{} rows", run.rows),
            Some(error) => error.messages.join(": "),
        };
        let status = match run.status {
            RunStatus::Success => "success",
            RunStatus::Cancelled => "cancelled",
            _ => "failed",
        };
        eprintln!(
            "history: {} {status} in {} ms: {ended}",
            run.id, run.duration_ms
        );
    }
    Ok(())
}

/// The service on a throw-away server, for two rounds.
async fn show(cancel: &Cancel) -> Result<()> {
    let ctx = OpContext::new(cancel.clone());
    let server = Box::pin(ScratchServer::builder().start(&ctx)).await?;
    let url = DatabaseUrl::parse(&server.url("postgres"), &ConnectEnv::default())?;
    let mut session = WireConnection::connect(&url, cancel).await?;
    let rows =
        "create table orders as select i as id, now() as placed from generate_series(1, 1000) i";
    session.execute(rows).await?;
    session.close().await;
    let place = std::env::temp_dir().join(format!("opskit-embed-{}", std::process::id()));
    let settings = Settings {
        url,
        repository: place.clone(),
        every: Duration::from_secs(1),
        rounds: Some(2),
    };
    let served = Box::pin(serve(&settings, cancel)).await;
    let removed = std::fs::remove_dir_all(&place);
    server.stop().await?;
    served?;
    removed.map_err(|source| {
        Error::new(ErrorKind::Storage, "cannot remove the sample repository").with_source(source)
    })
}
