//! Before anything is changed: what the backup holds, what the target has, and what follows.

use super::around::{self, Around};
use super::changes::Changes;
use super::chosen::{Chosen, Unproven};
use super::defaults;
use super::earlier::{self, Earlier};
use super::expected::Expected;
use super::gaps;
use super::graph::Graph;
use super::lacking;
use super::mark;
use super::only::Standing;
use super::plan::{PlannedTable, RestorePlan, SessionKind};
use super::platform::{self, OfPlatform, Seen};
use super::problems;
use super::public;
use super::request::{Acting, Carry, Part, RestoreRequest, Transactions, Trust};
use super::schedule::Sizes;
use super::stored::{self, Stored};
use super::strangers;
use super::target::{Bracket, Target};
use crate::catalog::ddl::{Action, DdlOptions, Script, Section, Statement};
use crate::catalog::model::Model;
use crate::catalog::{Address, CatalogId};
use crate::context::OpContext;
use crate::error::Result;
use crate::postgres::load::{self, RestoreSettings};
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::{WireConnection, refuse_transaction_pooler};
use crate::repository::{BackupReader, DataFormat, Origin, SequenceEntry, TableEntry};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// What a restore works with.
#[derive(Debug)]
pub(super) struct Prepared {
    pub(super) reader: Arc<BackupReader>,
    pub(super) format: DataFormat,
    pub(super) tables: Vec<TableEntry>,
    pub(super) sequences: Vec<SequenceEntry>,
    pub(super) statements: Vec<Statement>,
    pub(super) graph: Graph,
    pub(super) sizes: Sizes,
    pub(super) expected: Option<Expected>,
    /// What the target has of what some tables need.
    pub(super) standing: Standing,
    /// Schemas of the backup that the target has.
    pub(super) existing_schemas: Vec<String>,
    /// Those of them that hold nothing else: their owner and privileges may become the backup's.
    pub(super) open_schemas: Vec<String>,
    /// What is dropped first: in words, and as SQL.
    pub(super) drops: Vec<(String, String)>,
    /// Something of the user's is among them.
    pub(super) replaces: bool,
    /// Tables that an earlier restore loaded rows into, emptied before that is done again.
    pub(super) truncates: Vec<(String, String)>,
    /// Large objects of the target that are none of the backup's.
    pub(super) strangers: Vec<u32>,
    /// What is taken away while rows are loaded into tables that exist.
    pub(super) brackets: Vec<Bracket>,
    /// Makes the roles that the target lacks.
    pub(super) roles: Vec<Statement>,
    /// What is set for the database.
    pub(super) database: Vec<Statement>,
    /// The mark of an earlier restore of this backup is there.
    pub(super) has_mark: bool,
    /// A mark can be left.
    pub(super) marks: bool,
    /// What is loaded into tables of the platform's.
    pub(super) platform: OfPlatform,
    pub(super) unproven: Unproven,
    /// Triggers and policies on tables of a platform, which may not allow them.
    pub(super) optional: HashSet<Address>,
}

/// Reads, looks, and plans.
pub(super) async fn prepare(
    ctx: &OpContext,
    backup: BackupReader,
    url: &DatabaseUrl,
    request: &RestoreRequest,
) -> Result<(WireConnection, Target, Prepared, RestorePlan)> {
    let reader = Arc::new(backup);
    let mut stored = stored::read(&reader).await?;
    let mut admin = WireConnection::connect(url, ctx.cancel()).await?;
    refuse_transaction_pooler(url, &mut admin, ctx.cancel()).await?;
    load::open(&mut admin, &settings(request)).await?;
    mark::keep_others_out(&mut admin, request.lock_timeout).await?;
    let mut target = Target::read(&mut admin).await?;
    public::keep_owner(&mut admin, &mut stored.model).await?;
    let kind = session_kind(request, &target);
    let (model, contents) = (&stored.model, &stored.contents);
    let id = &reader.manifest().id;
    let earlier = earlier::of(&mut admin, id, model, contents, &mut target, request).await?;
    let cluster = stored.cluster.take();
    let around = around::plan(&mut admin, cluster.as_ref(), &mut target, request, kind).await?;
    let from = (ctx, url);
    let seen = platform::look(&mut admin, from, &stored, &target, (request, kind)).await?;
    let (prepared, plan) = objects(
        &mut admin,
        (reader, stored),
        &target,
        (request, kind),
        (earlier, around, seen),
    )
    .await?;
    Ok((admin, target, prepared, plan))
}

/// How every session of a restore waits.
pub(super) fn settings(request: &RestoreRequest) -> RestoreSettings {
    RestoreSettings {
        lock_timeout: Some(request.lock_timeout),
        more: Vec::new(),
    }
}

/// Plans what is done with objects and rows.
async fn objects(
    admin: &mut WireConnection,
    (reader, mut stored): (Arc<BackupReader>, Stored),
    target: &Target,
    (request, kind): (&RestoreRequest, SessionKind),
    (earlier, around, seen): (Earlier, Around, Seen),
) -> Result<(Prepared, RestorePlan)> {
    let graph = Graph::new(&stored.model.needs, &stored.model.parts);
    let by = (request, kind);
    let mut chosen = Chosen::of(admin, &mut stored, (&graph, target), by, &seen).await?;
    let mut skipped = skipped_around(&around, request);
    skipped.append(&mut chosen.skipped);
    let script = script_of(&stored.model, target, &mut skipped)?;
    let existing_schemas = schemas(&stored.model, target);
    let replaced = std::mem::take(&mut chosen.standing.drops);
    let about = (&stored, existing_schemas.as_slice());
    let changes = Changes::plan(admin, about, target, request, &earlier, replaced).await?;
    let open = strangers::open_schemas(&existing_schemas, target, request);
    let statements = wanted(script, &stored.model, target, request);
    let mut statements =
        defaults::take_back(admin, statements, &stored.model, request, kind).await?;
    let about = (&stored.model, target, open.as_slice());
    let foreign = strangers::take_foreign(&mut statements, about, by, &mut skipped);
    let privileges = foreign.left.iter().map(|object| lacking::label(object));
    chosen.unproven.labels.extend(privileges);
    let backup_type = reader.manifest().backup_type;
    let missing = (&stored.contents, &stored.model);
    skipped.extend(gaps::not_in_it(missing, backup_type, request));
    let mut plan = outline(&reader, &stored, target, kind);
    plan.problems
        .extend(problems::foreign_grants(foreign.refused));
    tell(&mut plan, &stored, &graph, target, (request, &around));
    plan.problems.append(&mut chosen.problems);
    count(&mut plan, &statements);
    plan.warnings.append(&mut chosen.warnings);
    earlier.tell(&mut plan);
    changes.tell(&mut plan);
    (plan.roles, plan.skipped) = (around.made.clone(), skipped);
    let marks = marks(request, target, &mut plan);
    let prepared = Prepared {
        sizes: stored.sizes(),
        reader,
        format: stored.contents.format,
        tables: stored.contents.tables,
        sequences: stored.contents.sequences,
        statements,
        graph,
        expected: stored.expected,
        existing_schemas,
        standing: chosen.standing,
        open_schemas: open,
        replaces: !changes.drops.is_empty(),
        drops: earlier.drops.into_iter().chain(changes.drops).collect(),
        truncates: earlier.truncates,
        brackets: changes.brackets,
        roles: around.roles,
        database: around.database,
        has_mark: earlier.mark.is_some(),
        marks,
        strangers: changes.strangers,
        platform: chosen.platform,
        unproven: chosen.unproven,
        optional: chosen.optional,
    };
    Ok((prepared, plan))
}

/// A rehearsal proves objects and rows: what is around them is no gap in that.
fn skipped_around(around: &Around, request: &RestoreRequest) -> Vec<String> {
    match request.acting {
        Acting::AsStored => around.skipped.clone(),
        Acting::Disabled => Vec::new(),
    }
}

/// The statements; tells which objects have none.
fn script_of(model: &Model, target: &Target, skipped: &mut Vec<String>) -> Result<Script> {
    let script = Script::of(model, &DdlOptions::new(target.version))?;
    let refused = script.refused.iter();
    skipped.extend(refused.map(|it| format!("{}: {}", it.object, it.reason)));
    Ok(script)
}

/// What stands in the way, and what the user should know.
fn tell(
    plan: &mut RestorePlan,
    stored: &Stored,
    graph: &Graph,
    target: &Target,
    (request, around): (&RestoreRequest, &Around),
) {
    let (model, contents) = (&stored.model, &stored.contents);
    let kind = plan.session;
    plan.problems.extend(around.problems.iter().cloned());
    plan.problems
        .extend(problems::of(contents, model, target, request, kind));
    let parts = (model, contents);
    let strangers = strangers::problems_of(parts, graph, target, request, kind);
    plan.problems.extend(strangers);
    plan.warnings = problems::warnings(contents, target);
    plan.warnings.extend(around.warnings.iter().cloned());
    if request.acting == Acting::Disabled {
        plan.warnings.extend(around.skipped.iter().cloned());
    }
}

/// Whether a mark can be left.
fn marks(request: &RestoreRequest, target: &Target, plan: &mut RestorePlan) -> bool {
    if request.transactions == Transactions::One {
        return false;
    }
    if !target.may_create {
        plan.warnings.push(format!(
            "role \"{}\" may not create schemas here: a restore that is stopped leaves no mark to be run again by",
            target.role
        ));
    }
    target.may_create
}

/// Who runs what may run code of the backup.
fn session_kind(request: &RestoreRequest, target: &Target) -> SessionKind {
    match (request.trust, target.is_superuser) {
        (Trust::Nobody, true) => SessionKind::TemporaryLogin,
        _ => SessionKind::Own,
    }
}

/// The schemas of the model that the target has, `public` among them.
fn schemas(model: &Model, target: &Target) -> Vec<String> {
    let mut names: Vec<String> = model
        .objects
        .iter()
        .filter_map(|object| match object.address.catalog {
            CatalogId::NAMESPACE => Some(object.name.clone()),
            _ => object.schema.clone(),
        })
        .filter(|name| target.schemas.contains(name))
        .collect();
    names.sort();
    names.dedup();
    names
}

/// The statements that are run: not for what exists, nor for what was not asked for.
fn wanted(
    script: Script,
    model: &Model,
    target: &Target,
    request: &RestoreRequest,
) -> Vec<Statement> {
    if request.part == Part::Data {
        return Vec::new();
    }
    let objects: HashMap<_, _> = model
        .objects
        .iter()
        .map(|object| (object.address, object))
        .collect();
    let exists = |statement: &Statement| {
        objects
            .get(&statement.about)
            .is_some_and(|object| match object.address.catalog {
                CatalogId::NAMESPACE => target.schemas.contains(&object.name),
                CatalogId::EXTENSION => target.installed.contains(&object.name),
                CatalogId::PUBLICATION => strangers::has_publication(target, &object.name),
                _ => false,
            })
    };
    let mut statements = script.statements;
    statements.retain(|statement| match statement.action {
        Action::Owner => request.owners == Carry::Keep,
        Action::Grant => request.privileges == Carry::Keep,
        Action::Create => !exists(statement),
        _ => true,
    });
    // What makes room for the rest runs over the superuser's session; it never needs the rest.
    let is_first = |statement: &Statement| {
        statement.section == Section::PreData
            && matches!(
                statement.about.catalog,
                CatalogId::NAMESPACE | CatalogId::EXTENSION
            )
    };
    let (mut first, rest): (Vec<_>, Vec<_>) = statements.into_iter().partition(is_first);
    first.extend(rest);
    first
}

fn outline(
    reader: &BackupReader,
    stored: &Stored,
    target: &Target,
    session: SessionKind,
) -> RestorePlan {
    let tables = stored.contents.tables.iter().map(|table| PlannedTable {
        name: table.name.clone(),
        rows: table.rows,
        parts: table.parts.len(),
        bytes: table.parts.iter().map(|part| part.wire_bytes).sum(),
    });
    let mut tables: Vec<PlannedTable> = tables.collect();
    tables.sort_by_key(|table| std::cmp::Reverse(table.bytes));
    RestorePlan {
        schema: "opskit.restore-plan/1",
        backup: reader.manifest().id.clone(),
        source: Origin::of(reader.manifest().backup_type, &stored.contents.source),
        source_version: stored.model.server_version,
        database: target.database.clone(),
        role: target.role.clone(),
        target_version: target.version,
        session,
        pre_data: 0,
        post_data: 0,
        access: 0,
        bytes: tables.iter().map(|table| table.bytes).sum(),
        tables,
        leftovers: Vec::new(),
        drops: Vec::new(),
        roles: Vec::new(),
        suspends: Vec::new(),
        skipped: Vec::new(),
        problems: Vec::new(),
        warnings: Vec::new(),
    }
}

fn count(plan: &mut RestorePlan, statements: &[Statement]) {
    for statement in statements {
        match statement.section {
            Section::PreData => plan.pre_data += 1,
            Section::PostData => plan.post_data += 1,
            _ => plan.access += 1,
        }
    }
}
