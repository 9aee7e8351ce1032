//! The order of things.

use super::compare::{self, Comparison};
use super::plan::RestorePlan;
use super::prepare::{self, Prepared};
use super::rehearsal;
use super::report::{Phase, RestoreReport};
use super::request::{Acting, OnError, Part, RestoreRequest, Transactions};
use super::rows::{COLUMNS_AT_ONCE, Rows};
use super::schedule;
use super::sessions::{Opener, Sessions};
use super::steps::Steps;
use super::target::{Bracket, Target};
use super::values;
use crate::catalog::ddl::{Section, Statement};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::name::quote_literal;
use crate::postgres::load::Transaction;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use crate::repository::{BackupReader, SequenceEntry, TableEntry, VerifyLevel};
use std::sync::Arc;
use std::time::Duration;
use time::format_description::well_known::Rfc3339;
use tokio::sync::Semaphore;

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

/// What is being done.
pub(super) struct Work<'a> {
    ctx: &'a OpContext,
    pub(super) target: &'a Target,
    pub(super) request: RestoreRequest,
    pub(super) prepared: Prepared,
    pub(super) rows: Arc<Rows>,
    pub(super) steps: Steps,
    phases: Vec<Phase>,
    comparison: Comparison,
}

impl<'a> Work<'a> {
    fn new(
        ctx: &'a OpContext,
        request: RestoreRequest,
        mut prepared: Prepared,
        (sessions, target): (&Sessions, &'a Target),
    ) -> Self {
        // Only a table that this restore makes is certain to be empty, and may be emptied.
        let transaction = match (request.part, request.on_error) {
            (Part::Everything, OnError::Stop) => Transaction::Truncating,
            _ => Transaction::Own,
        };
        let rows = Rows {
            ctx: ctx.clone(),
            reader: Arc::clone(&prepared.reader),
            format: prepared.format,
            request: request.clone(),
            tables: std::mem::take(&mut prepared.tables),
            transaction,
            columns: Semaphore::new(COLUMNS_AT_ONCE as usize),
        };
        let steps = Steps {
            on_error: request.on_error,
            transactions: request.transactions,
            login: sessions.login.as_ref().map(|login| login.role.clone()),
            guard: None,
            optional: std::mem::take(&mut prepared.optional),
            denied: Vec::new(),
            failures: Vec::new(),
            done: 0,
        };
        Self {
            ctx,
            target,
            request,
            prepared,
            rows: Arc::new(rows),
            steps,
            phases: Vec::new(),
            comparison: Comparison::default(),
        }
    }

    async fn all(&mut self, sessions: &mut Sessions) -> Result<()> {
        self.look().await?;
        self.announce();
        match self.request.transactions {
            Transactions::Many => self.in_many(sessions).await,
            Transactions::One => self.in_one(sessions).await,
        }
    }

    /// Looks whether the rows are there, and whole where something of the target is dropped for them. Each part is
    /// looked at again when it is loaded.
    async fn look(&mut self) -> Result<()> {
        let start = self.now();
        let level = match self.prepared.replaces {
            true => VerifyLevel::Hash,
            false => VerifyLevel::List,
        };
        let (rows, ctx) = (Arc::clone(&self.rows), self.ctx.clone());
        let looking = tokio::task::spawn_blocking(move || {
            let parts = rows.tables.iter().flat_map(|table| &table.parts);
            let names = parts.flat_map(|part| std::iter::once(&part.object).chain(&part.exact));
            rows.reader.check(&ctx, names.map(String::as_str), level)
        });
        looking.await.map_err(|source| {
            Error::new(ErrorKind::Internal, "the reader of the backup stopped").with_source(source)
        })??;
        self.phase("check of the backup", start);
        Ok(())
    }

    async fn in_many(&mut self, sessions: &mut Sessions) -> Result<()> {
        let opener = sessions.opener().clone();
        let owner = sessions.owner();
        let mut worker = opener.open().await?;
        let admin = &mut sessions.admin;
        let start = self.now();
        self.begin(admin).await?;
        if let Some(login) = &sessions.login {
            login.enter(admin, &self.prepared.existing_schemas).await?;
            login.refer(admin, &self.prepared.standing).await?;
        }
        let pre = self.section(Section::PreData);
        self.steps.run(admin, &mut worker, &pre).await?;
        self.phase("objects before rows", start);
        let start = self.now();
        worker = match self.request.part {
            Part::Schema => worker,
            Part::Everything => self.rows_over(&opener, &owner, worker).await?,
            Part::Data => self.rows_between(sessions, worker).await?,
        };
        let admin = &mut sessions.admin;
        self.phase("rows", start);
        let start = self.now();
        let post = self.section(Section::PostData);
        let graph = std::mem::take(&mut self.prepared.graph);
        let work = (&graph, post.as_slice(), &self.prepared.sizes);
        let jobs = self.request.jobs;
        schedule::run(&mut self.steps, admin, &opener, work, jobs).await?;
        self.phase("indexes, constraints and the rest", start);
        let start = self.now();
        let sequences = self.sequences();
        // Those that this restore has made are the worker's; the names of others are nobody's to give.
        match self.request.part {
            Part::Data => self.own(admin, &sequences).await?,
            _ => self.own(&mut worker, &sequences).await?,
        }
        self.phase("sequences", start);
        let start = self.now();
        self.compare_rows(&opener).await?;
        self.compare_values(&owner).await?;
        self.phase("comparison of rows", start);
        let start = self.now();
        self.finish(sessions, &mut worker).await?;
        flush(&mut worker).await?;
        worker.close().await;
        self.phase("owners, privileges and comments", start);
        Ok(())
    }

    /// Loads all rows; `worker` loads what is not the user's tables.
    pub(super) async fn rows_over(
        &mut self,
        opener: &Opener,
        owner: &Opener,
        worker: WireConnection,
    ) -> Result<WireConnection> {
        // First, because a check of the user's may look there.
        self.platform_rows(owner).await?;
        let failures = self.rows.load(opener).await?;
        self.steps.failures.extend(failures);
        // Neither runs any code of the backup, and objects that exist are somebody else's.
        let mut session = owner.open().await?;
        session = self
            .rows
            .load_large_objects(session, Transaction::Own)
            .await?;
        session = self.rows.load_extensions(session, Transaction::Own).await?;
        session.close().await;
        Ok(worker)
    }

    /// Loads the rows of the platform's tables: before what reacts to rows is made there.
    async fn platform_rows(&mut self, owner: &Opener) -> Result<()> {
        let session = owner.open().await?;
        let plan = &self.prepared.platform;
        let loading = self.rows.load_platform(session, plan, Transaction::Own);
        match Box::pin(loading).await {
            Ok(session) => session.close().await,
            Err(error) => self.steps.failed("rows of the platform's tables", error)?,
        }
        Ok(())
    }

    /// Everything over one session, which is the target's role's own.
    async fn in_one(&mut self, sessions: &mut Sessions) -> Result<()> {
        let mut session = sessions.opener().open().await?;
        let start = self.now();
        session.execute("BEGIN").await?;
        let roles = std::mem::take(&mut self.prepared.roles);
        self.around(&mut session, &roles).await?;
        let drops = std::mem::take(&mut self.prepared.drops);
        self.own(&mut session, &drops).await?;
        let pre = self.section(Section::PreData);
        self.steps
            .run(&mut sessions.admin, &mut session, &pre)
            .await?;
        let brackets = std::mem::take(&mut self.prepared.brackets);
        self.own(&mut session, &sides(&brackets, |bracket| &bracket.before))
            .await?;
        let truncates = std::mem::take(&mut self.prepared.truncates);
        self.own(&mut session, &truncates).await?;
        if self.request.part != Part::Schema {
            session = self.rows_in_one(session).await?;
        }
        self.own(&mut session, &sides(&brackets, |bracket| &bracket.after))
            .await?;
        let post = self.section(Section::PostData);
        self.steps
            .run(&mut sessions.admin, &mut session, &post)
            .await?;
        let sequences = self.sequences();
        for check in brackets.iter().filter_map(|it| it.check.as_ref()) {
            session.query_one(check).await?;
        }
        self.own(&mut session, &sequences).await?;
        let access = self.section(Section::Access);
        self.steps
            .run(&mut sessions.admin, &mut session, &access)
            .await?;
        let database = std::mem::take(&mut self.prepared.database);
        self.around(&mut session, &database).await?;
        session
            .execute("SET LOCAL synchronous_commit = on; COMMIT")
            .await?;
        session.close().await;
        self.phase("everything", start);
        let start = self.now();
        self.compare_rows(sessions.opener()).await?;
        self.compare_values(&sessions.owner()).await?;
        self.phase("comparison of rows", start);
        Ok(())
    }

    /// Loads all rows in the transaction that the session is in.
    async fn rows_in_one(&self, session: WireConnection) -> Result<WireConnection> {
        let (rows, transaction) = (&self.rows, Transaction::Callers);
        let plan = &self.prepared.platform;
        let session = rows.load_platform(session, plan, transaction).await?;
        let session = rows.load_over(session).await?;
        let session = rows.load_large_objects(session, transaction).await?;
        rows.load_extensions(session, transaction).await
    }

    /// Runs statements of our own making: nothing of the backup is in them but quoted names.
    pub(super) async fn own(
        &mut self,
        session: &mut WireConnection,
        statements: &[(String, String)],
    ) -> Result<()> {
        for (object, sql) in statements {
            match session.query_one(sql).await {
                Ok(_) => self.steps.done += 1,
                Err(error) => self.steps.failed(object, error)?,
            }
        }
        Ok(())
    }

    pub(super) fn section(&self, section: Section) -> Vec<Statement> {
        let statements = self.prepared.statements.iter();
        statements
            .filter(|statement| statement.section == section)
            .cloned()
            .collect()
    }

    fn sequences(&self) -> Vec<(String, String)> {
        if self.request.part == Part::Schema {
            return Vec::new();
        }
        self.prepared.sequences.iter().map(set_value).collect()
    }

    /// Compares rows with no more rights than they were loaded with: to plan a query of a table, the server
    /// runs functions of its constraints and indexes.
    async fn compare_rows(&mut self, opener: &Opener) -> Result<()> {
        if self.request.part == Part::Schema {
            return Ok(());
        }
        let (url, jobs) = (opener.url(), self.request.jobs);
        let compared = compare::rows(self.ctx, url, &self.rows.tables, jobs, &mut self.comparison);
        Box::pin(compared).await
    }

    /// Compares what is no row of the user's tables, which runs no code of theirs.
    async fn compare_values(&mut self, owner: &Opener) -> Result<()> {
        if self.request.part == Part::Schema {
            return Ok(());
        }
        // Jobs that were put to sleep are not as they were.
        let is_asleep = |table: &&TableEntry| {
            self.request.acting == Acting::Disabled && rehearsal::stop_jobs(&table.name).is_some()
        };
        let tables = self.rows.tables.iter().filter(|table| !is_asleep(table));
        let wanted = values::Wanted {
            sequences: &self.prepared.sequences,
            tables: tables.collect(),
            strangers: &self.prepared.strangers,
        };
        values::compare(self.ctx, owner.url(), &wanted, &mut self.comparison).await
    }

    /// Compares objects, which runs none of their code.
    async fn compare_facts(&mut self, url: &DatabaseUrl) -> Result<()> {
        if let Some(facts) = &self.prepared.facts {
            let by = (&self.request, &self.prepared.unproven);
            compare::facts(self.ctx, url, facts, by, &mut self.comparison).await?;
        }
        Ok(())
    }

    fn announce(&self) {
        let parts = || self.rows.tables.iter().flat_map(|table| &table.parts);
        self.ctx.emit(Event::RunStarted {
            tables: self.rows.tables.len(),
            parts: parts().count(),
            heap_bytes: parts().map(|part| part.wire_bytes).sum(),
        });
    }

    fn now(&self) -> Duration {
        self.ctx.clock().elapsed()
    }

    fn phase(&mut self, name: &'static str, start: Duration) {
        let elapsed = self.now() - start;
        self.phases.push(Phase {
            name,
            elapsed_ms: elapsed.as_millis() as u64,
        });
    }
}

/// One side of brackets, as statements.
fn sides(brackets: &[Bracket], side: impl Fn(&Bracket) -> &String) -> Vec<(String, String)> {
    let pair = |bracket: &Bracket| (bracket.object.clone(), side(bracket).clone());
    brackets.iter().map(pair).collect()
}

/// A commit that waits for the disk, and so for all commits before it that did not.
async fn flush(session: &mut WireConnection) -> Result<()> {
    let sql =
        "BEGIN; SET LOCAL synchronous_commit = on; SELECT pg_catalog.pg_current_xact_id(); COMMIT";
    session.execute(sql).await
}

fn set_value(sequence: &SequenceEntry) -> (String, String) {
    let sql = format!(
        "SELECT pg_catalog.setval({}::pg_catalog.regclass, {}, {})",
        quote_literal(&sequence.name.to_sql()),
        sequence.last_value,
        sequence.is_called
    );
    (format!("sequence {}", sequence.name), sql)
}
