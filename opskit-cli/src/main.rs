//! The `opskit` command: a thin shell around the library of this crate.

use std::process::ExitCode;

fn main() -> ExitCode {
    opskit_cli::main_with(std::env::args_os(), opskit_cli::Environment::from_process())
}
