//! The runtime that all operations share. It starts with the first one, and belongs to the process that started it.

use opskit_core::cancel::{Cancel, CancelHandle};
use opskit_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio::runtime::{Builder, Handle, Runtime};

/// How long the interpreter waits at its end for requests to cancel that are on their way to a server.
pub(crate) const FAREWELL: Duration = Duration::from_secs(6);
/// Threads that may block: every stream that is open keeps one or two.
const BLOCKING_THREADS_MAX: usize = 4096;

static STARTED: OnceLock<Started> = OnceLock::new();

struct Started {
    process: u32,
    runtime: Runtime,
    stop: CancelHandle,
    stopped: Cancel,
}

impl Started {
    fn new() -> Result<Self> {
        let mut builder = Builder::new_multi_thread();
        builder
            .enable_all()
            .thread_name("opskit")
            .max_blocking_threads(BLOCKING_THREADS_MAX);
        let runtime = builder.build().map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot start the runtime").with_source(source)
        })?;
        let (stop, stopped) = Cancel::pair();
        Ok(Self {
            process: std::process::id(),
            runtime,
            stop,
            stopped,
        })
    }

    /// Threads do not survive a fork: in a child there is nobody to do the work.
    fn check_process(&self) -> Result<()> {
        if self.process == std::process::id() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Unsupported,
            "opskit was in use when this process was forked, and its threads are not here",
        )
        .with_hint(
            "Start children by \"spawn\" or \"forkserver\", or use opskit only after the fork.",
        ))
    }
}

fn started() -> Result<&'static Started> {
    let started = match STARTED.get() {
        Some(started) => started,
        None => {
            let new = Started::new()?;
            STARTED.get_or_init(|| new)
        }
    };
    started.check_process()?;
    Ok(started)
}

/// The runtime; an error of kind `Unsupported` in a forked child.
pub(crate) fn handle() -> Result<Handle> {
    Ok(started()?.runtime.handle().clone())
}

/// Runs `work` to its end, asking it to stop by `cancel` when the interpreter ends.
pub(crate) async fn until_shut_down<T>(cancel: CancelHandle, work: impl Future<Output = T>) -> T {
    let stopped = STARTED.get().map(|started| started.stopped.clone());
    passing_on(&stopped.unwrap_or_else(Cancel::never), &cancel, work).await
}

/// Runs `work` to its end, asking it to stop by `to` when `from` is asked.
pub(crate) async fn passing_on<T>(
    from: &Cancel,
    to: &CancelHandle,
    work: impl Future<Output = T>,
) -> T {
    let mut work = std::pin::pin!(work);
    tokio::select! {
        done = &mut work => return done,
        () = from.cancelled() => to.cancel(),
    }
    work.await
}

/// Cancels whatever still runs, and waits until servers were told.
#[pyfunction]
pub(crate) fn shut_down(py: Python<'_>) {
    let Some(started) = STARTED.get() else { return };
    if started.check_process().is_err() {
        return;
    }
    py.detach(|| {
        started.stop.cancel();
        let end = Instant::now() + FAREWELL;
        while started.runtime.metrics().num_alive_tasks() > 0 && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(5));
        }
    });
}
