//! Rehearsal: the files, on a scratch server with the rows of a backup, measured.

use super::files::{Migration, MigrationId, Migrations};
use super::history::History;
use super::judged::{Harm, RowCount, exclusive_by_relation, judge};
use super::plan::Plan;
use super::run::{Applied, Failure, Locked, Measure, RunLimits, RunNotes, run};
use super::snapshot;
use super::suite::{Suite, SuiteReport};
use super::values::{open_policies, overwritten};
use crate::backup::drill::{DrillRequest, Restored, restore_apart};
use crate::catalog::Scope;
use crate::catalog::diff::{Compared, FactsDiff};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{QualifiedName, quote_ident};
use crate::postgres::facts::read_facts;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use crate::repository::{BackupId, BackupReader, Contents, Repository, apart};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::path::PathBuf;

/// A rehearsal: of what, and what else is run.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct RehearseRequest {
    /// The directory of the scratch server's programs. The oldest that will do without it.
    pub bin_dir: Option<PathBuf>,
    /// Tests that run behind the migrations.
    pub suites: Vec<Suite>,
    /// How long things are waited for.
    pub limits: RunLimits,
    /// Which schemas the facts cover.
    pub scope: Scope,
    /// What ran on the real database. A backup from before one of these is refused.
    pub ran: Vec<MigrationId>,
    /// The real database, whose counters tell how many statements would wait.
    pub source: Option<DatabaseUrl>,
}

/// What a rehearsal saw.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Rehearsal {
    /// The form of this document.
    pub schema: &'static str,
    /// The backup whose rows it ran on.
    pub backup: BackupId,
    /// The version of the scratch server, as a number.
    pub server_version: u32,
    /// What identifies the files that ran: `apply` holds its own against it.
    pub files_digest: String,
    /// How it ended.
    pub outcome: RehearsalOutcome,
    /// The migrations that ran, with what each statement did.
    pub applied: Vec<Applied>,
    /// What failed.
    pub failure: Option<Box<Failure>>,
    /// What went or got weaker, judged by what is different behind the run.
    pub harms: Vec<Harm>,
    /// The longest time that nobody could read a table that was there before, in milliseconds.
    pub max_access_exclusive_ms: u64,
    /// Statements that would wait on the real server, by how often its tables are read.
    pub waiting: Vec<Waiting>,
    /// Rows of the tables that have fewer or more than before.
    pub row_counts: BTreeMap<String, RowCount>,
    /// By how much the database grew, in bytes.
    pub size_change: i64,
    /// The tests behind the run.
    pub tests: Vec<SuiteReport>,
    /// What is different in the schema.
    pub diff: FactsDiff,
    /// How long the restore took, in milliseconds: what going back would take on such a machine.
    pub restore_ms: u64,
    /// What could not be as it is on the real server; any makes the outcome partial.
    pub unproven: Vec<String>,
}

/// Statements that would wait for a table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Waiting {
    /// The table.
    pub relation: String,
    /// For how long nobody could read it in the rehearsal, in milliseconds.
    pub held_ms: u64,
    /// About how many statements come in that time.
    pub statements: u64,
}

/// How a rehearsal ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum RehearsalOutcome {
    /// All ran, and the tests hold.
    Passed,
    /// All ran, and something could not be as it is on the real server.
    Partial,
    /// A migration or a test failed.
    Failed,
}

/// Runs the files of `plan` on a scratch server with the rows of a backup.
///
/// # Errors
/// Of kind `CheckFailed` where a file was changed since the plan was made; those of a drill. A migration that fails is
/// no error but part of the result.
pub async fn rehearse(
    ctx: &OpContext,
    plan: &Plan,
    migrations: &Migrations,
    (repository, id): (&Repository, &BackupId),
    request: &RehearseRequest,
) -> Result<Rehearsal> {
    let files = plan.files(migrations)?;
    let drill = DrillRequest {
        bin_dir: request.bin_dir.clone(),
        ..DrillRequest::default()
    };
    let (backup, contents) = read(repository, id).await?;
    let mut place = Box::pin(restore_apart(ctx, backup, &drill)).await?;
    let admin = place.url.clone();
    let url = login(ctx, &admin, place.role()).await?;
    let unproven = unproven(&mut place);

    let facts = read_facts(ctx, &admin, snapshot::options(&request.scope)).await?;
    let (before, size_before) = counted(ctx, &admin).await?;
    refuse_older(ctx, &url, &before, request).await?;
    let ran = Box::pin(run_files(ctx, &url, &files, request)).await?;
    let (after, size_after) = counted(ctx, &admin).await?;
    let now = read_facts(
        ctx,
        &admin,
        crate::catalog::facts::FactsOptions::like(&facts),
    )
    .await?;
    let diff = FactsDiff::between(&facts, &now, Compared::Objects);
    let counts = side_by_side(&before, &after);
    let open = open_policies(ctx, &url, &diff).await?;
    let mut harms = judge(&diff, &counts, &ran.applied, &open);
    harms.extend(overwritten(ctx, &admin, &contents.tables, &ran.applied).await?);
    let held = exclusive_by_relation(&ran.applied);
    let failed = ran.failure.is_some() || ran.tests.iter().any(|suite| !suite.is_green());
    let rehearsal = Rehearsal {
        schema: "opskit.migrate-rehearsal/1",
        backup: id.clone(),
        server_version: place.report.server_version,
        files_digest: plan.files_digest(),
        outcome: match (failed, unproven.is_empty()) {
            (true, _) => RehearsalOutcome::Failed,
            (false, true) => RehearsalOutcome::Passed,
            (false, false) => RehearsalOutcome::Partial,
        },
        max_access_exclusive_ms: held.values().copied().max().unwrap_or(0),
        waiting: waiting(ctx, request.source.as_ref(), &held).await?,
        applied: ran.applied,
        failure: ran.failure,
        harms,
        row_counts: counts
            .into_iter()
            .filter(|(_, count)| count.after != Some(count.before))
            .map(|(table, count)| (table.to_string(), count))
            .collect(),
        size_change: size_after - size_before,
        tests: ran.tests,
        diff,
        restore_ms: place.recovery_ms,
        unproven,
    };
    place.stop().await?;
    Ok(rehearsal)
}

/// The backup, and what it says that it holds.
async fn read(repository: &Repository, id: &BackupId) -> Result<(BackupReader, Contents)> {
    let (from, wanted) = (repository.clone(), id.clone());
    let read = move || {
        let backup = from.read(&wanted)?;
        let contents = backup.contents()?;
        Ok((backup, contents))
    };
    apart(read).await
}

/// What could not be restored as it was.
fn unproven(place: &mut Restored) -> Vec<String> {
    let mut unproven = std::mem::take(&mut place.unproven);
    unproven.extend(place.report.skipped.iter().cloned());
    unproven.extend(
        place
            .report
            .failures
            .iter()
            .map(|failure| format!("{}: {}", failure.object, failure.message)),
    );
    unproven
}

/// What ran.
struct Ran {
    applied: Vec<Applied>,
    failure: Option<Box<Failure>>,
    tests: Vec<SuiteReport>,
}

async fn run_files(
    ctx: &OpContext,
    url: &DatabaseUrl,
    files: &[&Migration],
    request: &RehearseRequest,
) -> Result<Ran> {
    let mut locked = Locked::open(ctx, url, &request.limits).await?;
    locked.measure(Measure::All);
    let mut history = History::read(locked.connection()?).await?;
    history.make(locked.connection()?).await?;
    let (applied, failure) =
        Box::pin(run(ctx, &mut locked, &history, files, &RunNotes::default())).await;
    let tests = match failure {
        Some(_) => Vec::new(),
        None => super::apply::run_suites(ctx, &request.suites, &mut locked).await?,
    };
    locked.close().await;
    Ok(Ran {
        applied,
        failure,
        tests,
    })
}

/// Rights that reach beyond the database.
const SERVER_RIGHTS: &str =
    "pg_execute_server_program, pg_read_server_files, pg_write_server_files";

/// Roles of the backup, without those that have such rights.
const OTHERS: &str = "select rolname from pg_catalog.pg_roles where not rolsuper and rolname not like 'pg\\_%' \
    and not pg_catalog.pg_has_role(rolname, 'pg_execute_server_program', 'member') \
    and not pg_catalog.pg_has_role(rolname, 'pg_read_server_files', 'member') \
    and not pg_catalog.pg_has_role(rolname, 'pg_write_server_files', 'member')";

/// Refuses a backup that was taken before a migration ran that the rest builds upon. One whose history was left out of
/// the backup, as a platform's is, tells nothing.
async fn refuse_older(
    ctx: &OpContext,
    url: &DatabaseUrl,
    tables: &BTreeMap<QualifiedName, u64>,
    request: &RehearseRequest,
) -> Result<()> {
    let mut session = WireConnection::connect(url, ctx.cancel()).await?;
    let history = History::read(&mut session).await?;
    session.close().await;
    let tells = history.has_tables() || !history.foreign.is_empty() || tables.is_empty();
    match request.ran.iter().find(|id| !history.knows(id)) {
        Some(id) if tells => Err(Error::new(
            ErrorKind::CheckFailed,
            format!("the backup was taken before migration {id} ran"),
        )
        .with_hint("Rehearse on a newer one: take it with `opskit backup`, or end runs with one: `opskit migrate apply --backup-after`.")),
        _ => Ok(()),
    }
}

/// Has the role that the backup was taken as log in, without a superuser's rights: the code of a backup runs with what
/// a migration touches. It may act as every role of the backup, and the database is its own.
async fn login(ctx: &OpContext, admin: &DatabaseUrl, role: &str) -> Result<DatabaseUrl> {
    let mut session = WireConnection::connect(admin, ctx.cancel()).await?;
    let name = quote_ident(role);
    let known = format!(
        "select from pg_catalog.pg_roles where rolname = {}",
        crate::name::quote_literal(role)
    );
    if session.query_one(&known).await?.rows.is_empty() {
        session.execute(&format!("create role {name}")).await?;
    }
    let mut sql = format!(
        "alter role {name} login nosuperuser nocreaterole createdb bypassrls; alter database {} owner to {name}; \
         revoke {SERVER_RIGHTS} from {name};",
        quote_ident(admin.dbname())
    );
    // Before 16, whoever may make roles may also become one that runs programs on the server.
    if session.server_version_num() >= 160_000 {
        sql.push_str(&format!(" alter role {name} createrole;"));
    }
    for row in session.query_one(OTHERS).await?.rows {
        let other = row.into_iter().next().flatten();
        if let Some(other) = other.filter(|other| other != role) {
            sql.push_str(&format!(" grant {} to {name};", quote_ident(&other)));
        }
    }
    session.execute(&sql).await?;
    session.close().await;
    Ok(admin.with_user(role))
}

/// Rows of each table, and the size of the database.
async fn counted(
    ctx: &OpContext,
    url: &DatabaseUrl,
) -> Result<(BTreeMap<QualifiedName, u64>, i64)> {
    let mut session = WireConnection::connect(url, ctx.cancel()).await?;
    let tables = "select n.nspname, c.relname from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
                  where c.relkind = 'r' and c.oid >= 16384 and n.nspname <> 'opskit'";
    let mut counts = BTreeMap::new();
    for row in session.query_one(tables).await?.rows {
        let mut fields = row.into_iter().flatten();
        let (Some(schema), Some(name)) = (fields.next(), fields.next()) else {
            continue;
        };
        let table = QualifiedName::new(schema, name);
        let sql = format!(
            "select pg_catalog.count(*)::pg_catalog.text from only {}",
            table.to_sql()
        );
        counts.insert(table, number(&session.query_one(&sql).await?.rows)?);
    }
    let size = "select pg_catalog.pg_database_size(pg_catalog.current_database())::pg_catalog.text";
    let size = number(&session.query_one(size).await?.rows)?;
    session.close().await;
    Ok((counts, i64::try_from(size).unwrap_or(i64::MAX)))
}

fn number(rows: &[Vec<Option<String>>]) -> Result<u64> {
    let text = rows.first().and_then(|row| row.first()?.as_deref());
    text.and_then(|text| text.parse().ok())
        .ok_or_else(|| Error::new(ErrorKind::Internal, "the server gave no number"))
}

fn side_by_side(
    before: &BTreeMap<QualifiedName, u64>,
    after: &BTreeMap<QualifiedName, u64>,
) -> BTreeMap<QualifiedName, RowCount> {
    let both = before.iter().map(|(table, count)| {
        (
            table.clone(),
            RowCount {
                before: *count,
                after: after.get(table).copied(),
            },
        )
    });
    both.collect()
}

/// How often each table is read, by the counters of the real server since they began.
const RATES: &str = "\
select schemaname || '.' || relname, ((seq_scan + coalesce(idx_scan, 0)) / greatest(extract(epoch from \
  pg_catalog.now() - coalesce((select stats_reset from pg_catalog.pg_stat_database \
  where datname = pg_catalog.current_database()), pg_catalog.pg_postmaster_start_time())), 1))::pg_catalog.float8::pg_catalog.text \
from pg_catalog.pg_stat_user_tables";

async fn waiting(
    ctx: &OpContext,
    source: Option<&DatabaseUrl>,
    held: &BTreeMap<String, u64>,
) -> Result<Vec<Waiting>> {
    let Some(source) = source.filter(|_| !held.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut session = WireConnection::connect(source, ctx.cancel()).await?;
    let rows = session.query_one(RATES).await?.rows;
    session.close().await;
    let estimate = |row: Vec<Option<String>>| {
        let mut fields = row.into_iter().flatten();
        let (relation, rate) = (fields.next()?, fields.next()?.parse::<f64>().ok()?);
        let held_ms = *held.get(&relation)?;
        let statements = (rate * held_ms as f64 / 1000.0).round() as u64;
        Some(Waiting {
            relation,
            held_ms,
            statements,
        })
    };
    Ok(rows.into_iter().filter_map(estimate).collect())
}
