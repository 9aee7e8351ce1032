//! What tables hold, and what changed since.

use crate::database::Source;
use crate::error::{json, or_raise};
use crate::operation::Operation;
use crate::options::parse;
use opskit_core::Result;
use opskit_core::state::{State, StateDiff, StateRequest, capture, recapture};
use pyo3::prelude::*;
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StateOptions {
    tables: Option<Vec<String>>,
    jobs: Option<usize>,
}

/// Rows and fingerprints of tables at one instant, as JSON.
#[pyfunction]
pub(crate) fn state(py: Python<'_>, source: &Source, options: &str) -> PyResult<Operation> {
    let options: StateOptions = or_raise(py, parse(options))?;
    let mut request = StateRequest::default();
    request.tables = options.tables.unwrap_or(request.tables);
    request.jobs = options.jobs.unwrap_or(request.jobs);
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        json(&Box::pin(capture(&ctx, &url, &request)).await?)
    })
}

/// The same tables once more, as JSON.
#[pyfunction]
pub(crate) fn state_again(
    py: Python<'_>,
    source: &Source,
    before: &str,
    jobs: usize,
) -> PyResult<Operation> {
    let before = or_raise(py, State::from_json(before.as_bytes()))?;
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        json(&Box::pin(recapture(&ctx, &url, &before, jobs)).await?)
    })
}

/// What changed from one to the other, as JSON.
#[pyfunction]
pub(crate) fn state_diff(py: Python<'_>, before: &str, after: &str) -> PyResult<String> {
    let diff = || -> Result<String> {
        let read = |text: &str| State::from_json(text.as_bytes());
        json(&StateDiff::between(&read(before)?, &read(after)?))
    };
    or_raise(py, diff())
}
