//! Where a backup comes from: the cluster, the place in its log, the collations, the migrations.

use crate::catalog::inventory::MIGRATION_TABLES;
use crate::error::{ErrorKind, Result};
use crate::name::{quote_ident, quote_literal};
use crate::postgres::export::SourceIdentity;
use crate::postgres::session::Session;
use crate::repository::{BackupId, Marker, MigrationState, Source};
use std::collections::BTreeMap;

/// The prefix of the message in the write-ahead log.
const MARKER_PREFIX: &str = "opskit.backup";

/// What the server tells of itself before there is a transaction.
#[derive(Debug, Clone)]
pub(super) struct Cluster {
    role: String,
    system_identifier: Option<String>,
    timeline: Option<u32>,
    pub(super) standby: bool,
    collate: String,
    ctype: String,
    collation_versions: BTreeMap<String, String>,
}

impl Cluster {
    /// Asks outside of a transaction, because what a role may not ask would end one.
    pub(super) async fn read(session: &mut Session) -> Result<Self> {
        let doing = "cannot read the identity of the database";
        let sql = "select current_user::pg_catalog.text, pg_catalog.pg_is_in_recovery()::pg_catalog.text, \
             d.datcollate::pg_catalog.text, d.datctype::pg_catalog.text, \
             pg_catalog.to_jsonb(d.*) operator(pg_catalog.->>) 'datcollversion' \
             from pg_catalog.pg_database d where d.datname = pg_catalog.current_database()";
        let rows = session.rows(doing, sql.to_owned()).await?;
        let mut row = rows.into_iter().next().unwrap_or_default().into_iter();
        let mut next = || row.next().flatten();
        let role = next().unwrap_or_default();
        let standby = next().as_deref() == Some("true");
        let (collate, ctype) = (next().unwrap_or_default(), next().unwrap_or_default());
        let mut collation_versions = BTreeMap::new();
        if let Some(version) = next() {
            collation_versions.insert("database".to_owned(), version);
        }
        let sql = "select c.collprovider::pg_catalog.text || '/' || n.nspname || '.' || c.collname, c.collversion \
             from pg_catalog.pg_collation c join pg_catalog.pg_namespace n on n.oid = c.collnamespace \
             where c.collversion is not null and exists (select from pg_catalog.pg_depend d \
               where d.refclassid = 'pg_catalog.pg_collation'::pg_catalog.regclass and d.refobjid = c.oid)";
        for row in session.rows(doing, sql.to_owned()).await? {
            if let [Some(name), Some(version)] = &row[..] {
                collation_versions.insert(name.clone(), version.clone());
            }
        }
        let system =
            "select system_identifier::pg_catalog.text from pg_catalog.pg_control_system()";
        let timeline =
            "select timeline_id::pg_catalog.text from pg_catalog.pg_control_checkpoint()";
        Ok(Self {
            role,
            system_identifier: if_allowed(session.value(doing, system).await)?,
            timeline: if_allowed(session.value(doing, timeline).await)?
                .and_then(|timeline| timeline.parse().ok()),
            standby,
            collate,
            ctype,
            collation_versions,
        })
    }

    /// The source of a backup.
    pub(super) fn source(self, of: &SourceIdentity, lsn: Option<String>) -> Source {
        Source {
            database: of.database.clone(),
            target: None,
            role: self.role,
            server_version: of.server_version,
            system_identifier: self.system_identifier,
            timeline: self.timeline,
            lsn,
            snapshot: of.snapshot.clone(),
            standby: self.standby,
            encoding: of.encoding.clone(),
            collate: self.collate,
            ctype: self.ctype,
            collation_versions: self.collation_versions,
        }
    }

    /// Where the write-ahead log is.
    pub(super) async fn lsn(&self, session: &mut Session) -> Result<Option<String>> {
        let function = if self.standby {
            "pg_last_wal_replay_lsn"
        } else {
            "pg_current_wal_lsn"
        };
        let sql = format!("select pg_catalog.{function}()::pg_catalog.text");
        attempt(session, &sql).await
    }

    /// Writes the message that says: this backup was made here. Not on a standby, which writes no log.
    pub(super) async fn mark(
        &self,
        session: &mut Session,
        id: &BackupId,
    ) -> Result<Option<Marker>> {
        if self.standby {
            return Ok(None);
        }
        let sql = format!(
            "select pg_catalog.pg_logical_emit_message(false, {}, {})::pg_catalog.text",
            quote_literal(MARKER_PREFIX),
            quote_literal(id.as_str()),
        );
        let lsn = attempt(session, &sql).await?;
        Ok(lsn.map(|lsn| Marker {
            prefix: MARKER_PREFIX.to_owned(),
            content: id.to_string(),
            lsn,
        }))
    }
}

/// The latest migration by the first known history table that tells one.
pub(super) async fn migration(session: &mut Session) -> Result<Option<MigrationState>> {
    for known in MIGRATION_TABLES {
        let name = known.name();
        let regclass = format!("{}.{}", quote_ident(&name.schema), quote_ident(&name.name));
        let exists = format!(
            "select pg_catalog.to_regclass({})::pg_catalog.oid::pg_catalog.text",
            quote_literal(&regclass)
        );
        if attempt(session, &exists).await?.is_none() {
            continue;
        }
        if let Some(version) = attempt(session, &known.version_sql()).await? {
            return Ok(Some(MigrationState {
                table: name,
                version,
            }));
        }
    }
    Ok(None)
}

/// Asks within a transaction what may not be allowed, or not be there.
async fn attempt(session: &mut Session, sql: &str) -> Result<Option<String>> {
    let doing = "cannot ask the server";
    session.execute(doing, "SAVEPOINT attempt").await?;
    let asked = if_allowed(session.rows(doing, sql.to_owned()).await)?;
    let end = match asked {
        Some(_) => "RELEASE SAVEPOINT attempt",
        None => "ROLLBACK TO SAVEPOINT attempt; RELEASE SAVEPOINT attempt",
    };
    session.execute(doing, end).await?;
    let first = asked.and_then(|rows| rows.into_iter().next());
    Ok(first.and_then(|row| row.into_iter().next().flatten()))
}

/// None where the role may not ask, or where there is nothing to ask. Any other error says nothing about
/// that, and is one.
fn if_allowed<T>(asked: Result<T>) -> Result<Option<T>> {
    match asked {
        Ok(value) => Ok(Some(value)),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::PermissionDenied | ErrorKind::NotFound | ErrorKind::Unsupported
            ) =>
        {
            tracing::debug!(%error, "not told");
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Error;

    #[test]
    fn only_what_may_not_be_asked_is_left_out() {
        for kind in ErrorKind::ALL {
            let asked = if_allowed::<()>(Err(Error::new(kind, "m")));
            let left_out = matches!(
                kind,
                ErrorKind::PermissionDenied | ErrorKind::NotFound | ErrorKind::Unsupported
            );
            assert_eq!(asked.is_ok(), left_out, "{kind}");
        }
    }
}
