//! Ctrl-C while a thread waits in here.

use pyo3::prelude::*;
use std::time::Duration;

/// How often a thread that waits looks for signals.
pub(crate) const TICK: Duration = Duration::from_millis(50);

/// Whether somebody interrupted the program, asked by a reader that may not raise anything.
///
/// Only the main thread may look: it alone runs handlers, and it holds the interpreter's lock or can have it. Any
/// other thread could be waited for by one that has the lock.
pub(crate) fn interrupted() -> bool {
    if !is_main_thread() {
        return false;
    }
    let asked = Python::try_attach(|py| py.check_signals().is_err() && raise_again(py).is_ok());
    asked.unwrap_or(false)
}

/// The handler ran, and what it raised is lost here: it has to come up again behind the caller's own error.
fn raise_again(py: Python<'_>) -> PyResult<()> {
    py.import("_thread")?.call_method0("interrupt_main")?;
    Ok(())
}

fn is_main_thread() -> bool {
    rustix::thread::gettid() == rustix::process::getpid()
}
