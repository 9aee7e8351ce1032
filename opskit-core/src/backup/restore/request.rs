//! What to restore, and how.

use crate::catalog::Pattern;
use crate::error::Result;
use std::time::Duration;

/// Which half of a backup is restored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Part {
    /// Objects and rows.
    #[default]
    Everything,
    /// Objects only.
    Schema,
    /// Rows only, into tables that exist.
    Data,
}

/// What becomes of objects that the target has already.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Existing {
    /// Those that the backup has too are a reason to refuse.
    #[default]
    Refuse,
    /// Everything in the schemas of the backup is dropped first, and what of it is in none; where only some tables
    /// were asked for, those alone. What would take along something that does not come back is refused.
    Drop,
}

/// What the first statement that fails means.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum OnError {
    /// The end.
    #[default]
    Stop,
    /// It is listed, and the others are tried.
    KeepGoing,
}

/// Whose code the backup is taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Trust {
    /// Somebody's: it never runs with a superuser's rights.
    #[default]
    Nobody,
    /// The target's role's own: everything runs over its session. Needed for what only a superuser
    /// creates.
    Backup,
}

/// Whether something of the backup is carried over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Carry {
    /// It is.
    #[default]
    Keep,
    /// It is left out.
    Leave,
}

/// What becomes of objects that need an extension that the target's server does not offer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Missing {
    /// They are a reason to refuse.
    #[default]
    Refuse,
    /// They are left out, and listed.
    Skip,
}

/// What becomes of roles of the backup that the target lacks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum MissingRoles {
    /// Those that objects need are a reason to refuse.
    #[default]
    Refuse,
    /// They are created, without passwords, which no backup has.
    Create,
}

/// What becomes of objects that do things by themselves: event triggers, jobs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Acting {
    /// They are as they were.
    #[default]
    AsStored,
    /// They are there and disabled, and nothing is read from other servers: a rehearsal.
    Disabled,
}

/// How many transactions a restore has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Transactions {
    /// One per table and per batch of statements.
    #[default]
    Many,
    /// One for everything, over one connection.
    One,
}

/// A restore: what, where things exist already, and with which care.
///
/// ```
/// use opskit_core::backup::restore::{Existing, RestoreRequest};
/// let request = RestoreRequest::default().with_jobs(4).with_existing(Existing::Drop);
/// assert_eq!(request.jobs, 4);
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct RestoreRequest {
    /// Tables, with what they need; everything when empty.
    pub only: Vec<Pattern>,
    /// Objects, rows or both.
    pub part: Part,
    /// What becomes of objects that exist.
    pub existing: Existing,
    /// Whether objects get the owners that they had. Otherwise they belong to the target's role.
    pub owners: Carry,
    /// Whether privileges are granted as they were.
    pub privileges: Carry,
    /// What a failure means.
    pub on_error: OnError,
    /// Whose code the backup is taken for.
    pub trust: Trust,
    /// What becomes of objects that need what the target lacks.
    pub missing: Missing,
    /// What becomes of roles that the target lacks.
    pub roles: MissingRoles,
    /// What becomes of objects that do things by themselves.
    pub acting: Acting,
    /// One transaction, or many.
    pub transactions: Transactions,
    /// Connections that work at the same time. Default 2.
    pub jobs: usize,
    /// How long to wait for a lock. Default 10 seconds.
    pub lock_timeout: Duration,
    /// How often a part is tried again after its connection was lost. Default 3.
    pub retries: u32,
}

impl Default for RestoreRequest {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            part: Part::default(),
            existing: Existing::default(),
            owners: Carry::default(),
            privileges: Carry::default(),
            on_error: OnError::default(),
            trust: Trust::default(),
            missing: Missing::default(),
            roles: MissingRoles::default(),
            acting: Acting::default(),
            transactions: Transactions::default(),
            jobs: 2,
            lock_timeout: Duration::from_secs(10),
            retries: 3,
        }
    }
}

impl RestoreRequest {
    /// Restores only the tables that these patterns match, with what they need.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed pattern.
    pub fn only<S: AsRef<str>>(mut self, patterns: impl IntoIterator<Item = S>) -> Result<Self> {
        let patterns = patterns.into_iter();
        let patterns: Result<Vec<_>> = patterns.map(|text| Pattern::parse(text.as_ref())).collect();
        self.only = patterns?;
        Ok(self)
    }

    /// Sets how many connections work at the same time; at least one.
    #[must_use]
    pub fn with_jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Sets which half is restored.
    #[must_use]
    pub fn with_part(mut self, part: Part) -> Self {
        self.part = part;
        self
    }

    /// Sets what becomes of objects that exist.
    #[must_use]
    pub fn with_existing(mut self, existing: Existing) -> Self {
        self.existing = existing;
        self
    }

    /// Sets whether objects get their owners.
    #[must_use]
    pub fn with_owners(mut self, owners: Carry) -> Self {
        self.owners = owners;
        self
    }

    /// Sets whether privileges are granted.
    #[must_use]
    pub fn with_privileges(mut self, privileges: Carry) -> Self {
        self.privileges = privileges;
        self
    }

    /// Sets what a failure means.
    #[must_use]
    pub fn with_on_error(mut self, on_error: OnError) -> Self {
        self.on_error = on_error;
        self
    }

    /// Sets whose code the backup is taken for.
    #[must_use]
    pub fn with_trust(mut self, trust: Trust) -> Self {
        self.trust = trust;
        self
    }

    /// Sets what becomes of roles that the target lacks.
    #[must_use]
    pub fn with_roles(mut self, roles: MissingRoles) -> Self {
        self.roles = roles;
        self
    }

    /// Sets whether everything is one transaction.
    #[must_use]
    pub fn with_transactions(mut self, transactions: Transactions) -> Self {
        self.transactions = transactions;
        self
    }
}
