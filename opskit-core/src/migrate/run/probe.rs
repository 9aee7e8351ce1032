//! What a statement did, as the server tells: locks, files written anew, rows, log.

use crate::catalog::TextRow;
use crate::error::Result;
use crate::postgres::wire::WireConnection;
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};

/// What a statement did.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Measured {
    /// Locks that it took and that were not held before, of relations that were there when its transaction began.
    pub locks: Vec<LockTaken>,
    /// Relations whose file was written anew.
    pub rewrites: Vec<String>,
    /// Rows that it changed.
    pub rows: Vec<RowsChanged>,
    /// Bytes of write-ahead log, those of others at the same time among them.
    pub wal_bytes: u64,
}

/// A lock of a relation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[non_exhaustive]
pub struct LockTaken {
    /// The relation.
    pub relation: String,
    /// The mode, in the server's words: `AccessExclusiveLock`.
    pub mode: String,
    /// How it was seen.
    pub seen: Seen,
}

/// How a lock was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Seen {
    /// It was still held behind the statement.
    Held,
    /// Another session looked again and again while the statement ran; what was short may be missing.
    Sampled,
}

/// Rows of a table that a statement changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct RowsChanged {
    /// The table.
    pub table: String,
    /// Rows that came.
    pub inserted: u64,
    /// Rows that were changed.
    pub updated: u64,
    /// Rows that went one by one. What `TRUNCATE` takes is not counted by the server.
    pub deleted: u64,
}

/// What there was before a statement.
#[derive(Debug, Clone, Default)]
pub(super) struct Probe {
    /// Relations at the start of the transaction, by OID.
    names: BTreeMap<String, String>,
    files: BTreeMap<String, String>,
    locks: BTreeSet<(String, String)>,
    rows: BTreeMap<String, [u64; 3]>,
    wal: u64,
}

const RELATIONS: &str = "\
select c.oid::pg_catalog.text, n.nspname || '.' || c.relname, pg_catalog.pg_relation_filenode(c.oid)::pg_catalog.text \
from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
where c.oid >= 16384 and n.nspname not in ('pg_toast', 'opskit') and n.nspname not like 'pg\\_temp%'";

const WAL: &str = "select (pg_catalog.pg_current_wal_insert_lsn() - '0/0')::pg_catalog.text";

const ROWS: &str = "\
select relid::pg_catalog.text, n_tup_ins::pg_catalog.text, n_tup_upd::pg_catalog.text, n_tup_del::pg_catalog.text \
from pg_catalog.pg_stat_xact_user_tables where n_tup_ins + n_tup_upd + n_tup_del > 0";

/// Asks for the locks on relations that a process holds.
pub(super) fn locks_sql(pid: &str) -> String {
    format!(
        "select distinct relation::pg_catalog.oid::pg_catalog.text, mode from pg_catalog.pg_locks \
         where locktype = 'relation' and granted and relation >= 16384 and pid = {pid} \
         and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())"
    )
}

impl Probe {
    /// Looks before the first statement of a transaction.
    pub(super) async fn begin(connection: &mut WireConnection) -> Result<Self> {
        let mut probe = Self::default();
        for row in rows(connection, RELATIONS).await? {
            let [oid, name, file] = fields(row);
            probe.files.insert(oid.clone(), file);
            probe.names.insert(oid, name);
        }
        probe.wal = wal(connection).await?;
        Ok(probe)
    }

    /// Looks behind a statement, within its transaction.
    pub(super) async fn after(&mut self, connection: &mut WireConnection) -> Result<Measured> {
        let wal_now = wal(connection).await?;
        let held = rows(connection, &locks_sql("pg_catalog.pg_backend_pid()")).await?;
        let held: BTreeSet<(String, String)> = held
            .into_iter()
            .map(fields)
            .map(|[oid, mode]| (oid, mode))
            .collect();
        let counted = rows(connection, ROWS).await?;
        let measured = Measured {
            locks: self.named(held.difference(&self.locks), Seen::Held),
            rewrites: self.rewritten(connection).await?,
            rows: self.counted(counted),
            wal_bytes: wal_now.saturating_sub(self.wal),
        };
        self.locks = held;
        // What looking itself writes does not count.
        self.wal = wal(connection).await?;
        Ok(measured)
    }

    /// What was seen of a statement outside of a transaction.
    pub(super) async fn sampled(
        &mut self,
        connection: &mut WireConnection,
        seen: &BTreeSet<(String, String)>,
    ) -> Result<Measured> {
        let wal_now = wal(connection).await?;
        let measured = Measured {
            locks: self.named(seen.iter(), Seen::Sampled),
            rewrites: self.rewritten(connection).await?,
            rows: Vec::new(),
            wal_bytes: wal_now.saturating_sub(self.wal),
        };
        *self = Self::begin(connection).await?;
        Ok(measured)
    }

    /// By name, those of relations that were there before.
    fn named<'s>(
        &self,
        locks: impl Iterator<Item = &'s (String, String)>,
        seen: Seen,
    ) -> Vec<LockTaken> {
        let named = locks.filter_map(|(oid, mode)| {
            Some(LockTaken {
                relation: self.names.get(oid)?.clone(),
                mode: mode.clone(),
                seen,
            })
        });
        let mut named: Vec<_> = named.collect();
        named.sort();
        named
    }

    async fn rewritten(&mut self, connection: &mut WireConnection) -> Result<Vec<String>> {
        let mut rewritten = Vec::new();
        for row in rows(connection, RELATIONS).await? {
            let [oid, _, file] = fields(row);
            if let (Some(name), Some(before)) = (self.names.get(&oid), self.files.get(&oid))
                && *before != file
            {
                rewritten.push(name.clone());
                self.files.insert(oid, file);
            }
        }
        rewritten.sort();
        Ok(rewritten)
    }

    fn counted(&mut self, counted: Vec<TextRow>) -> Vec<RowsChanged> {
        let mut changed = Vec::new();
        for row in counted {
            let [oid, inserted, updated, deleted] = fields(row);
            let now = [inserted, updated, deleted].map(|count| count.parse::<u64>().unwrap_or(0));
            let before = self.rows.insert(oid.clone(), now).unwrap_or_default();
            let [inserted, updated, deleted] =
                [0, 1, 2].map(|at| now[at].saturating_sub(before[at]));
            if let Some(table) = self.names.get(&oid)
                && inserted + updated + deleted > 0
            {
                changed.push(RowsChanged {
                    table: table.clone(),
                    inserted,
                    updated,
                    deleted,
                });
            }
        }
        changed.sort_by(|a, b| a.table.cmp(&b.table));
        changed
    }
}

async fn wal(connection: &mut WireConnection) -> Result<u64> {
    let found = rows(connection, WAL).await?;
    let [text] = found.into_iter().next().map(fields).unwrap_or_default();
    Ok(text.parse().unwrap_or(0))
}

async fn rows(connection: &mut WireConnection, sql: &str) -> Result<Vec<TextRow>> {
    let mut sets = connection.query(sql).await?;
    Ok(sets.pop().unwrap_or_default().rows)
}

fn fields<const N: usize>(row: TextRow) -> [String; N] {
    let mut fields = row.into_iter();
    std::array::from_fn(|_| fields.next().flatten().unwrap_or_default())
}
