//! Running statements one after the other: over whose session, in which transaction, and what a failure
//! means.

use super::allowed;
use super::guard::Guard;
use super::report::Failure;
use super::request::{OnError, Transactions};
use crate::catalog::ddl::{Action, Statement};
use crate::catalog::{Address, CatalogId};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{quote_ident, start_of};
use crate::postgres::wire::WireConnection;
use std::collections::HashSet;

/// The most that is told of an object: a stored name may be of any size.
const OBJECT_BYTES_MAX: usize = 512;

/// How many statements make a transaction.
const BATCH: usize = 500;

/// Whose session a statement runs over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Who {
    /// The target's role's.
    Admin,
    /// One that has no more rights than a restore needs.
    Worker,
}

/// Whose session a statement must run over where the target's role is a superuser.
pub(super) fn who(statement: &Statement) -> Who {
    let by_class = matches!(
        statement.about.catalog,
        CatalogId::NAMESPACE
            | CatalogId::EXTENSION
            | CatalogId::PUBLICATION
            | CatalogId::PUBLICATION_TABLE
            | CatalogId::PUBLICATION_SCHEMA
            | CatalogId::DEFAULT_ACL
    );
    // What says something about an object is written by us. What makes one may be anybody's text, whatever
    // section its needs have moved it to.
    if by_class || statement.on.is_some() {
        Who::Admin
    } else {
        Who::Worker
    }
}

/// What the statements of a restore have in common.
#[derive(Debug)]
pub(super) struct Steps {
    pub(super) on_error: OnError,
    pub(super) transactions: Transactions,
    /// The temporary login, where there is one.
    pub(super) login: Option<String>,
    /// What the superuser's session may say something about, once everything is made.
    pub(super) guard: Option<Guard>,
    /// What a platform may not allow: on tables of its own.
    pub(super) optional: HashSet<Address>,
    /// What it did not allow: address and, in words, the object and why.
    pub(super) denied: Vec<(Address, String, String)>,
    pub(super) failures: Vec<Failure>,
    pub(super) done: usize,
}

impl Steps {
    /// Runs statements in their order; `admin` and `worker` are the same session's where there is no
    /// login.
    pub(super) async fn run(
        &mut self,
        admin: &mut WireConnection,
        worker: &mut WireConnection,
        statements: &[Statement],
    ) -> Result<()> {
        let mut rest = statements;
        while let Some(first) = rest.first() {
            let whose = self.who(first);
            let same = rest
                .iter()
                .take_while(|next| self.who(next) == whose)
                .count();
            let (batch, others) = rest.split_at(same.min(BATCH));
            let session = match whose {
                Who::Admin => &mut *admin,
                Who::Worker => &mut *worker,
            };
            self.batch(session, whose, batch).await?;
            rest = others;
        }
        Ok(())
    }

    pub(super) fn who(&self, statement: &Statement) -> Who {
        match self.login {
            Some(_) => who(statement),
            None => Who::Worker,
        }
    }

    /// Runs statements in one transaction, unless each failure is to be passed over.
    pub(super) async fn batch(
        &mut self,
        session: &mut WireConnection,
        whose: Who,
        batch: &[Statement],
    ) -> Result<()> {
        let own = self.is_batch();
        if own {
            session.execute("BEGIN").await?;
        }
        for statement in batch {
            if let Err(error) = self.one(session, whose, statement).await {
                if own {
                    // The transaction is lost; its end is not worth an error of its own.
                    let _ = session.execute("ROLLBACK").await;
                }
                self.failed(&statement.object, error)?;
            }
        }
        if own {
            session.execute("COMMIT").await?;
        }
        Ok(())
    }

    /// Whether statements share a transaction, which one that fails ends.
    fn is_batch(&self) -> bool {
        self.transactions == Transactions::Many && self.on_error == OnError::Stop
    }

    async fn one(
        &mut self,
        session: &mut WireConnection,
        whose: Who,
        statement: &Statement,
    ) -> Result<()> {
        if whose == Who::Admin && self.login.is_some() {
            allowed::check(statement)?;
            if let Some(guard) = &self.guard {
                guard.check(statement)?;
            }
        }
        match (&statement.as_role, &self.guard) {
            (Some(role), _) => as_role(session, role, &statement.sql).await?,
            (None, Some(guard)) if guard.is_grave(statement) => {
                guard.give(session, statement).await?;
            }
            (None, _) => drop(session.query_one(&statement.sql).await?),
        }
        self.done += 1;
        if let Some(sql) = self.handover(statement) {
            session.query_one(&sql).await?;
        }
        Ok(())
    }

    /// What the superuser's session makes for the login to work in belongs to the login until the end.
    fn handover(&self, statement: &Statement) -> Option<String> {
        let login = self
            .login
            .as_ref()
            .filter(|_| statement.action == Action::Create)?;
        let class = match statement.about.catalog {
            CatalogId::NAMESPACE => "SCHEMA",
            CatalogId::PUBLICATION => "PUBLICATION",
            _ => return None,
        };
        let name = statement.sql.strip_prefix(&format!("CREATE {class} "))?;
        let name = first_identifier(name)?;
        Some(format!(
            "ALTER {class} {name} OWNER TO {}",
            quote_ident(login)
        ))
    }

    /// As [`Self::failed`], but for what a platform does not allow on its tables, or has no table for.
    pub(super) fn failed_at(&mut self, statement: &Statement, error: Error) -> Result<()> {
        let is_denied = matches!(
            error.kind(),
            ErrorKind::PermissionDenied | ErrorKind::NotFound
        );
        if is_denied && self.optional.contains(&statement.about) {
            let object = statement.object.clone();
            let why = error.chain().join(": ");
            self.denied.push((statement.about, object, why));
            return Ok(());
        }
        self.failed(&statement.object, error)
    }

    /// Notes a failure, or ends with it.
    pub(super) fn failed(&mut self, object: &str, error: Error) -> Result<()> {
        let fatal = matches!(
            error.kind(),
            ErrorKind::Connection | ErrorKind::Cancelled | ErrorKind::Damaged
        );
        let object = start_of(object, OBJECT_BYTES_MAX);
        let told = error.while_doing(format!("cannot restore {object}"));
        if self.on_error == OnError::Stop || fatal {
            return Err(told);
        }
        self.failures.push(Failure::new(object, &told));
        Ok(())
    }
}

/// Runs a statement for another role: a grant whose grantor is not the owner.
pub(super) async fn as_role(session: &mut WireConnection, role: &str, sql: &str) -> Result<()> {
    let set = format!("SET ROLE {}", quote_ident(role));
    session.query_one(&set).await?;
    let done = session.query_one(sql).await;
    // In a transaction that failed, its end takes the role back.
    let reset = session.query_one("RESET ROLE").await;
    done?;
    reset.map(drop)
}

/// The quoted name that a text starts with.
fn first_identifier(text: &str) -> Option<&str> {
    let inner = text.strip_prefix('"')?;
    let mut at = 0;
    loop {
        at += inner[at..].find('"')?;
        if inner[at + 1..].starts_with('"') {
            at += 2;
        } else {
            return Some(&text[..at + 2]);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_end_at_their_quote() {
        assert_eq!(first_identifier("\"a\" TYPE 'x'"), Some("\"a\""));
        assert_eq!(first_identifier("\"a\"\"b\"\"\" x"), Some("\"a\"\"b\"\"\""));
        assert_eq!(first_identifier("a"), None);
        assert_eq!(first_identifier("\"a"), None);
    }
}
