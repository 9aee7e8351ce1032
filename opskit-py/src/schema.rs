//! The definitions of a database.

use crate::database::Source;
use crate::error::{apart, json, or_raise};
use crate::operation::Operation;
use crate::options::parse;
use opskit_core::catalog::Scope;
use opskit_core::catalog::ddl::{DdlOptions, Script};
use opskit_core::catalog::diff::{Compared, FactsDiff};
use opskit_core::catalog::facts::{Facts, FactsOptions};
use opskit_core::postgres::catalog::read_model;
use opskit_core::postgres::facts::read_facts;
use pyo3::prelude::*;
use serde::Deserialize;

/// The statements that make the schema again.
#[pyfunction]
pub(crate) fn schema_sql(py: Python<'_>, source: &Source) -> PyResult<Operation> {
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        let model = read_model(&ctx, &url, &Scope::default()).await?;
        let writing =
            move || Ok(Script::of(&model, &DdlOptions::new(model.server_version))?.to_string());
        apart(writing).await
    })
}

/// The facts as the document that `schema_diff` takes.
#[pyfunction]
pub(crate) fn schema_snapshot(py: Python<'_>, source: &Source) -> PyResult<Operation> {
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        let facts = read_facts(&ctx, &url, FactsOptions::default()).await?;
        apart(move || facts.to_json()).await
    })
}

/// What is different here from a snapshot, as JSON; and the same in words.
#[pyfunction]
pub(crate) fn schema_diff(
    py: Python<'_>,
    source: &Source,
    snapshot: String,
    options: &str,
) -> PyResult<Operation> {
    let options: DiffOptions = or_raise(py, parse(options))?;
    let url = source.0.clone();
    let compared = match options.objects_only {
        true => Compared::Objects,
        false => Compared::ObjectsAndCluster,
    };
    Operation::start(py, move |ctx| async move {
        let before = apart(move || Facts::from_json(snapshot.as_bytes())).await?;
        let now = read_facts(&ctx, &url, FactsOptions::like(&before)).await?;
        apart(move || {
            let diff = FactsDiff::between(&before, &now, compared);
            Ok((json(&diff)?, diff.to_string(), diff.is_empty()))
        })
        .await
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DiffOptions {
    #[serde(default)]
    objects_only: bool,
}
