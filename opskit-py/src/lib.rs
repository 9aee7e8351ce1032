//! The native half of the Python package: so far it knows its version and nothing else.
#![expect(clippy::result_large_err, reason = "the error of pyo3 is large")]

use pyo3::prelude::*;

#[pymodule]
fn _opskit(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
