//! What a run found, as a plain value.

use super::probe::Sample;
use super::server::ServerIdentity;
use super::verdict::{State, Verdict};
use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// The version of the document.
pub(super) const FORMAT: u32 = 1;

/// What one probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct ProbeResult {
    /// Of the probe.
    pub id: String,
    /// What to do when it is not green.
    pub remedy: String,
    /// What it found.
    #[serde(flatten)]
    pub verdict: Verdict,
    /// What the server answered, where it did; a later run compares counters with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sample: Option<Sample>,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// What a run found, and about which server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct HealthReport {
    /// The version of the document, 1.
    pub format: u32,
    /// Which server, and who asked.
    pub server: ServerIdentity,
    /// When, in UTC.
    pub started_at: String,
    /// How long it took.
    pub elapsed_ms: u64,
    /// One per probe, in the order in which they were asked.
    pub results: Vec<ProbeResult>,
}

impl HealthReport {
    /// Reads a report that was written as JSON.
    ///
    /// # Errors
    /// `Damaged` where it is no report; `Unsupported` where a newer version wrote it.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let report: Self = serde_json::from_slice(bytes).map_err(|source| {
            Error::new(ErrorKind::Damaged, "this is no report of `opskit health`")
                .with_source(source)
        })?;
        if report.format == FORMAT {
            return Ok(report);
        }
        let message = format!("reports of format {} are not known", report.format);
        Err(Error::new(ErrorKind::Unsupported, message)
            .with_hint("A newer opskit wrote it; update this one."))
    }

    /// The worst state of all.
    #[must_use]
    pub fn worst(&self) -> State {
        let states = self.results.iter().map(|result| result.verdict.state);
        states.max().unwrap_or(State::Unknown)
    }

    /// Whether anything failed or could not be seen. A run in which nothing was asked saw nothing.
    #[must_use]
    pub fn blocks(&self) -> bool {
        self.worst().blocks()
    }

    /// What blocks here and did not in `baseline`: probe and object, the object empty where the probe saw nothing.
    #[must_use]
    pub fn new_since(&self, baseline: &Self) -> Vec<(String, String)> {
        let old = baseline.blocking();
        self.blocking().difference(&old).cloned().collect()
    }

    fn blocking(&self) -> BTreeSet<(String, String)> {
        let mut all = BTreeSet::new();
        for result in &self.results {
            let found = result.verdict.findings.iter();
            let objects: Vec<_> = found
                .filter(|finding| finding.state.blocks())
                .map(|finding| finding.object.clone())
                .collect();
            if objects.is_empty() && result.verdict.state.blocks() {
                all.insert((result.id.clone(), String::new()));
            }
            all.extend(
                objects
                    .into_iter()
                    .map(|object| (result.id.clone(), object)),
            );
        }
        all
    }
}
