//! One connection that holds the locks of a run.

use super::super::ledger::{Ledger, Tool};
use super::pause::Pauses;
use super::probe::{Probe, locks_sql};
use super::{Measure, RunLimits};
use crate::backup::ADVISORY_LOCK_KEY;
use crate::cancel::Cancel;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::{ResultSet, WireConnection, refuse_transaction_pooler};
use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

/// The key of the advisory lock that keeps runs of migrations apart. Backups have the one before it, which a run takes
/// as well while it migrates: the backup that it starts with needs that for itself.
pub const MIGRATION_LOCK_KEY: i64 = ADVISORY_LOCK_KEY + 1;

/// What `sqlx` multiplies the checksum of the database's name with, to get the key of its lock.
const SQLX_LOCK_FACTOR: i64 = 0x3d32_ad9e;

/// Takes back the role that a file took.
pub(super) const RESET_ROLE: &str = "reset session authorization; reset role";

/// Puts a session back to what it was when it began, roles included: what a file set is not for the next. The server
/// looks whether its client is still there while a statement runs (from 14 on), so that the lock of a killed runner does
/// not outlive it by the length of its statement; resetting everything resets that too, so it stands behind.
pub(crate) const RESET: &str = "reset session authorization; reset role; reset all; \
     select pg_catalog.set_config('client_connection_check_interval', '1s', false) \
     from pg_catalog.pg_settings where name = 'client_connection_check_interval'";

/// How long a session that was cancelled has to go.
const SEEN_OFF_WITHIN: Duration = Duration::from_secs(10);

/// What the buffers of any socket hold.
const PIPELINE_BYTES_MAX: usize = 16 << 10;

/// A connection straight to a server process, and the locks that it holds. They go with the connection, on every path.
#[derive(Debug)]
pub(crate) struct Locked {
    /// None once a `COPY` failed, which costs the connection.
    connection: Option<WireConnection>,
    keys: Vec<i64>,
    limits: RunLimits,
    measure: Measure,
    url: DatabaseUrl,
    cancel: Cancel,
}

impl Locked {
    /// Connects, and waits for its turn among the runs of migrations.
    ///
    /// The lock is asked for again and again instead of waited for: a session that waits has a snapshot, and `CREATE
    /// INDEX CONCURRENTLY` waits for all snapshots, so that two runners would wait for each other.
    pub(crate) async fn open(
        ctx: &OpContext,
        url: &DatabaseUrl,
        limits: &RunLimits,
    ) -> Result<Self> {
        let mut locked = Self::without_turn(ctx, url, limits).await?;
        refuse_standby(locked.connection()?).await?;
        locked
            .take(ctx, MIGRATION_LOCK_KEY, "another run of migrations")
            .await?;
        Ok(locked)
    }

    /// Connects, for what changes nothing.
    pub(crate) async fn without_turn(
        ctx: &OpContext,
        url: &DatabaseUrl,
        limits: &RunLimits,
    ) -> Result<Self> {
        let mut connection = WireConnection::connect(url, ctx.cancel()).await?;
        refuse_transaction_pooler(url, &mut connection, ctx.cancel()).await?;
        connection.execute(RESET).await?;
        Ok(Self {
            connection: Some(connection),
            keys: Vec::new(),
            limits: limits.clone(),
            measure: Measure::default(),
            url: url.clone(),
            cancel: ctx.cancel().clone(),
        })
    }

    /// Waits until no backup reads the database, and keeps further ones away.
    pub(crate) async fn keep_backups_away(&mut self, ctx: &OpContext) -> Result<()> {
        self.take(ctx, ADVISORY_LOCK_KEY, "a backup").await?;
        self.wait_for_readers(ctx).await
    }

    /// Keeps `sqlx` away, where its history is here.
    pub(crate) async fn keep_tools_away(
        &mut self,
        ctx: &OpContext,
        ledgers: &[Ledger],
    ) -> Result<()> {
        if ledgers.iter().any(|ledger| ledger.tool == Tool::Sqlx) {
            let name = self
                .first_value("select pg_catalog.current_database()")
                .await?;
            let checksum = crc32fast::hash(name.unwrap_or_default().as_bytes());
            let key = SQLX_LOCK_FACTOR * i64::from(checksum);
            self.take(ctx, key, "a run of sqlx").await?;
        }
        Ok(())
    }

    /// Lets backups in again.
    pub(crate) async fn let_backups_in(&mut self) -> Result<()> {
        self.keys.retain(|key| *key != ADVISORY_LOCK_KEY);
        let sql = format!("select pg_catalog.pg_advisory_unlock({ADVISORY_LOCK_KEY})");
        self.run(&sql, None).await.map(drop)
    }

    /// A statement that fails when one of the locks is not held. It costs no message of its own.
    pub(crate) fn check_sql(&self) -> String {
        let keys: Vec<String> = self.keys.iter().map(i64::to_string).collect();
        // A division by zero is an error in any language and version of the server.
        format!(
            "select 1 / (case when count(*) >= {} then 1 else 0 end) from pg_catalog.pg_locks \
             where locktype = 'advisory' and pid = pg_catalog.pg_backend_pid() and objsubid = 1 and granted \
             and ((classid::pg_catalog.int8 << 32) | objid::pg_catalog.int8) in ({})",
            keys.len(),
            keys.join(", ")
        )
    }

    /// How long things are waited for.
    pub(crate) fn limits(&self) -> &RunLimits {
        &self.limits
    }

    /// Whether the connection is gone.
    pub(crate) fn is_lost(&self) -> bool {
        self.connection
            .as_ref()
            .is_none_or(WireConnection::is_broken)
    }

    /// Has runs look at what statements do.
    pub(crate) fn measure(&mut self, measure: Measure) {
        self.measure = measure;
    }

    /// Looks before the first statement of a transaction, where that is wanted.
    pub(super) async fn probe(&mut self) -> Result<Option<Probe>> {
        match self.measure {
            Measure::Nothing => Ok(None),
            Measure::All => Probe::begin(self.connection()?).await.map(Some),
        }
    }

    /// Runs a statement while another session looks at its locks: relations, by OID, and modes.
    pub(crate) async fn run_watched(
        &mut self,
        sql: &str,
    ) -> Result<(String, BTreeSet<(String, String)>)> {
        let (url, cancel) = (self.url.clone(), self.cancel.clone());
        let connection = self.connection()?;
        let look = locks_sql(&connection.process_id().to_string());
        let mut watch =
            WireConnection::connect_resolved(&url, connection.resolved(), &cancel).await?;
        let (mut seen, over) = (BTreeSet::new(), AtomicBool::new(false));
        let running = async {
            let done = connection.query(sql).await;
            over.store(true, Ordering::Release);
            done
        };
        let watching = async {
            while !over.load(Ordering::Acquire) {
                let rows = watch.query(&look).await?.pop().unwrap_or_default().rows;
                let lock = |row: Vec<Option<String>>| {
                    let mut fields = row.into_iter().flatten();
                    Some((fields.next()?, fields.next()?))
                };
                seen.extend(rows.into_iter().filter_map(lock));
            }
            Ok::<(), Error>(())
        };
        let (done, watched) = tokio::join!(running, watching);
        let tag = done?.pop().unwrap_or_default().tag;
        watched?;
        watch.close().await;
        Ok((tag, seen))
    }

    /// The connection, for statements.
    pub(crate) fn connection(&mut self) -> Result<&mut WireConnection> {
        self.connection.as_mut().ok_or_else(gone)
    }

    /// Runs a statement, with the rows that a `COPY` of it reads, and returns what the server says was done.
    pub(crate) async fn run(&mut self, sql: &str, rows: Option<&str>) -> Result<String> {
        let Some(rows) = rows else {
            let mut sets = self.connection()?.query(sql).await?;
            return Ok(sets.pop().unwrap_or_default().tag);
        };
        let connection = self.connection.take().ok_or_else(gone)?;
        let mut copy = connection.copy_in(sql).await?;
        copy.write(rows.as_bytes()).await?;
        let (connection, count) = copy.finish().await?;
        self.connection = Some(connection);
        Ok(format!("COPY {count}"))
    }

    /// Runs statements one behind the other without waiting for each. `None` where that is not to be done: where
    /// each is looked at, or they are too large for it.
    pub(super) async fn run_all(
        &mut self,
        statements: &[&str],
    ) -> Result<Option<Vec<(Result<Vec<ResultSet>>, Instant)>>> {
        let bytes: usize = statements.iter().map(|sql| sql.len()).sum();
        if self.measure == Measure::All || bytes > PIPELINE_BYTES_MAX {
            return Ok(None);
        }
        self.connection()?.pipeline(statements).await.map(Some)
    }

    async fn first_value(&mut self, sql: &str) -> Result<Option<String>> {
        let sets = self.connection()?.query(sql).await?;
        Ok(sets
            .first()
            .and_then(|set| set.rows.first()?.first()?.clone()))
    }

    /// Gives the locks up and ends the session; what is left connects to nothing.
    pub(crate) async fn leave(&mut self) {
        if let Some(connection) = self.connection.take() {
            connection.close().await;
        }
        self.keys.clear();
    }

    /// Gives the locks up and ends the session.
    pub(crate) async fn close(mut self) {
        if let Some(mut connection) = self.connection.take() {
            if connection.is_broken() {
                return self.see_off(connection).await;
            }
            // They would go with the session; a pooler in session mode may keep it.
            let _ = connection
                .execute("select pg_catalog.pg_advisory_unlock_all()")
                .await;
            connection.close().await;
        }
    }

    /// Ends what the server still does for a connection that was given up, and waits for that: whoever is told that a
    /// run was cancelled may rely on nothing of it happening later.
    async fn see_off(&self, connection: WireConnection) {
        let (pid, resolved) = (connection.process_id(), connection.resolved().clone());
        let _ = connection.canceller().cancel().await;
        drop(connection);
        // The run's own cancellation has been asked for already.
        let (_stop, cancel) = Cancel::pair();
        let Ok(mut watch) = WireConnection::connect_resolved(&self.url, &resolved, &cancel).await
        else {
            return;
        };
        let sql = format!("select 1 from pg_catalog.pg_stat_activity where pid = {pid}");
        let mut pauses = Pauses::until(SEEN_OFF_WITHIN);
        while let Ok(sets) = watch.query(&sql).await {
            let is_there = sets.first().is_some_and(|set| !set.rows.is_empty());
            if !is_there || !pauses.wait(&cancel).await.unwrap_or_default() {
                break;
            }
        }
        watch.close().await;
    }

    /// Connects anew where a failed `COPY` cost the connection, and takes the same locks.
    pub(crate) async fn renew(&mut self, ctx: &OpContext) -> Result<()> {
        let mut fresh = Self::without_turn(ctx, &self.url, &self.limits).await?;
        for key in std::mem::take(&mut self.keys) {
            fresh.take(ctx, key, "another run of migrations").await?;
        }
        fresh.measure = self.measure;
        *self = fresh;
        Ok(())
    }

    /// Takes back what a transaction did that failed, over a new connection where the old one is gone.
    pub(crate) async fn roll_back(&mut self, ctx: &OpContext) -> Result<()> {
        match self.connection {
            None => self.renew(ctx).await,
            Some(_) => self.run("rollback", None).await.map(drop),
        }
    }

    async fn take(&mut self, ctx: &OpContext, key: i64, holder: &str) -> Result<()> {
        let sql = format!("select pg_catalog.pg_try_advisory_lock({key})");
        let mut pauses = Pauses::until(self.limits.lock_wait);
        loop {
            if self.first_value(&sql).await?.as_deref() == Some("t") {
                self.keys.push(key);
                return Ok(());
            }
            if pauses.is_first() {
                ctx.emit(Event::Waiting {
                    what: format!("{holder} of this database"),
                });
            }
            if !pauses.wait(ctx.cancel()).await? {
                return Err(self.held(key, holder).await);
            }
        }
    }

    async fn held(&mut self, key: i64, holder: &str) -> Error {
        let sql = format!(
            "select pid from pg_catalog.pg_locks where locktype = 'advisory' and objsubid = 1 and granted \
             and ((classid::pg_catalog.int8 << 32) | objid::pg_catalog.int8) = {key} \
             and database = (select oid from pg_catalog.pg_database where datname = pg_catalog.current_database())"
        );
        let pid = self.first_value(&sql).await.unwrap_or_default();
        let who = pid.map_or_else(String::new, |pid| format!(" (server process {pid})"));
        let waited = self.limits.lock_wait;
        Error::new(
            ErrorKind::Busy,
            format!("{holder} of this database is going on{who}; waited {waited:?}"),
        )
        .with_hint("Run it again when that has ended.")
    }

    /// A backup reads every table for as long as it runs. A change of the schema would wait for it, and everybody who
    /// reads would wait for the change.
    async fn wait_for_readers(&mut self, ctx: &OpContext) -> Result<()> {
        let mut pauses = Pauses::until(self.limits.lock_wait);
        loop {
            let sets = self.connection()?.query(READERS).await?;
            let Some(reader) = sets.first().and_then(|set| set.rows.first()) else {
                return Ok(());
            };
            let field = |at: usize| {
                reader
                    .get(at)
                    .and_then(Option::as_deref)
                    .unwrap_or_default()
            };
            let who = format!("{} (server process {})", field(1), field(0));
            if pauses.is_first() {
                ctx.emit(Event::Waiting {
                    what: format!("{who}, which reads this database"),
                });
            }
            if !pauses.wait(ctx.cancel()).await? {
                return Err(Error::new(
                    ErrorKind::Busy,
                    format!("{who} holds locks on tables of this database"),
                )
                .with_hint("A change of the schema would wait for it, and all readers for the change. Run it again when it has ended."));
            }
        }
    }
}

fn gone() -> Error {
    Error::new(
        ErrorKind::Connection,
        "the connection ended when a COPY failed",
    )
}

const READERS: &str = "\
select a.pid::pg_catalog.text, a.application_name from pg_catalog.pg_stat_activity a \
where a.datname = pg_catalog.current_database() and a.pid <> pg_catalog.pg_backend_pid() \
and a.application_name in ('pg_dump', 'opskit') and exists ( \
  select from pg_catalog.pg_locks l where l.pid = a.pid and l.locktype = 'relation' and l.granted \
  and l.relation >= 16384 and l.mode in ('AccessShareLock', 'ShareUpdateExclusiveLock')) limit 1";

async fn refuse_standby(connection: &mut WireConnection) -> Result<()> {
    let sets = connection
        .query("select pg_catalog.pg_is_in_recovery()")
        .await?;
    let is = sets
        .first()
        .and_then(|set| set.rows.first()?.first()?.as_deref());
    if is == Some("t") {
        return Err(Error::new(
            ErrorKind::Unsupported,
            "the server is a standby, which cannot be migrated",
        )
        .with_hint("Connect to the primary: target_session_attrs=read-write finds it."));
    }
    Ok(())
}
