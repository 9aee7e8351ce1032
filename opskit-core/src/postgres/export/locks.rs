//! Which relations are meant, and the locks on them.

use super::leader::changed;
use crate::catalog::{Pattern, Relation, RelationKind, relations_by_pattern, relations_from};
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::session::Session;
use std::collections::HashSet;

/// The relations that the patterns find, each once; partitions whose table is found too stand under it.
pub(super) async fn find(session: &mut Session, patterns: &[Pattern]) -> Result<Vec<Relation>> {
    let mut relations: Vec<Relation> = Vec::new();
    for pattern in patterns {
        let rows = session
            .rows("cannot look for tables", relations_by_pattern(pattern))
            .await?;
        let found = relations_from(&rows)?;
        if found.is_empty() {
            return Err(Error::new(ErrorKind::NotFound, format!("no table matches \"{pattern}\""))
                .with_hint("Names fold to lower case unless quoted, and without a schema the search path decides: try schema.name."));
        }
        relations.extend(found);
    }
    relations.sort_by(|a, b| a.name.cmp(&b.name));
    relations.dedup_by_key(|relation| relation.oid);
    let oids: HashSet<u32> = relations.iter().map(|relation| relation.oid).collect();
    relations.retain(|relation| {
        !relation
            .ancestors
            .iter()
            .any(|ancestor| oids.contains(ancestor))
    });
    Ok(relations)
}

/// How many tables are locked by one message.
const LOCKS_AT_ONCE: usize = 200;

/// Locks against DROP, TRUNCATE and rewrites; takes no snapshot.
///
/// Many tables are locked by one message, because each costs a round trip otherwise. Where one of them
/// cannot be locked, the server does not say which; then they are tried one by one, without waiting
/// once more.
pub(super) async fn lock(session: &mut Session, relations: &[Relation]) -> Result<()> {
    let lockable = relations
        .iter()
        .filter(|relation| relation.kind.is_lockable());
    let lockable: Vec<&Relation> = lockable.collect();
    for piece in lockable.chunks(LOCKS_AT_ONCE) {
        let statements: Vec<String> = piece.iter().map(|relation| lock_sql(relation)).collect();
        let sql = format!(
            "SAVEPOINT locks; {}; RELEASE SAVEPOINT locks",
            statements.join("; ")
        );
        let Err(error) = session.execute("cannot lock the tables", sql).await else {
            continue;
        };
        if !matches!(
            error.kind(),
            ErrorKind::NotFound | ErrorKind::Busy | ErrorKind::PermissionDenied
        ) {
            return Err(error);
        }
        session
            .execute("cannot lock the tables", "ROLLBACK TO SAVEPOINT locks")
            .await?;
        for relation in piece {
            lock_now(session, relation).await?;
        }
        // A snapshot cannot be exported from within.
        session
            .execute("cannot lock the tables", "RELEASE SAVEPOINT locks")
            .await?;
    }
    Ok(())
}

async fn lock_now(session: &mut Session, relation: &Relation) -> Result<()> {
    let doing = format!("cannot lock table \"{}\"", relation.name);
    let sql = format!("{} NOWAIT", lock_sql(relation));
    session.execute(&doing, sql).await.map_err(|error| match error.kind() {
        ErrorKind::NotFound => changed(&relation.name),
        ErrorKind::Busy => error.with_hint("Another session holds a lock that conflicts, mostly a migration: try again later, or raise the lock time-out."),
        _ => error,
    })
}

fn lock_sql(relation: &Relation) -> String {
    // A partitioned table takes its partitions with it; children by inheritance are not read.
    let only = if relation.kind == RelationKind::Table {
        "ONLY "
    } else {
        ""
    };
    format!(
        "LOCK TABLE {only}{} IN ACCESS SHARE MODE",
        relation.name.to_sql()
    )
}
