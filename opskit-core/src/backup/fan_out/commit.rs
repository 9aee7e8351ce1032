//! Who holds the snapshot, gives out the parts, and commits the backup.

use super::part::{Common, FanOutPart};
use super::receipt::{FanOutReceipt, reports};
use crate::backup::open::{Around, Backup, Started};
use crate::backup::run::Run;
use crate::backup::store::{RowsRead, Stored};
use crate::backup::{BackupPlan, BackupReport, BackupRequest};
use crate::context::OpContext;
use crate::error::{Error, Result};
use crate::postgres::export::{ExportPlan, Leader, PartTicket, table_reports};
use crate::postgres::url::DatabaseUrl;
use crate::repository::{BackupId, Repository, RepositorySink, apart};
use std::sync::Arc;
use tracing::Instrument as _;

/// A backup whose parts are read elsewhere. It holds the locks, the snapshot, and the backup's place in the repository
/// until it is committed; dropping it gives up all of that, and what was stored.
///
/// What it was opened with goes on to hold: cancelling that context ends it.
///
/// ```no_run
/// use opskit_core::backup::{BackupRequest, fan_out::{FanOut, run_part}};
/// use opskit_core::context::OpContext;
/// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
/// use opskit_core::repository::Repository;
/// # async fn example() -> opskit_core::Result<()> {
/// let ctx = OpContext::default();
/// let url = DatabaseUrl::parse("postgres://app@localhost/shop", &ConnectEnv::from_process())?;
/// let repository = Repository::create("backups")?;
/// let plan = FanOut::open(&ctx, &url, &repository, BackupRequest::new()).await?;
/// let mut receipts = Vec::new();
/// for part in plan.parts() {
///     receipts.push(run_part(&ctx, &url, &repository, part).await?);
/// }
/// println!("{}", plan.commit(&receipts).await?.id);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct FanOut {
    ctx: OpContext,
    repository: Repository,
    request: BackupRequest,
    started: Started,
    plan: BackupPlan,
    leader: Leader,
    tables: ExportPlan,
    around: Around,
    sink: Arc<RepositorySink>,
    parts: Vec<FanOutPart>,
}

impl FanOut {
    /// Connects, locks the tables, takes the snapshot, and begins the backup. No row is read yet.
    ///
    /// # Errors
    /// As [`Backup::open`], and as [`Backup::run`] before it reads rows.
    pub async fn open(
        ctx: &OpContext,
        url: &DatabaseUrl,
        repository: &Repository,
        request: BackupRequest,
    ) -> Result<Self> {
        let started = Started::now(ctx);
        let id = BackupId::new(started.at)?;
        let run = Run {
            id: id.clone(),
            started,
            request: &request,
            database: url.dbname(),
        };
        let opening = async {
            let opening = Backup::open_as(ctx, url, request.clone(), id, started);
            let backup = Box::pin(opening).await?;
            Box::pin(Self::begin(ctx, repository, &run, backup)).await
        };
        let opened = Box::pin(opening).await;
        if let Err(error) = &opened {
            Box::pin(run.close_failed(ctx, repository, error)).await;
        }
        opened
    }

    async fn begin(
        ctx: &OpContext,
        repository: &Repository,
        run: &Run<'_>,
        backup: Backup,
    ) -> Result<Self> {
        let Backup { plan, ready, .. } = backup;
        let (ready, stored) = run.begin(ctx, repository, &plan, ready).await?;
        let sink = stored.sink;
        let (crew, around) = ready.mark(&run.id).await?;
        let (leader, tables) = crew.lead(ctx).await;
        let common = Common {
            backup: &run.id,
            repository,
            request: run.request,
            encryption: sink.encryption(),
        };
        let tickets = PartTicket::of(&tables.tables, &leader.meeting, &run.request.reading);
        let parts = tickets
            .into_iter()
            .map(|ticket| common.part(ticket))
            .collect();
        Ok(Self {
            ctx: ctx.clone(),
            repository: repository.clone(),
            request: run.request.clone(),
            started: run.started,
            plan,
            leader,
            tables,
            around,
            sink,
            parts,
        })
    }

    /// What the backup will hold.
    #[must_use]
    pub fn plan(&self) -> &BackupPlan {
        &self.plan
    }

    /// The parts, the largest first.
    #[must_use]
    pub fn parts(&self) -> &[FanOutPart] {
        &self.parts
    }

    /// Looks whether these are the receipts of all parts, one of each. Files are not looked at.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when one lacks, came twice, or is of something else.
    pub fn check(&self, receipts: &[FanOutReceipt]) -> Result<()> {
        reports(&self.parts, &self.tables.tables, receipts).map(drop)
    }

    /// Takes over what was stored, reads what comes behind the rows, and commits the backup; its record is written,
    /// whether it comes to be or not.
    ///
    /// # Errors
    /// As [`Self::check`]; `Damaged` when a file is not there as its receipt says; as [`Backup::run`].
    pub async fn commit(self, receipts: &[FanOutReceipt]) -> Result<BackupReport> {
        let Self {
            ctx,
            repository,
            request,
            started,
            plan,
            leader,
            tables,
            around,
            sink,
            parts,
        } = self;
        let run = Run {
            id: plan.id.clone(),
            started,
            request: &request,
            database: &plan.database,
        };
        let span = tracing::info_span!("opskit.backup", database = %plan.database, id = %plan.id);
        let work = async {
            let reports = reports(&parts, &tables.tables, receipts)?;
            let reports = table_reports(&tables, reports)?;
            let stored = reports.iter().flat_map(|table| &table.parts);
            let stored: Vec<_> = stored.flat_map(|part| part.objects.clone()).collect();
            let place = Arc::clone(&sink);
            apart(move || place.take_over(&stored)).await?;
            let rows = RowsRead {
                leader,
                plans: tables.tables,
                reports,
            };
            let stored = Stored::over(&ctx, &repository, sink);
            Box::pin(stored.conclude(rows, around, &run, &plan)).await
        };
        let done = Box::pin(work.instrument(span)).await;
        run.end(&ctx, &repository, done).await
    }

    /// Gives the backup up, and writes into its record why.
    pub async fn abandon(self, why: &Error) {
        let Self {
            ctx,
            repository,
            request,
            started,
            plan,
            leader,
            sink,
            ..
        } = self;
        leader.close().await;
        drop(sink);
        let run = Run {
            id: plan.id.clone(),
            started,
            request: &request,
            database: &plan.database,
        };
        Box::pin(run.close_failed(&ctx, &repository, why)).await;
    }
}
