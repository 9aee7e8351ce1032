//! The runtime of a command: signals cancel it, and it ends in order.

use crate::exit::Stop;
use crate::printer::Printer;
use opskit_core::cancel::{Cancel, CancelHandle};
use opskit_core::{Error, ErrorKind};
use std::time::Duration;
use tokio::runtime::{Builder, Handle};
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep};

/// How long an ended command waits for requests to cancel that are on their way to the server.
const FAREWELL: Duration = Duration::from_secs(6);
/// How long it waits for threads that still write.
const THREADS: Duration = Duration::from_secs(2);

/// Runs `work` to its end. The first Ctrl-C or SIGTERM cancels it; the second ends the process.
pub(crate) fn block_on<T>(
    printer: &Printer,
    work: impl AsyncFnOnce(Cancel) -> Result<T, Stop>,
) -> Result<T, Stop> {
    let runtime = Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot start the runtime").with_source(source)
        })?;
    let result = runtime.block_on(async {
        let (handle, cancel) = Cancel::pair();
        let signals = Signals::install()?;
        let watcher = tokio::spawn(signals.watch(handle, printer.clone()));
        let result = Box::pin(work(cancel)).await;
        if result.is_err() {
            drain().await;
        }
        watcher.abort();
        result
    });
    runtime.shutdown_timeout(THREADS);
    result
}

/// Waits until only the watcher of the signals is left: dropped connections cancel their statements
/// on tasks of their own, which would end with the runtime.
async fn drain() {
    let end = Instant::now() + FAREWELL;
    while Handle::current().metrics().num_alive_tasks() > 1 && Instant::now() < end {
        sleep(Duration::from_millis(5)).await;
    }
}

/// Whether the process was started with SIGHUP ignored, as `nohup` does.
fn hang_up_is_ignored() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    // Signal 1 is the lowest bit.
    mask.is_some_and(|mask| mask & 1 != 0)
}

async fn hung_up(signal: Option<&mut Signal>) {
    match signal {
        Some(signal) => {
            signal.recv().await;
        }
        None => std::future::pending().await,
    }
}

struct Signals {
    interrupt: Signal,
    terminate: Signal,
    /// A terminal that goes away; none where `nohup` asked to live on.
    hang_up: Option<Signal>,
}

impl Signals {
    fn install() -> Result<Self, Error> {
        let install = |kind| {
            signal(kind).map_err(|source| {
                Error::new(ErrorKind::Internal, "cannot watch for signals").with_source(source)
            })
        };
        Ok(Self {
            interrupt: install(SignalKind::interrupt())?,
            terminate: install(SignalKind::terminate())?,
            hang_up: if hang_up_is_ignored() {
                None
            } else {
                Some(install(SignalKind::hangup())?)
            },
        })
    }

    async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
            () = hung_up(self.hang_up.as_mut()) => {}
        }
    }

    async fn watch(mut self, handle: CancelHandle, printer: Printer) {
        self.next().await;
        handle.cancel();
        printer.note("cancelling; once more ends at once");
        self.next().await;
        end_now();
    }
}

#[expect(
    clippy::exit,
    reason = "asked for a second time: nothing may hold it up"
)]
fn end_now() -> ! {
    std::process::exit(i32::from(ErrorKind::Cancelled.exit_code()))
}
