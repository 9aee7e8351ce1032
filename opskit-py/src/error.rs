//! Errors of the library as exceptions. The classes are written in Python; here one is picked.

use opskit_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use serde::Serialize;

/// The word of every kind, for the test that each has its class.
pub(crate) fn kinds() -> Vec<&'static str> {
    ErrorKind::ALL.iter().map(|kind| kind.as_str()).collect()
}

/// The exception of an error.
pub(crate) fn raised(py: Python<'_>, error: &Error) -> PyErr {
    match exception(py, error) {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// The exception as an object.
pub(crate) fn exception<'py>(py: Python<'py>, error: &Error) -> PyResult<Bound<'py, PyAny>> {
    let make = py.import("opskit._errors")?.getattr("of_kind")?;
    make.call1((
        error.kind().as_str(),
        error.chain(),
        error.hint(),
        error.sqlstate(),
    ))
}

/// The value, or the exception.
pub(crate) fn or_raise<T>(py: Python<'_>, result: Result<T>) -> PyResult<T> {
    result.map_err(|error| raised(py, &error))
}

/// A report as text that Python reads.
pub(crate) fn json(value: &impl Serialize) -> Result<String> {
    serde_json::to_string(value).map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot write the report").with_source(source)
    })
}

/// Work of the library that blocks, on a thread that may.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|source| Error::new(ErrorKind::Internal, "the work stopped").with_source(source))?
}
