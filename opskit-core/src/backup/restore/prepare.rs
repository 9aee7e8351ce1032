//! Before anything is changed: what the backup holds, what the target has, and what follows.

use super::around::{self, Around};
use super::defaults;
use super::earlier::{self, Earlier};
use super::graph::Graph;
use super::mark;
use super::only::{self, Standing};
use super::plan::{PlannedTable, RestorePlan, SessionKind};
use super::problems;
use super::public;
use super::rehearsal::{self, Asleep};
use super::request::{Acting, Carry, Existing, Part, RestoreRequest, Transactions, Trust};
use super::schedule::Sizes;
use super::select;
use super::strangers;
use super::target::{self, Bracket, Target};
use crate::backup::DOCUMENT_BYTES_MAX;
use crate::catalog::cluster::ClusterModel;
use crate::catalog::ddl::{Action, DdlOptions, Script, Section, Statement};
use crate::catalog::facts::Facts;
use crate::catalog::model::{Definition, Model, Object, TableOwner, is_servers};
use crate::catalog::{Address, CatalogId};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use crate::postgres::load::{self, RestoreSettings};
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::{WireConnection, refuse_transaction_pooler};
use crate::repository::{
    BackupReader, CLUSTER, Contents, DataFormat, FACTS, Holds, MODEL, Origin, SequenceEntry,
    TableEntry,
};
use std::collections::{BTreeSet, HashMap, HashSet};
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
    pub(super) facts: Option<Facts>,
    /// What the target has of what some tables need.
    pub(super) standing: Standing,
    /// Schemas of the backup that the target has.
    pub(super) existing_schemas: Vec<String>,
    /// Those of them that hold nothing else: their owner and privileges may become the backup's.
    pub(super) open_schemas: Vec<String>,
    /// What is dropped first: in words, and as SQL.
    pub(super) drops: Vec<(String, String)>,
    /// Tables that an earlier restore loaded rows into, emptied before that is done again.
    pub(super) truncates: Vec<(String, String)>,
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
    pub(super) unproven: Unproven,
    /// Triggers and policies on tables of a platform, which may not allow them.
    pub(super) optional: HashSet<Address>,
}

/// What is not as it was by intent, so that it is no difference.
#[derive(Debug, Default)]
pub(super) struct Unproven {
    /// Objects that were left out, as [`label`](super::lacking::label) spells them.
    pub(super) labels: HashSet<String>,
    pub(super) asleep: Vec<Asleep>,
}

/// What a backup says of itself.
struct Stored {
    contents: Contents,
    model: Model,
    facts: Option<Facts>,
    cluster: Option<ClusterModel>,
}

/// Reads, looks, and plans.
pub(super) async fn prepare(
    ctx: &OpContext,
    backup: BackupReader,
    url: &DatabaseUrl,
    request: &RestoreRequest,
) -> Result<(WireConnection, Target, Prepared, RestorePlan)> {
    let reader = Arc::new(backup);
    let mut stored = read(&reader).await?;
    let mut admin = WireConnection::connect(url, ctx.cancel()).await?;
    refuse_transaction_pooler(url, &mut admin, ctx.cancel()).await?;
    load::open(&mut admin, &RestoreSettings::default()).await?;
    mark::keep_others_out(&mut admin, request.lock_timeout).await?;
    let mut target = Target::read(&mut admin).await?;
    public::keep_owner(&mut admin, &mut stored.model).await?;
    let kind = session_kind(request, &target);
    let (model, contents) = (&stored.model, &stored.contents);
    let id = &reader.manifest().id;
    let earlier = earlier::of(&mut admin, id, model, contents, &mut target, request).await?;
    let cluster = stored.cluster.take();
    let around = around::plan(&mut admin, cluster.as_ref(), &mut target, request, kind).await?;
    let (prepared, plan) = objects(
        &mut admin,
        (reader, stored),
        &target,
        (request, kind),
        (earlier, around),
    )
    .await?;
    Ok((admin, target, prepared, plan))
}

/// Plans what is done with objects and rows.
async fn objects(
    admin: &mut WireConnection,
    (reader, mut stored): (Arc<BackupReader>, Stored),
    target: &Target,
    (request, kind): (&RestoreRequest, SessionKind),
    (earlier, around): (Earlier, Around),
) -> Result<(Prepared, RestorePlan)> {
    let graph = Graph::new(&stored.model.needs, &stored.model.parts);
    let mut skipped = skipped_around(&around, request);
    let parts = (&mut stored.model, &mut stored.contents);
    let standing = only::cut(admin, parts, &graph, target, request).await?;
    skipped.extend(standing.named.iter().cloned());
    let unproven = lessen(&mut stored, &graph, target, (request, kind), &mut skipped);
    let script = script_of(&stored.model, target, &mut skipped)?;
    let existing_schemas = schemas(&stored.model, target);
    let drops = drops(admin, &stored.model, target, request).await?;
    let names = stored.contents.tables.iter().map(|table| &table.name);
    let brackets = match request.part {
        Part::Data => earlier.brackets(target::brackets(admin, names).await?),
        _ => Vec::new(),
    };
    let open = strangers::open_schemas(&existing_schemas, target, request);
    let statements = wanted(script, &stored.model, target, request);
    let mut statements =
        defaults::take_back(admin, statements, &stored.model, request, kind).await?;
    let foreign = match kind {
        SessionKind::TemporaryLogin => {
            let about = (&stored.model, target, open.as_slice());
            strangers::take_foreign(&mut statements, about, request, &mut skipped)
        }
        _ => BTreeSet::new(),
    };
    let mut plan = outline(&reader, &stored, target, kind);
    plan.problems.extend(problems::foreign_grants(foreign));
    tell(&mut plan, &stored, &graph, target, (request, &around));
    count(&mut plan, &statements);
    earlier.tell(&mut plan);
    tell_changes(&mut plan, &drops, &brackets);
    (plan.roles, plan.skipped) = (around.made.clone(), skipped);
    let marks = marks(request, target, &mut plan);
    let prepared = Prepared {
        sizes: sizes(&stored),
        reader,
        format: stored.contents.format,
        tables: stored.contents.tables,
        sequences: stored.contents.sequences,
        statements,
        graph,
        facts: stored.facts,
        existing_schemas,
        standing,
        open_schemas: open,
        drops: earlier.drops.into_iter().chain(drops).collect(),
        truncates: earlier.truncates,
        brackets,
        roles: around.roles,
        database: around.database,
        has_mark: earlier.mark.is_some(),
        marks,
        unproven,
        optional: on_platform(&stored.model),
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

/// What is dropped, and what is taken away for a while.
fn tell_changes(plan: &mut RestorePlan, drops: &[(String, String)], brackets: &[Bracket]) {
    plan.drops = drops.iter().map(|(it, _)| it.clone()).collect();
    plan.suspends = brackets.iter().map(|it| it.object.clone()).collect();
}

/// Leaves out what is not asked for, and leaves out and disables what a rehearsal does not make as it was.
fn lessen(
    stored: &mut Stored,
    graph: &Graph,
    target: &Target,
    (request, kind): (&RestoreRequest, SessionKind),
    skipped: &mut Vec<String>,
) -> Unproven {
    let parts = (&mut stored.model, &mut stored.contents);
    let left = strangers::leave_out(parts, graph, target, request, kind);
    skipped.extend(left.named);
    let asleep = match request.acting {
        Acting::Disabled => rehearsal::put_to_sleep(&mut stored.model, graph),
        Acting::AsStored => Vec::new(),
    };
    skipped.extend(asleep.iter().map(|it| it.told.clone()));
    if request.part == Part::Schema {
        stored.contents.tables.clear();
    }
    Unproven {
        labels: left.labels,
        asleep,
    }
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

/// What stands on tables of a platform.
fn on_platform(model: &Model) -> HashSet<Address> {
    let is_on = |object: &&Object| match &object.definition {
        Definition::Trigger(it) => it.table_owner == TableOwner::Platform,
        Definition::Policy(it) => it.table_owner == TableOwner::Platform,
        _ => false,
    };
    let objects = model.objects.iter().filter(is_on);
    objects.map(|object| object.address).collect()
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

/// How many bytes of rows each table has.
fn sizes(stored: &Stored) -> Sizes {
    let tables = stored.contents.tables.iter();
    let bytes: HashMap<&QualifiedName, u64> = tables
        .map(|table| {
            let parts = table.parts.iter().map(|part| part.wire_bytes);
            (&table.name, parts.sum())
        })
        .collect();
    let objects = stored.model.objects.iter();
    let tables = objects.filter(|object| object.address.catalog == CatalogId::CLASS);
    tables
        .filter_map(|object| {
            let bytes = bytes.get(&select::name_of(object)?)?;
            Some((object.address, *bytes))
        })
        .collect()
}

/// What is dropped first.
async fn drops(
    admin: &mut WireConnection,
    model: &Model,
    target: &Target,
    request: &RestoreRequest,
) -> Result<Vec<(String, String)>> {
    if request.part == Part::Data || request.existing == Existing::Refuse {
        return Ok(Vec::new());
    }
    let mut drops = target::drops(admin, &schemas(model, target)).await?;
    let numbers: HashSet<u32> = model
        .objects
        .iter()
        .filter(|object| object.definition == Definition::LargeObject)
        .map(|object| object.address.oid)
        .collect();
    let large = target.present.iter().filter(|it| {
        it.address.catalog == CatalogId::LARGE_OBJECT && numbers.contains(&it.address.oid)
    });
    drops.extend(large.filter_map(|it| Some((it.describe(), it.drop_sql()?))));
    Ok(drops)
}

/// Who runs what may run code of the backup.
fn session_kind(request: &RestoreRequest, target: &Target) -> SessionKind {
    match (request.trust, target.is_superuser) {
        (Trust::Nobody, true) => SessionKind::TemporaryLogin,
        _ => SessionKind::Own,
    }
}

/// Reads what the backup says, on a thread that may block.
async fn read(reader: &Arc<BackupReader>) -> Result<Stored> {
    let reader = Arc::clone(reader);
    let reading = tokio::task::spawn_blocking(move || {
        let contents = reader.contents()?;
        let model = reader.read_object(MODEL, DOCUMENT_BYTES_MAX)?;
        let model = Model::from_json(&model)?;
        let facts = match reader.has_object(FACTS) {
            true => Some(Facts::from_json(
                &reader.read_object(FACTS, DOCUMENT_BYTES_MAX)?,
            )?),
            false => None,
        };
        let cluster = match reader.has_object(CLUSTER) {
            true => Some(ClusterModel::from_json(
                &reader.read_object(CLUSTER, DOCUMENT_BYTES_MAX)?,
            )?),
            false => None,
        };
        check_tables(&contents)?;
        Ok(Stored {
            contents,
            model,
            facts,
            cluster,
        })
    });
    reading.await.map_err(|source| {
        Error::new(ErrorKind::Internal, "the reader of the backup stopped").with_source(source)
    })?
}

/// Refuses rows for the server's own tables, which no backup has.
fn check_tables(contents: &Contents) -> Result<()> {
    let forged = contents.tables.iter().find(|table| {
        !matches!(table.holds, Holds::LargeObjects { .. }) && is_servers(&table.name.schema)
    });
    let names = contents.sequences.iter().map(|sequence| &sequence.name);
    let sequence = names.clone().find(|name| is_servers(&name.schema));
    match forged.map(|table| &table.name).or(sequence) {
        None => Ok(()),
        Some(name) => Err(Error::new(
            ErrorKind::Damaged,
            format!("the sealed manifest is forged: \"{name}\" is the server's own"),
        )),
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
