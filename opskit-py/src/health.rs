//! How a server is.

use crate::database::Source;
use crate::error::{json, or_raise};
use crate::operation::Operation;
use crate::options::{Seconds, parse};
use opskit_core::Result;
use opskit_core::health::{HealthReport, HealthRequest, check, probes};
use pyo3::prelude::*;
use serde::{Deserialize, Serialize};

/// Asks every probe. An earlier report of the same server, as JSON, is what counters are compared with.
#[pyfunction]
#[pyo3(signature = (source, options, before=None))]
pub(crate) fn health(
    py: Python<'_>,
    source: &Source,
    options: &str,
    before: Option<&str>,
) -> PyResult<Operation> {
    let request = or_raise(py, request(options, before))?;
    let url = source.0.clone();
    Operation::start(py, move |ctx| async move {
        json(&Box::pin(check(&ctx, &url, &probes(), &request)).await?)
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct HealthOptions {
    #[serde(default)]
    only: Vec<String>,
    deadline: Option<Seconds>,
    probe_deadline: Option<Seconds>,
}

fn request(options: &str, before: Option<&str>) -> Result<HealthRequest> {
    let options: HealthOptions = parse(options)?;
    let mut request = HealthRequest::default();
    request.only = options.only;
    request.before = before
        .map(|text| HealthReport::from_json(text.as_bytes()))
        .transpose()?;
    if let Some(Seconds(time)) = options.deadline {
        request.deadline = time;
    }
    if let Some(Seconds(time)) = options.probe_deadline {
        request.probe_deadline = time;
    }
    Ok(request)
}

#[derive(Debug, Serialize)]
struct ListedProbe<'p> {
    id: &'p str,
    about: &'p str,
    remedy: &'p str,
}

/// The probes that there are, as JSON.
#[pyfunction]
pub(crate) fn health_probes(py: Python<'_>) -> PyResult<String> {
    let probes = probes();
    let listed: Vec<ListedProbe<'_>> = probes
        .iter()
        .map(|probe| ListedProbe {
            id: probe.id(),
            about: probe.about(),
            remedy: probe.remedy(),
        })
        .collect();
    or_raise(py, json(&listed))
}
