//! The `opskit` command, as the wheel installs it.

use opskit_cli::{Environment, main_with};
use pyo3::prelude::*;
use std::ffi::OsString;

/// Runs the command with these arguments, the program's name first, and returns the status to end with.
#[pyfunction]
pub(crate) fn main(py: Python<'_>, arguments: Vec<OsString>) -> u8 {
    py.detach(|| main_with(arguments, Environment::from_process()))
}
