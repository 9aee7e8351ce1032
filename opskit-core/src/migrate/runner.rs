//! `MigrationRunner`, and the one for Postgres.

use super::apply::{in_one, run_suites};
use super::files::{MigrationId, Migrations, Version};
use super::history::{Draft, History, Repair};
use super::ledger::Elapsed;
use super::plan::Plan;
use super::report::ApplyReport;
use super::run::{Locked, Measure, RunLimits};
use super::safety::Safety;
use super::snapshot::{self, DriftReport};
use super::status::{Standing, Status, Wanted};
use super::suite::SuiteReport;
use crate::catalog::Scope;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::facts::read_facts;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::{WireConnection, refuse_transaction_pooler};
use async_trait::async_trait;

/// Brings the schema of a database forward, one migration after the other.
///
/// Every result is a plain value. A runner makes a plan, which can be shown, and carries that plan out; it refuses one
/// that was made for another history.
#[async_trait]
pub trait MigrationRunner: Send + Sync {
    /// Says how each migration stands. Changes nothing.
    async fn status(&self, ctx: &OpContext) -> Result<Status>;

    /// Says what [`MigrationRunner::apply`] would do. Changes nothing.
    ///
    /// # Errors
    /// Of kind `CheckFailed` where files and history contradict each other.
    async fn plan(&self, ctx: &OpContext, wanted: &Wanted) -> Result<Plan>;

    /// Carries a plan out, up to the first migration that fails, which is no `Err` but part of the report.
    ///
    /// # Errors
    /// Of kind `Busy` where the history moved since the plan was made, or another run or a backup goes on for too long;
    /// `CheckFailed` where a file was changed.
    async fn apply(&self, ctx: &OpContext, plan: &Plan) -> Result<ApplyReport>;
}

/// Migrates a Postgres database.
///
/// ```no_run
/// use opskit_core::context::OpContext;
/// use opskit_core::migrate::{MigrationRunner as _, Migrations, PgMigrationRunner, Wanted};
/// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
///
/// # async fn example() -> opskit_core::Result<()> {
/// let url = DatabaseUrl::parse("postgres://app@localhost/shop", &ConnectEnv::from_process())?;
/// let migrations = Migrations::embedded([("1_orders.sql", "create table orders (id bigint primary key)")])?;
/// let runner = PgMigrationRunner::new(url, migrations);
/// let ctx = OpContext::default();
/// let plan = runner.plan(&ctx, &Wanted::default()).await?;
/// let report = runner.apply(&ctx, &plan).await?;
/// if let Some(failure) = &report.failure {
///     return Err(failure.to_error());
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct PgMigrationRunner {
    pub(super) url: DatabaseUrl,
    migrations: Migrations,
    limits: RunLimits,
    pub(super) scope: Scope,
    pub(super) safety: Safety,
    pub(super) measure: Measure,
}

impl PgMigrationRunner {
    /// A runner of these migrations for this database, with the usual limits.
    #[must_use]
    pub fn new(url: DatabaseUrl, migrations: Migrations) -> Self {
        Self {
            url,
            migrations,
            limits: RunLimits::default(),
            scope: Scope::default(),
            safety: Safety::default(),
            measure: Measure::default(),
        }
    }

    /// Changes how long a run waits.
    #[must_use]
    pub fn with_limits(mut self, limits: RunLimits) -> Self {
        self.limits = limits;
        self
    }

    /// Changes which schemas the facts cover that drift is told by.
    #[must_use]
    pub fn with_scope(mut self, scope: Scope) -> Self {
        self.scope = scope;
        self
    }

    /// Has runs look at what each statement does, as a rehearsal does.
    #[must_use]
    pub fn with_measure(mut self, measure: Measure) -> Self {
        self.measure = measure;
        self
    }

    /// Changes what is done around the migrations. At first nothing is: no backup, no tests.
    #[must_use]
    pub fn with_safety(mut self, safety: Safety) -> Self {
        self.safety = safety;
        self
    }

    /// Says what is different from what the last run left.
    ///
    /// # Errors
    /// Of kind `NotFound` where no run left anything to compare with.
    pub async fn drift(&self, ctx: &OpContext) -> Result<DriftReport> {
        let mut connection = self.connect(ctx).await?;
        let history = History::read(&mut connection).await?;
        let last = match history.has_tables() {
            true => snapshot::last(&mut connection).await?,
            false => None,
        };
        connection.close().await;
        let Some(last) = last else {
            return Err(Error::new(ErrorKind::NotFound, "no run has left anything to compare with")
                .with_hint("`opskit migrate apply` keeps the facts, also when there is nothing to run; `opskit schema snapshot` and `schema diff` compare with a file."));
        };
        let (report, _) = snapshot::drift(ctx, &self.url, &last).await?;
        Ok(report)
    }

    /// Takes what is there now for what the last run left.
    ///
    /// # Errors
    /// Of kind `NotFound` where no migration ran.
    pub async fn accept_drift(&self, ctx: &OpContext) -> Result<()> {
        let mut locked = Locked::open(ctx, &self.url, &self.limits).await?;
        let history = History::read(locked.connection()?).await?;
        let Some(last) = history.records.last() else {
            return Err(Error::new(ErrorKind::NotFound, "no migration ran here"));
        };
        let facts = read_facts(ctx, &self.url, snapshot::options(&self.scope)).await?;
        in_one(&mut locked, &snapshot::keep_sql(&last.id, &facts)?).await?;
        locked.close().await;
        Ok(())
    }

    /// Runs tests, and changes nothing.
    ///
    /// # Errors
    /// Those of connecting. A test that fails is no error.
    pub async fn verify(&self, ctx: &OpContext) -> Result<Vec<SuiteReport>> {
        let mut unlocked = Locked::without_turn(ctx, &self.url, &self.limits).await?;
        let reports = run_suites(ctx, &self.safety.suites, &mut unlocked).await?;
        unlocked.close().await;
        Ok(reports)
    }

    /// The migrations.
    #[must_use]
    pub fn migrations(&self) -> &Migrations {
        &self.migrations
    }

    /// Declares that all migrations up to a version were done before opskit came, and runs none of them.
    ///
    /// # Errors
    /// Of kind `NotFound` where there is no such migration, `CheckFailed` where some ran already.
    pub async fn baseline(&self, ctx: &OpContext, to: &Version) -> Result<Vec<MigrationId>> {
        let mut locked = Locked::open(ctx, &self.url, &self.limits).await?;
        let mut history = History::read(locked.connection()?).await?;
        history.make(locked.connection()?).await?;
        locked.keep_tools_away(ctx, &history.ledgers).await?;
        let status = self.status_of(&history);
        let wanted = Wanted {
            to: Some(to.clone()),
            ..Wanted::default()
        };
        let pending = status.pending(&wanted)?;
        if let Some(one) = pending
            .iter()
            .find(|one| one.standing == Standing::Incomplete)
        {
            return Err(Error::new(
                ErrorKind::CheckFailed,
                format!("some statements of migration {} ran", one.id),
            )
            .with_hint("Finish it with `opskit migrate apply`."));
        }
        let files: Vec<_> = pending
            .iter()
            .filter_map(|one| self.migrations.get(&one.id))
            .collect();
        let mut sql = history.adopt_sql(&self.migrations)?;
        for migration in &files {
            let draft = Draft {
                migration,
                host: None,
                backup_id: None,
                facts_before: None,
            };
            sql.push(draft.baseline_sql());
            let zero = Elapsed::Was(std::time::Duration::ZERO);
            sql.extend(
                history
                    .ledgers
                    .iter()
                    .filter_map(|ledger| ledger.insert_sql(migration, zero)),
            );
        }
        in_one(&mut locked, &sql).await?;
        locked.close().await;
        Ok(files.into_iter().map(|file| file.id.clone()).collect())
    }

    /// Accepts that the file of a migration that ran is another one now. Both digests and the reason are kept, and the
    /// checksums in the history tables of other tools become those of the file.
    ///
    /// # Errors
    /// Of kind `NotFound` where it did not run or has no file, `CheckFailed` where nothing was changed.
    pub async fn accept_change(
        &self,
        ctx: &OpContext,
        version: &Version,
        reason: &str,
    ) -> Result<()> {
        let id = MigrationId::Versioned(version.clone());
        let mut locked = Locked::open(ctx, &self.url, &self.limits).await?;
        let mut history = History::read(locked.connection()?).await?;
        history.make(locked.connection()?).await?;
        locked.keep_tools_away(ctx, &history.ledgers).await?;
        let status = self.status_of(&history);
        let one = status.migrations.iter().find(|one| one.id == id);
        let file = self.migrations.get(&id);
        let (Some(one), Some(file)) = (one, file) else {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("there is no migration {id} that ran and has a file"),
            ));
        };
        if one.standing != Standing::Changed {
            return Err(Error::new(
                ErrorKind::CheckFailed,
                format!("the file of migration {id} was not changed since it ran"),
            ));
        }
        let before = history.of(&id).and_then(|record| record.digests.as_ref());
        let mut sql = Vec::new();
        sql.extend(
            history
                .ledgers
                .iter()
                .filter_map(|ledger| ledger.repair_sql(file)),
        );
        // A row of another tool's becomes ours when that says the same again.
        sql.push(
            Repair {
                migration: file,
                before,
                reason,
            }
            .sql(),
        );
        in_one(&mut locked, &sql).await?;
        locked.close().await;
        Ok(())
    }

    fn status_of(&self, history: &History) -> Status {
        Status::of(self.url.dbname(), &self.migrations, history)
    }

    /// Reads the history without a lock.
    async fn history(&self, ctx: &OpContext) -> Result<History> {
        let mut connection = self.connect(ctx).await?;
        let history = History::read(&mut connection).await?;
        connection.close().await;
        Ok(history)
    }

    /// A connection that reads from one snapshot.
    async fn connect(&self, ctx: &OpContext) -> Result<WireConnection> {
        let mut connection = WireConnection::connect(&self.url, ctx.cancel()).await?;
        refuse_transaction_pooler(&self.url, &mut connection, ctx.cancel()).await?;
        connection
            .execute("begin isolation level repeatable read read only")
            .await?;
        Ok(connection)
    }
}

#[async_trait]
impl MigrationRunner for PgMigrationRunner {
    async fn status(&self, ctx: &OpContext) -> Result<Status> {
        Ok(self.status_of(&self.history(ctx).await?))
    }

    async fn plan(&self, ctx: &OpContext, wanted: &Wanted) -> Result<Plan> {
        let mut connection = self.connect(ctx).await?;
        let history = History::read(&mut connection).await?;
        let status = self.status_of(&history);
        let mut plan = Plan::make(&status, wanted, &self.migrations, &history)?;
        plan.look_up_sizes(&mut connection).await?;
        connection.close().await;
        Ok(plan)
    }

    async fn apply(&self, ctx: &OpContext, plan: &Plan) -> Result<ApplyReport> {
        let mut locked = Locked::open(ctx, &self.url, &self.limits).await?;
        let report = Box::pin(self.apply_with(ctx, plan, &mut locked)).await;
        locked.close().await;
        report
    }
}
