//! What to read.

use super::Facts;
use crate::catalog::Scope;

/// What is read, and how secrets are made comparable.
///
/// ```
/// use opskit_core::catalog::{Scope, facts::FactsOptions};
/// let options = FactsOptions::new(Scope::default().ignoring(["scratchpad"]));
/// # let _ = options;
/// ```
#[derive(Debug, Clone, Default)]
pub struct FactsOptions {
    pub(crate) scope: Scope,
    pub(crate) salt: Option<String>,
}

impl FactsOptions {
    /// Everything in scope. Digests of secrets get a salt that nobody had before.
    #[must_use]
    pub fn new(scope: Scope) -> Self {
        Self { scope, salt: None }
    }

    /// What `facts` looked at, with their salt: to be compared with them.
    #[must_use]
    pub fn like(facts: &Facts) -> Self {
        Self {
            scope: facts.scope.clone(),
            salt: Some(facts.salt.clone()),
        }
    }
}
