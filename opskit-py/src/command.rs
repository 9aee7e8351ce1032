//! The `opskit` command, as the wheel installs it.

use opskit_cli::{Environment, command_line, main_with};
use pyo3::prelude::*;
use std::ffi::OsString;

/// Runs the command with these arguments, the program's name first, and returns the status to end with.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| main_with(arguments, Environment::from_process()))
}

/// All commands that do something, for the test that the package can do the same: `migrate apply`.
#[pyfunction]
pub(crate) fn commands() -> Vec<String> {
    let mut found = Vec::new();
    let mut open = vec![(String::new(), command_line())];
    while let Some((path, command)) = open.pop() {
        // Some do something by themselves, and have others below.
        if !command.is_subcommand_required_set() {
            found.push(path.clone());
        }
        let below = command.get_subcommands().cloned();
        open.extend(below.map(|one| {
            (
                format!("{path} {}", one.get_name()).trim_start().to_owned(),
                one,
            )
        }));
    }
    found.sort();
    found
}
