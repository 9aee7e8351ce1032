//! The native half of the Python package: operations that run on a runtime of their own, and Arrow streams.
//!
//! Read `runtime`, `operation` (one asynchronous body, waited for by a thread or by an event loop), `error`,
//! `arrow` (batches as capsules), `stream` (an export that is read), then one file for each group of operations.
//! What users see is written in Python, in the package around this module.
#![expect(clippy::result_large_err, reason = "the error of pyo3 is large")]

mod arrow;
mod backup;
mod command;
mod database;
mod error;
mod event;
mod fan_out;
mod health;
mod mend;
mod migrate;
mod operation;
mod options;
mod repository;
mod runtime;
mod schema;
mod signals;
mod sink;
mod state;
mod stream;
mod upkeep;

use pyo3::prelude::*;

#[pymodule]
fn _opskit(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("ERROR_KINDS", error::kinds())?;
    module.add_class::<arrow::Batch>()?;
    module.add_class::<arrow::Schema>()?;
    module.add_class::<arrow::Table>()?;
    module.add_class::<database::Source>()?;
    module.add_class::<fan_out::FanOutPlan>()?;
    module.add_class::<fan_out::SnapshotPlan>()?;
    module.add_class::<operation::Operation>()?;
    module.add_class::<repository::Store>()?;
    module.add_class::<stream::Stream>()?;
    module.add_function(wrap_pyfunction!(command::main, module)?)?;
    module.add_function(wrap_pyfunction!(command::commands, module)?)?;
    module.add_function(wrap_pyfunction!(schema::schema_sql, module)?)?;
    module.add_function(wrap_pyfunction!(schema::schema_snapshot, module)?)?;
    module.add_function(wrap_pyfunction!(schema::schema_diff, module)?)?;
    module.add_function(wrap_pyfunction!(backup::backup_plan, module)?)?;
    module.add_function(wrap_pyfunction!(backup::backup, module)?)?;
    module.add_function(wrap_pyfunction!(fan_out::fan_out, module)?)?;
    module.add_function(wrap_pyfunction!(fan_out::run_part, module)?)?;
    module.add_function(wrap_pyfunction!(fan_out::snapshot, module)?)?;
    module.add_function(wrap_pyfunction!(fan_out::read_part, module)?)?;
    module.add_function(wrap_pyfunction!(migrate::migrate_status, module)?)?;
    module.add_function(wrap_pyfunction!(migrate::migrate_plan, module)?)?;
    module.add_function(wrap_pyfunction!(migrate::migrate_apply, module)?)?;
    module.add_function(wrap_pyfunction!(migrate::migrate_rehearse, module)?)?;
    module.add_function(wrap_pyfunction!(migrate::migrate_verify, module)?)?;
    module.add_function(wrap_pyfunction!(health::health, module)?)?;
    keeping(module)?;
    module.add_function(wrap_pyfunction!(runtime::shut_down, module)?)
}

fn keeping(module: &Bound<'_, PyModule>) -> PyResult<()> {
    module.add_function(wrap_pyfunction!(upkeep::show, module)?)?;
    module.add_function(wrap_pyfunction!(upkeep::history, module)?)?;
    module.add_function(wrap_pyfunction!(upkeep::history_verify, module)?)?;
    module.add_function(wrap_pyfunction!(upkeep::pin, module)?)?;
    module.add_function(wrap_pyfunction!(upkeep::unpin, module)?)?;
    module.add_function(wrap_pyfunction!(upkeep::copy, module)?)?;
    module.add_function(wrap_pyfunction!(upkeep::forget_plan, module)?)?;
    module.add_function(wrap_pyfunction!(upkeep::forget, module)?)?;
    module.add_function(wrap_pyfunction!(upkeep::prune_plan, module)?)?;
    module.add_function(wrap_pyfunction!(upkeep::prune, module)?)?;
    module.add_function(wrap_pyfunction!(mend::migrate_drift, module)?)?;
    module.add_function(wrap_pyfunction!(mend::migrate_accept_drift, module)?)?;
    module.add_function(wrap_pyfunction!(mend::migrate_baseline, module)?)?;
    module.add_function(wrap_pyfunction!(mend::migrate_repair, module)?)?;
    module.add_function(wrap_pyfunction!(state::state, module)?)?;
    module.add_function(wrap_pyfunction!(state::state_again, module)?)?;
    module.add_function(wrap_pyfunction!(state::state_diff, module)?)?;
    module.add_function(wrap_pyfunction!(health::health_probes, module)?)
}
