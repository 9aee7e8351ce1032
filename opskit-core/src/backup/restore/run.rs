//! From the plan of a restore to its report.

use super::plan::RestorePlan;
use super::prepare::{self, Prepared};
use super::report::RestoreReport;
use super::request::RestoreRequest;
use super::sessions::Sessions;
use super::target::Target;
use super::work::Work;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use crate::repository::BackupReader;
use time::format_description::well_known::Rfc3339;

/// A restore whose plan is made: look at it, then run it.
///
/// ```no_run
/// use opskit_core::backup::restore::{Restore, RestoreRequest};
/// use opskit_core::context::OpContext;
/// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
/// use opskit_core::repository::Repository;
///
/// # async fn example() -> opskit_core::Result<()> {
/// let repository = Repository::open("backups")?;
/// let backup = repository.read(&repository.find("latest")?)?;
/// let url = DatabaseUrl::parse("postgres://app@localhost/shop", &ConnectEnv::from_process())?;
/// let ctx = OpContext::default();
/// let restore = Restore::open(&ctx, backup, &url, RestoreRequest::default()).await?;
/// println!("{} tables", restore.plan().tables.len());
/// let report = restore.run(&ctx).await?;
/// assert!(report.is_same());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Restore {
    admin: WireConnection,
    url: DatabaseUrl,
    request: RestoreRequest,
    target: Target,
    prepared: Prepared,
    plan: RestorePlan,
}

impl Restore {
    /// Reads the backup's model, looks at the target, and makes the plan. Nothing is changed yet.
    ///
    /// # Errors
    /// Of kind `Damaged` when the backup is, `NotFound` when a pattern matches no table, `Unsupported`
    /// behind a pooler in transaction mode, `Connection`, `Cancelled`.
    pub async fn open(
        ctx: &OpContext,
        backup: BackupReader,
        url: &DatabaseUrl,
        request: RestoreRequest,
    ) -> Result<Self> {
        let (admin, target, prepared, plan) = prepare::prepare(ctx, backup, url, &request).await?;
        Ok(Self {
            admin,
            url: url.clone(),
            request,
            target,
            prepared,
            plan,
        })
    }

    /// What would be done.
    #[must_use]
    pub fn plan(&self) -> &RestorePlan {
        &self.plan
    }

    /// Gives the plan up: the target is free for another restore. So it is when the plan is dropped, a little later.
    ///
    /// ```no_run
    /// # async fn example(restore: opskit_core::backup::restore::Restore) {
    /// println!("{} statements", restore.plan().pre_data + restore.plan().post_data);
    /// restore.close().await;
    /// # }
    /// ```
    pub async fn close(self) {
        self.admin.close().await;
    }

    /// Restores, and compares what there is then with the backup. A report that tells of failures or
    /// differences is a result too: ask [`RestoreReport::is_same`].
    ///
    /// # Errors
    /// Of kind `Unsupported` when the plan has problems; `Damaged` when an object of the backup is not
    /// what its manifest says; otherwise as the server says, with the object named. What was done until
    /// then stays, except in a single transaction.
    pub async fn run(self, ctx: &OpContext) -> Result<RestoreReport> {
        self.plan.check()?;
        let Self {
            admin,
            url,
            request,
            target,
            prepared,
            plan,
        } = self;
        let started = ctx.clock().elapsed();
        let started_at = ctx.clock().now().format(&Rfc3339).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write the time").with_source(source)
        })?;
        let settings = prepare::settings(&request);
        let mut sessions =
            Sessions::start(ctx, admin, &url, &target, plan.session, settings).await?;
        let mut work = Work::new(ctx, request, prepared, (&sessions, &target));
        let owner = sessions.owner();
        let done = Box::pin(work.all(&mut sessions)).await;
        let guard = sessions.end(ctx).await;
        done?;
        let denied = work.denied();
        Box::pin(work.compare_facts(&url)).await?;
        work.unmark(&owner).await?;
        guard.close().await;
        let comparison = std::mem::take(&mut work.comparison);
        let mut warnings = plan.warnings;
        warnings.extend(comparison.warnings);
        let mut skipped = plan.skipped;
        skipped.extend(denied);
        let elapsed = ctx.clock().elapsed() - started;
        let report = RestoreReport {
            schema: "opskit.restore/1",
            backup: plan.backup,
            database: plan.database,
            server_version: plan.target_version,
            started_at,
            elapsed_ms: elapsed.as_millis() as u64,
            phases: work.phases,
            statements: work.steps.done,
            tables: plan.tables.len(),
            rows: plan.tables.iter().map(|table| table.rows).sum(),
            skipped,
            failures: work.steps.failures,
            compared: comparison.compared,
            differences: comparison.differences,
            warnings,
        };
        ctx.emit(Event::RunFinished {
            rows: report.rows,
            elapsed,
        });
        Ok(report)
    }
}
