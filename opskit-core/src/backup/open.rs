//! From a URL to a plan: locks, then the snapshot, then a look at everything.

use super::ADVISORY_LOCK_KEY;
use super::choice::{Choice, inventory};
use super::definitions::Definitions;
use super::plan::{BackupPlan, Loss};
use super::request::BackupRequest;
use super::rows::{planned, tables};
use super::source::{Cluster, migration};
use crate::catalog::cluster::ClusterModel;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use crate::postgres::catalog::{open_beside, read_cluster_in};
use crate::postgres::export::{Crew, ExportPlan, Leader};
use crate::postgres::session::Session;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::{WireConnection, refuse_transaction_pooler};
use crate::repository::{BackupId, Holds, Marker, MigrationState};
use std::collections::HashSet;
use std::time::Duration;
use time::OffsetDateTime;

/// A backup whose snapshot is taken: look at the plan, then run it.
///
/// Dropping it ends its transaction and connections.
///
/// ```no_run
/// use opskit_core::backup::{Backup, BackupRequest};
/// use opskit_core::context::OpContext;
/// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
/// use opskit_core::repository::Repository;
///
/// # async fn example() -> opskit_core::Result<()> {
/// let ctx = OpContext::default();
/// let url = DatabaseUrl::parse("postgres://app@localhost/shop", &ConnectEnv::from_process())?;
/// let backup = Backup::open(&ctx, &url, BackupRequest::new()).await?;
/// println!("{} tables", backup.plan().tables.len());
/// let report = backup.run(&ctx, &Repository::create("backups")?).await?;
/// println!("{}: {} rows", report.id, report.rows);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Backup {
    pub(super) plan: BackupPlan,
    pub(super) request: BackupRequest,
    pub(super) started: Started,
    /// None where the plan has obstacles that stand in the way of the locks.
    pub(super) ready: Option<Box<Ready>>,
}

/// When a run started.
#[derive(Debug, Clone, Copy)]
pub(super) struct Started {
    pub(super) at: OffsetDateTime,
    pub(super) elapsed: Duration,
}

impl Started {
    pub(super) fn now(ctx: &OpContext) -> Self {
        Self {
            at: ctx.clock().now(),
            elapsed: ctx.clock().elapsed(),
        }
    }
}

/// What a run goes on with.
#[derive(Debug)]
pub(super) struct Ready {
    crew: Crew,
    around: Around,
}

/// What a backup holds besides rows, and what is to be read behind them.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) cluster: Cluster,
    pub(super) snapshot_at: OffsetDateTime,
    pub(super) holds: Vec<Holds>,
    pub(super) sequences: Vec<QualifiedName>,
    pub(super) roles: ClusterModel,
    pub(super) definitions: Definitions,
    /// The place in the write-ahead log, the marker there, and the last migration: known once the run is begun.
    pub(super) lsn: Option<String>,
    pub(super) marker: Option<Marker>,
    pub(super) migration: Option<MigrationState>,
}

impl Backup {
    /// Connects, locks the tables, takes the snapshot and makes the plan. No row is read yet.
    ///
    /// ```no_run
    /// use opskit_core::{backup::{Backup, BackupRequest}, context::OpContext};
    /// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
    /// # async fn example() -> opskit_core::Result<()> {
    /// let url = DatabaseUrl::parse("postgres://app@localhost/shop", &ConnectEnv::from_process())?;
    /// let opened = Backup::open(&OpContext::default(), &url, BackupRequest::new()).await?;
    /// for missing in &opened.plan().missing {
    ///     println!("{} needs {}", missing.object, missing.needs);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Of kind `Busy` when another backup or a migration runs, a lock cannot be had in time or
    /// something changed meanwhile; `NotFound` when a pattern of `only` matches nothing; `Unsupported`
    /// behind a pooler in transaction mode; `Connection`, `Timeout`, `Cancelled`.
    pub async fn open(ctx: &OpContext, url: &DatabaseUrl, request: BackupRequest) -> Result<Self> {
        let started = Started::now(ctx);
        let id = BackupId::new(started.at)?;
        Self::open_as(ctx, url, request, id, started).await
    }

    /// What will be stored, and what stands in the way.
    #[must_use]
    pub fn plan(&self) -> &BackupPlan {
        &self.plan
    }

    pub(super) async fn open_as(
        ctx: &OpContext,
        url: &DatabaseUrl,
        request: BackupRequest,
        id: BackupId,
        started: Started,
    ) -> Result<Self> {
        let mut probe = WireConnection::connect(url, ctx.cancel()).await?;
        refuse_transaction_pooler(url, &mut probe, ctx.cancel()).await?;
        let mut session = Session::connect(url, probe.resolved(), ctx.cancel()).await?;
        keep_others_out(&mut session, request.reading.lock_timeout).await?;
        let cluster = Cluster::read(&mut session).await?;
        let found = inventory(&mut session, &request).await?;
        let choice = Choice::of(&mut session, &request, found, &cluster).await?;
        let mut plan = BackupPlan {
            schema: "opskit.backup-plan/1",
            id,
            backup_type: request.backup_type,
            database: url.dbname().to_owned(),
            server_version: probe.server_version_num(),
            tables: Vec::new(),
            sequences: choice.sequences.len() as u64,
            objects: 0,
            excluded: choice.excluded.clone(),
            missing: choice.missing.clone(),
            losses: Vec::new(),
            warnings: Vec::new(),
        };
        let ready = if plan.missing.is_empty() {
            let source = Source {
                url,
                session,
                probe,
                cluster,
            };
            let ready = Ready::get(ctx, source, &request, choice, &mut plan);
            Some(Box::new(ready.await?))
        } else {
            session.close().await;
            None
        };
        Ok(Self {
            plan,
            request,
            started,
            ready,
        })
    }
}

/// The server, connected twice: for control statements, and to be the first worker.
struct Source<'a> {
    url: &'a DatabaseUrl,
    session: Session,
    probe: WireConnection,
    cluster: Cluster,
}

impl Ready {
    async fn get(
        ctx: &OpContext,
        source: Source<'_>,
        request: &BackupRequest,
        choice: Choice,
        plan: &mut BackupPlan,
    ) -> Result<Self> {
        let Source {
            url,
            session,
            probe,
            cluster,
        } = source;
        let relations = choice.to_lock();
        let wait = request.reading.lock_timeout;
        let mut leader = Leader::over(url, session, relations, wait, &probe).await?;
        let snapshot_at = ctx.clock().now();
        let again = inventory(&mut leader.session, request).await?;
        choice.refuse_changes(&again)?;
        let mut definitions = Definitions::read(&mut leader, request).await?;
        let version = leader.source.server_version;
        let roles = read_cluster_in(&mut leader.session, version).await?;
        plan.objects = definitions.objects;
        plan.losses = losses(request, &definitions)?;
        let (tables, holds) = tables(&mut leader, request, &choice).await?;
        let mut now = open_beside(ctx, url, &probe).await?;
        definitions.refuse_changes(&mut now).await?;
        now.close().await;
        plan.tables = planned(&tables, &holds);
        let export_plan = ExportPlan::of(tables);
        let reading = request.reading.clone();
        Ok(Self {
            crew: Crew::new(ctx, url, reading, leader, export_plan, probe),
            around: Around {
                cluster,
                snapshot_at,
                holds,
                sequences: choice.sequences,
                roles,
                definitions,
                lsn: None,
                marker: None,
                migration: None,
            },
        })
    }

    /// Notes where in the log the backup is, and leaves its marker there. Rows are read next.
    pub(super) async fn mark(self, id: &BackupId) -> Result<(Crew, Around)> {
        let Self { mut crew, around } = self;
        let session = &mut crew.leader.session;
        let around = Around {
            lsn: around.cluster.lsn(session).await?,
            marker: around.cluster.mark(session, id).await?,
            migration: migration(session).await?,
            ..around
        };
        Ok((crew, around))
    }
}

/// What cannot be carried, and whether it was accepted: what the script refuses to make, what has facts
/// that nothing in the script accounts for, and secrets that a backup must not hold.
fn losses(request: &BackupRequest, definitions: &Definitions) -> Result<Vec<Loss>> {
    let loss = |(object, reason): &(String, String)| Loss {
        object: object.clone(),
        reason: reason.clone(),
        accepted: request.accept_losses.iter().any(|name| name == object),
    };
    let mut losses: Vec<Loss> = definitions.lost.iter().map(loss).collect();
    losses.sort();
    losses.dedup();
    // A name that accepts nothing is a mistake, or stands for an object that is gone.
    let known: HashSet<&str> = losses.iter().map(|loss| loss.object.as_str()).collect();
    let mut accepted = request.accept_losses.iter();
    match accepted.find(|name| !known.contains(name.as_str())) {
        None => Ok(losses),
        Some(name) => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("there is no loss {name:?} to accept"),
        )
        .with_hint("--plan lists what cannot be carried, by the names to accept it with.")),
    }
}

/// Takes the lock that keeps backups and migrations apart, for as long as the session lives.
async fn keep_others_out(session: &mut Session, wait: Duration) -> Result<()> {
    let millis = wait.as_millis().clamp(1, i32::MAX as u128);
    let sql = format!(
        "SET lock_timeout = {millis}; SELECT pg_catalog.pg_advisory_lock({ADVISORY_LOCK_KEY}); RESET lock_timeout"
    );
    let taken = session.execute(
        "another backup or migration of this database is going on",
        sql,
    );
    taken.await.map_err(|error| match error.kind() {
        ErrorKind::Busy => {
            error.with_hint("Try again when it is done, or wait longer with --lock-timeout.")
        }
        _ => error,
    })
}
