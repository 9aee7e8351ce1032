//! `HealthProbe`, and what it is given.

use super::server::{Server, ServerIdentity};
use super::verdict::{Reason, Verdict};
use crate::error::Result;
use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// From which reading on a probe warns, and fails. The unit is that of the probe.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[expect(
    clippy::exhaustive_structs,
    reason = "there is nothing between the two"
)]
pub struct Threshold {
    /// Warns from here on.
    pub warn: f64,
    /// Fails from here on.
    pub fail: f64,
}

/// Thresholds that differ from the defaults, by the probe's id.
///
/// ```
/// use opskit_core::health::{Limits, Threshold};
/// let limits = Limits::default().with("transactions.idle", Threshold { warn: 5.0, fail: 10.0 });
/// assert!(limits.of("transactions.idle").is_some());
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits(BTreeMap<String, Threshold>);

impl Limits {
    /// Sets the threshold of a probe.
    #[must_use]
    pub fn with(mut self, id: impl Into<String>, threshold: Threshold) -> Self {
        self.0.insert(id.into(), threshold);
        self
    }

    /// The threshold of a probe, where one was set.
    #[must_use]
    pub fn of(&self, id: &str) -> Option<Threshold> {
        self.0.get(id).copied()
    }
}

/// What a role must be allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Needs {
    /// To connect.
    Nothing,
    /// To see all sessions, statistics and settings, as members of `pg_monitor` may.
    Monitor,
}

/// What must be so before a probe can see its problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(clippy::exhaustive_structs, reason = "probes of others state them")]
pub struct Requirements {
    /// The lowest major version that tells.
    pub version: u32,
    /// What the role must be allowed.
    pub needs: Needs,
}

impl Requirements {
    /// Why a probe with these would be blind on this server, if it would be.
    #[must_use]
    pub fn unmet(&self, server: &ServerIdentity) -> Option<Verdict> {
        if server.version_num / 10_000 < self.version {
            let because = format!("needs Postgres {} or newer", self.version);
            return Some(Verdict::unknown(Reason::Version, because));
        }
        if self.needs == Needs::Monitor && !server.is_monitor {
            let because = format!("role \"{}\" is no member of pg_monitor", server.role);
            let cure = format!(
                "GRANT pg_monitor TO {};",
                crate::name::quote_ident(&server.role)
            );
            return Some(Verdict::unknown(Reason::Privilege, because).cured_by(cure));
        }
        None
    }
}

/// What a server answered: rows of an object, a reading and words about it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[expect(clippy::exhaustive_structs, reason = "probes of others fill it")]
pub struct Sample {
    /// The rows, as text.
    pub rows: Vec<Vec<Option<String>>>,
}

impl Sample {
    /// A field of the row, where there is one that is not NULL.
    pub(super) fn field(row: &[Option<String>], at: usize) -> Option<&str> {
        row.get(at)?.as_deref()
    }
}

/// One question about a server's health.
///
/// `sample` asks, `judge` decides and asks nobody: every threshold can be tested without a server. A probe that could
/// not have seen its problem says [`State::Unknown`](super::State::Unknown), never `pass`.
#[async_trait]
pub trait HealthProbe: std::fmt::Debug + Send + Sync {
    /// Its name, such as `locks.blocked`. Never changes.
    fn id(&self) -> &'static str;

    /// What it looks for, in one line, with the unit of its threshold.
    fn about(&self) -> &'static str;

    /// What to do when it is not green.
    fn remedy(&self) -> &'static str;

    /// What must be so before it can see.
    fn requires(&self) -> Requirements;

    /// From which reading on it warns and fails, where it reads a number.
    fn threshold(&self) -> Option<Threshold> {
        None
    }

    /// Asks the server.
    ///
    /// # Errors
    /// As the server's: the runner makes a verdict of each.
    async fn sample(&self, server: &mut Server) -> Result<Sample>;

    /// Decides. `before` is the sample of an earlier run, which counters need.
    fn judge(&self, now: &Sample, before: Option<&Sample>, limits: &Limits) -> Verdict;
}
