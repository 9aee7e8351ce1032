//! The library's spans and events on standard error, with `--verbose`.

use crate::printer::{Printer, Verbosity};
use tracing_subscriber::EnvFilter;

/// Installs the subscriber, unless the program around us has one.
pub(crate) fn install(printer: &Printer) {
    if printer.verbosity() != Verbosity::Verbose {
        return;
    }
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new("opskit_core=debug,opskit_cli=debug"))
        .with_writer(std::io::stderr)
        .with_ansi(printer.has_colour())
        .finish();
    // A subscriber that is there already is somebody's choice.
    let _ = tracing::subscriber::set_global_default(subscriber);
}
