//! The native half of the Python package: so far it knows its version and nothing else.

use pyo3::prelude::*;

#[pymodule]
fn _opskit(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))
}
