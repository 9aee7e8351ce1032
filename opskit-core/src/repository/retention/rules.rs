//! What is asked for.

use crate::config::Retention;
use crate::repository::BackupId;
use std::collections::BTreeMap;

/// Which rules hold for which target.
///
/// ```
/// use opskit_core::{config::Retention, repository::retention::Policy};
/// let mut rules = Retention::default();
/// rules.keep_last = Some(3);
/// let policy = Policy::for_all(rules.clone());
/// assert_eq!(policy.of(Some("shop")), Some(&rules));
/// assert_eq!(Policy::default().of(Some("shop")), None);
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Policy {
    /// Those of targets, by their names.
    pub targets: BTreeMap<String, Retention>,
    /// Those of all else. Without them, all of that is kept.
    pub others: Option<Retention>,
}

impl Policy {
    /// The same rules for everything.
    #[must_use]
    pub fn for_all(rules: Retention) -> Self {
        Self {
            targets: BTreeMap::new(),
            others: Some(rules),
        }
    }

    /// The rules for backups of a target. None where nobody says: all are kept.
    #[must_use]
    pub fn of(&self, target: Option<&str>) -> Option<&Retention> {
        let rules = target.and_then(|target| self.targets.get(target));
        rules
            .or(self.others.as_ref())
            .filter(|rules| rules.says_something())
    }

    /// The least number of verified backups that is to stay.
    pub(super) fn keep_verified(&self, target: Option<&str>) -> Option<u32> {
        let rules = target.and_then(|target| self.targets.get(target));
        rules.or(self.others.as_ref())?.keep_verified
    }
}

/// What holds when the last run of a database made no backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum AfterFailure {
    /// Nothing of that database goes.
    #[default]
    KeepAll,
    /// The rules hold all the same.
    GoOn,
}

/// What is asked for: rules, or backups by name.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct RetentionRequest {
    /// The rules.
    pub policy: Policy,
    /// Backups that are to go, whatever the rules say of them. Without any, the rules say which go.
    pub named: Vec<BackupId>,
    /// What holds after a failed run.
    pub after_failure: AfterFailure,
}

impl RetentionRequest {
    /// What these rules say.
    ///
    /// ```
    /// use opskit_core::repository::retention::{Policy, RetentionRequest};
    /// assert!(RetentionRequest::by(Policy::default()).named.is_empty());
    /// ```
    #[must_use]
    pub fn by(policy: Policy) -> Self {
        Self {
            policy,
            ..Self::default()
        }
    }

    /// These backups are to go, and no others.
    #[must_use]
    pub fn naming(mut self, ids: impl IntoIterator<Item = BackupId>) -> Self {
        self.named.extend(ids);
        self
    }

    /// The rules hold after a failed run too.
    #[must_use]
    pub fn even_after_failure(mut self) -> Self {
        self.after_failure = AfterFailure::GoOn;
        self
    }
}
