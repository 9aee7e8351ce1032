//! The `opskit` command: a thin shell around the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    let environment = opskit_cli::Environment::from_process();
    ExitCode::from(opskit_cli::main_with(std::env::args_os(), environment))
}
