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

/// What differs from the defaults: thresholds by the probe's id, and by the object that a probe names.
///
/// ```
/// use opskit_core::health::{Limits, Threshold};
/// let strict = Threshold { warn: 5.0, fail: 10.0 };
/// let limits = Limits::default().with("transactions.idle", strict);
/// assert!(limits.of("transactions.idle").is_some());
/// let limits = limits.with_object("sequences.exhaustion", "public.orders_id_seq", strict);
/// assert!(limits.of_object("sequences.exhaustion", "public.orders_id_seq").is_some());
/// assert!(limits.of_object("sequences.exhaustion", "public.other_id_seq").is_none());
/// ```
#[derive(Debug, Clone, Default, PartialEq)]
#[non_exhaustive]
pub struct Limits {
    probes: BTreeMap<String, Threshold>,
    objects: BTreeMap<(String, String), Threshold>,
    /// How large the server's disk is, in bytes: servers do not tell.
    pub disk: Option<u64>,
}

impl Limits {
    /// Sets the threshold of a probe.
    #[must_use]
    pub fn with(mut self, id: impl Into<String>, threshold: Threshold) -> Self {
        self.probes.insert(id.into(), threshold);
        self
    }

    /// Sets the threshold of a probe for one object, as its findings name it.
    #[must_use]
    pub fn with_object(
        mut self,
        id: impl Into<String>,
        object: impl Into<String>,
        threshold: Threshold,
    ) -> Self {
        let key = (id.into(), object.into());
        self.objects.insert(key, threshold);
        self
    }

    /// The threshold of a probe, where one was set.
    #[must_use]
    pub fn of(&self, id: &str) -> Option<Threshold> {
        self.probes.get(id).copied()
    }

    /// The threshold of a probe for an object: its own, else that of the probe, where one was set.
    #[must_use]
    pub fn of_object(&self, id: &str, object: &str) -> Option<Threshold> {
        let own = self.objects.get(&(id.to_owned(), object.to_owned()));
        own.copied().or_else(|| self.of(id))
    }

    /// The probes that a threshold was set for.
    pub(super) fn ids(&self) -> impl Iterator<Item = &str> {
        let objects = self.objects.keys().map(|(id, _)| id);
        self.probes.keys().chain(objects).map(String::as_str)
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

    /// Why the probe does not apply, where that is all there is to say.
    pub(super) fn skipped(&self) -> Option<&str> {
        let row = self.rows.first()?;
        (Self::field(row, 1) == Some("skipped"))
            .then(|| Self::field(row, 2).unwrap_or("it does not apply here"))
    }
}

/// One question about a server's health.
///
/// `sample` asks, `judge` decides and asks nobody: every threshold can be tested without a server. A probe that could
/// not have seen its problem says [`State::Unknown`](super::State::Unknown), never `pass`.
#[async_trait]
pub trait HealthProbe: std::fmt::Debug + Send + Sync {
    /// Its name, such as `locks.blocked`. Never changes.
    fn id(&self) -> &str;

    /// What it looks for, in one line, with the unit of its threshold.
    fn about(&self) -> &str;

    /// What to do when it is not green.
    fn remedy(&self) -> &str;

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
