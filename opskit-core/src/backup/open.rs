//! From a URL to a plan: locks, then the snapshot, then a look at everything.

use super::ADVISORY_LOCK_KEY;
use super::plan::{BackupPlan, Loss, Missing, PlannedTable};
use super::request::BackupRequest;
use super::source::Cluster;
use crate::catalog::ddl::{DdlOptions, Script};
use crate::catalog::facts::{Facts, FactsOptions};
use crate::catalog::inventory::{
    Item, ItemKind, LARGE_OBJECTS_SQL, extension_rows_sql, inventory_from, inventory_sql,
    large_object_bounds_sql, large_object_pages_sql, large_objects_name, outside_sql,
};
use crate::catalog::model::Model;
use crate::catalog::{Pattern, Relation, RelationKind, relations_by_pattern, relations_from};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use crate::postgres::catalog::read_model_in;
use crate::postgres::export::{Crew, Leader, TablePlan, changed};
use crate::postgres::facts::read_facts_in;
use crate::postgres::session::Session;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::{WireConnection, refuse_transaction_pooler};
use crate::repository::{BackupId, BackupType, Excluded, Holds};
use std::collections::{HashMap, HashSet};
use std::time::Duration;
use time::OffsetDateTime;

/// The size of a page of a large object: one row of the file that keeps them.
const PAGE_BYTES: u32 = 128 << 10;

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
    pub(super) crew: Crew,
    pub(super) cluster: Cluster,
    pub(super) snapshot_at: OffsetDateTime,
    pub(super) holds: Vec<Holds>,
    pub(super) sequences: Vec<QualifiedName>,
    pub(super) model: Model,
    pub(super) script: Script,
    pub(super) facts: Facts,
}

impl Backup {
    /// Connects, locks the tables, takes the snapshot and makes the plan. No row is read yet.
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
            let ready = Ready::get(
                ctx,
                url,
                &request,
                choice,
                cluster,
                (session, probe),
                &mut plan,
            );
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

impl Ready {
    async fn get(
        ctx: &OpContext,
        url: &DatabaseUrl,
        request: &BackupRequest,
        choice: Choice,
        cluster: Cluster,
        (session, probe): (Session, WireConnection),
        plan: &mut BackupPlan,
    ) -> Result<Self> {
        let relations = choice.to_lock();
        let wait = request.reading.lock_timeout;
        let mut leader = Leader::over(url, session, relations, wait, &probe).await?;
        let snapshot_at = ctx.clock().now();
        let again = inventory(&mut leader.session, request).await?;
        choice.refuse_changes(&again)?;
        let version = leader.source.server_version;
        let model = read_model_in(&mut leader.session, version, &request.scope).await?;
        plan.objects = model.objects.len() as u64;
        let script = Script::of(&model, &DdlOptions::new(version))?;
        let options = FactsOptions::new(request.scope.clone());
        let facts = read_facts_in(&mut leader.session, version, options).await?;
        plan.losses = losses(request, &script, &facts)?;
        let (tables, holds) = tables(&mut leader, request, &choice).await?;
        plan.tables = planned(&tables, &holds);
        let export_plan = crate::postgres::export::ExportPlan::of(tables);
        let reading = request.reading.clone();
        Ok(Self {
            crew: Crew::new(ctx, url, reading, leader, export_plan, probe),
            cluster,
            snapshot_at,
            holds,
            sequences: choice.sequences,
            model,
            script,
            facts,
        })
    }
}

/// What cannot be carried, and whether it was accepted: what the script refuses to make, and what has
/// facts that nothing in the script accounts for.
fn losses(request: &BackupRequest, script: &Script, facts: &Facts) -> Result<Vec<Loss>> {
    let loss = |object: &str, reason: &str| Loss {
        object: object.to_owned(),
        reason: reason.to_owned(),
        accepted: request.accept_losses.iter().any(|name| name == object),
    };
    let refused = script.refused.iter();
    let mut losses: Vec<Loss> = refused
        .map(|refusal| loss(&refusal.object, &refusal.reason))
        .collect();
    let refused = script.refused.iter().map(|refusal| refusal.about);
    let known: HashSet<_> = script.explained().iter().copied().chain(refused).collect();
    let unexplained = facts.unexplained(&known);
    losses.extend(
        unexplained
            .iter()
            .map(|lost| loss(&lost.object, "no statement of ours makes it")),
    );
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

async fn inventory(session: &mut Session, request: &BackupRequest) -> Result<Vec<Item>> {
    let sql = inventory_sql(&request.scope);
    inventory_from(&session.rows("cannot read the inventory", sql).await?)
}

/// What of the inventory is wanted.
#[derive(Debug)]
struct Choice {
    found: Vec<Item>,
    /// The OIDs of the tables whose rows are wanted.
    wanted: HashSet<u32>,
    sequences: Vec<QualifiedName>,
    has_large_objects: bool,
    excluded: Vec<Excluded>,
    missing: Vec<Missing>,
}

impl Choice {
    async fn of(
        session: &mut Session,
        request: &BackupRequest,
        found: Vec<Item>,
        cluster: &Cluster,
    ) -> Result<Self> {
        let only = matching(session, &request.only).await?;
        let exclude = matching(session, &request.exclude).await?;
        if !request.only.is_empty() && only.is_empty() {
            let patterns: Vec<String> = request.only.iter().map(Pattern::to_string).collect();
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("no table matches {}", patterns.join(", ")),
            )
            .with_hint("Names fold to lower case unless quoted, and without a schema the search path decides: try schema.name."));
        }
        let mut choice = Self {
            wanted: HashSet::new(),
            sequences: Vec::new(),
            has_large_objects: request.backup_type == BackupType::Full && request.only.is_empty(),
            excluded: outside(session, request).await?,
            missing: Vec::new(),
            found: Vec::new(),
        };
        for item in &found {
            choice.choose(request, item, cluster, &only, &exclude);
        }
        if request.backup_type == BackupType::Full && !choice.has_large_objects {
            choice.exclude("large objects", "only some tables were asked for");
        }
        choice.found = found;
        Ok(choice)
    }

    fn choose(
        &mut self,
        request: &BackupRequest,
        item: &Item,
        cluster: &Cluster,
        only: &HashSet<u32>,
        exclude: &HashSet<u32>,
    ) {
        if request.backup_type == BackupType::Schema {
            return;
        }
        let in_set = |set: &HashSet<u32>| {
            set.contains(&item.oid) || item.ancestors.iter().any(|above| set.contains(above))
        };
        let rows = || format!("rows of table {}", item.name);
        match item.kind {
            ItemKind::Partitioned => {}
            ItemKind::Sequence => {
                self.need(item, "sequence");
                self.sequences.push(item.name.clone());
            }
            ItemKind::Foreign => self.exclude(
                &format!("rows of foreign table {}", item.name),
                "they are on another server",
            ),
            ItemKind::Table if in_set(exclude) => self.exclude(&rows(), "excluded as asked"),
            ItemKind::Table if !request.only.is_empty() && !in_set(only) => {
                self.exclude(&rows(), "only other tables were asked for");
            }
            ItemKind::Table if item.unlogged && cluster.standby => {
                self.exclude(&rows(), "a standby has no rows of unlogged tables");
            }
            ItemKind::Table => {
                self.need(item, "table");
                self.wanted.insert(item.oid);
            }
        }
    }

    fn exclude(&mut self, object: &str, reason: &str) {
        self.excluded.push(Excluded {
            object: object.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Notes what the role lacks to read all of an item.
    fn need(&mut self, item: &Item, class: &str) {
        let object = format!("{class} {}", item.name);
        let needs = match (item.readable, item.filtered) {
            (false, _) => "the privilege SELECT on it and USAGE on its schema",
            (true, true) => {
                "a role that row-level security does not filter (its owner, or BYPASSRLS)"
            }
            (true, false) => return,
        };
        self.missing.push(Missing {
            object,
            needs: needs.to_owned(),
        });
    }

    /// Everything whose definition or rows must stay as they are: all tables that this role may lock.
    fn to_lock(&self) -> Vec<Relation> {
        let lockable = self.found.iter().filter(|item| item.readable);
        let relation = |item: &Item| {
            let kind = match item.kind {
                ItemKind::Table => RelationKind::Table,
                ItemKind::Partitioned => RelationKind::Partitioned,
                ItemKind::Foreign | ItemKind::Sequence => return None,
            };
            Some(Relation {
                oid: item.oid,
                name: item.name.clone(),
                kind,
                ancestors: Vec::new(),
                has_children: false,
            })
        };
        lockable.filter_map(relation).collect()
    }

    /// What was found before there were locks must be what the snapshot has.
    fn refuse_changes(&self, again: &[Item]) -> Result<()> {
        if self.found == again {
            return Ok(());
        }
        let before: HashMap<u32, &Item> = self.found.iter().map(|item| (item.oid, item)).collect();
        let after: HashMap<u32, &Item> = again.iter().map(|item| (item.oid, item)).collect();
        let differs = |item: &&Item| before.get(&item.oid) != after.get(&item.oid);
        let item = self.found.iter().chain(again).find(differs);
        Err(item.map_or_else(
            || Error::new(ErrorKind::Busy, "the tables changed while they were read"),
            |item| changed(&item.name),
        ))
    }

    /// The wanted tables that hold user's rows only, and those of extensions.
    fn wanted(&self) -> (Vec<(u32, QualifiedName)>, Vec<&Item>) {
        let wanted = || {
            let items = self.found.iter();
            items.filter(|item| self.wanted.contains(&item.oid))
        };
        let own = wanted().filter(|item| item.extension.is_none());
        let own = own.map(|item| (item.oid, item.name.clone()));
        (
            own.collect(),
            wanted().filter(|item| item.extension.is_some()).collect(),
        )
    }
}

/// The OIDs of all relations that match one of the patterns.
async fn matching(session: &mut Session, patterns: &[Pattern]) -> Result<HashSet<u32>> {
    let mut oids = HashSet::new();
    for pattern in patterns {
        let rows = session
            .rows("cannot look for tables", relations_by_pattern(pattern))
            .await?;
        oids.extend(relations_from(&rows)?.into_iter().map(|found| found.oid));
    }
    Ok(oids)
}

/// The schemas that are left out, and why.
async fn outside(session: &mut Session, request: &BackupRequest) -> Result<Vec<Excluded>> {
    let sql = outside_sql(&request.scope);
    let rows = session.rows("cannot read the schemas", sql).await?;
    let excluded = |name: String| {
        let reason = if request.scope.ignored().contains(&name) {
            "ignored as asked"
        } else {
            "it belongs to the platform"
        };
        Excluded {
            object: format!("schema {name}"),
            reason: reason.to_owned(),
        }
    };
    let names = rows
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten());
    Ok(names.map(excluded).collect())
}

/// The tables of the plan with what each holds, in order of their names.
async fn tables(
    leader: &mut Leader,
    request: &BackupRequest,
    choice: &Choice,
) -> Result<(Vec<TablePlan>, Vec<Holds>)> {
    let (own, of_extensions) = choice.wanted();
    let part_bytes = request.reading.part_bytes;
    let own = leader.plan_leaves(&own, part_bytes).await?;
    let mut tables: Vec<(TablePlan, Holds)> =
        own.into_iter().map(|table| (table, Holds::Table)).collect();
    tables.extend(extension_tables(leader, &of_extensions).await?);
    if choice.has_large_objects {
        tables.extend(large_objects(leader, part_bytes).await?);
    }
    tables.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    Ok(tables.into_iter().unzip())
}

async fn extension_tables(leader: &mut Leader, items: &[&Item]) -> Result<Vec<(TablePlan, Holds)>> {
    let oids: Vec<u32> = items.iter().map(|item| item.oid).collect();
    let mut row_types = leader.row_types(&oids).await?;
    let mut tables = Vec::new();
    for item in items {
        let Some(of) = &item.extension else { continue };
        let sql = extension_rows_sql(&item.name, of);
        let doing = format!(
            "extension \"{}\" selects the rows of \"{}\" in a way that cannot be run",
            of.name, item.name
        );
        // The condition is the extension's own text: it must be part of one statement, not end it.
        leader
            .session
            .parse_one(&doing, format!("SELECT * FROM ({sql}\n) AS q"))
            .await?;
        let row_type = row_types.remove(&item.oid).unwrap_or_default();
        let table = Leader::plan_queries(item.name.clone(), row_type, vec![sql], 0);
        let extension = of.name.clone();
        tables.push((table, Holds::ExtensionTable { extension }));
    }
    Ok(tables)
}

/// The large objects as a table of their pages. None where there are none.
async fn large_objects(leader: &mut Leader, part_bytes: u64) -> Result<Option<(TablePlan, Holds)>> {
    let doing = "cannot read the large objects";
    let session = &mut leader.session;
    let rows = session.rows(doing, LARGE_OBJECTS_SQL.to_owned()).await?;
    let count = |at: usize| {
        let text = rows.first().and_then(|row| row.get(at)?.as_deref());
        text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    };
    let (objects, bytes) = (count(0), count(1));
    if objects == 0 {
        return Ok(None);
    }
    let parts = bytes.div_ceil(part_bytes).clamp(1, objects);
    let bounds = session.rows(doing, large_object_bounds_sql(parts)).await?;
    let bounds: Vec<u32> = bounds
        .iter()
        .filter_map(|row| row.first()?.as_deref()?.parse().ok())
        .collect();
    let queries = bounds.iter().enumerate().map(|(at, from)| {
        let until = bounds.get(at + 1).copied();
        large_object_pages_sql(*from, until, PAGE_BYTES)
    });
    let row_type = leader
        .row_type_of(&[
            ("loid", 26, "oid"),
            ("page", 23, "integer"),
            ("data", 17, "bytea"),
        ])
        .await?;
    let table = Leader::plan_queries(
        large_objects_name(),
        row_type,
        queries.collect(),
        bytes / parts,
    );
    let holds = Holds::LargeObjects {
        objects,
        page_bytes: PAGE_BYTES,
    };
    Ok(Some((table, holds)))
}

fn planned(tables: &[TablePlan], holds: &[Holds]) -> Vec<PlannedTable> {
    let tables = tables.iter().zip(holds);
    let table = |(table, holds): (&TablePlan, &Holds)| PlannedTable {
        name: table.name.clone(),
        holds: holds.clone(),
        columns: table.row_type.columns.len() as u64,
        parts: table.parts.len() as u64,
        heap_bytes: table.parts.iter().map(|part| part.heap_bytes).sum(),
    };
    tables.map(table).collect()
}
