//! Before anything is changed: what the backup holds, what the target has, and what follows.

use super::graph::Graph;
use super::lacking;
use super::plan::{PlannedTable, RestorePlan, SessionKind};
use super::problems;
use super::request::{Carry, Existing, Missing, Part, RestoreRequest, Trust};
use super::select;
use super::target::{self, Bracket, Target};
use crate::backup::DOCUMENT_BYTES_MAX;
use crate::catalog::CatalogId;
use crate::catalog::ddl::{Action, DdlOptions, Script, Section, Statement};
use crate::catalog::facts::Facts;
use crate::catalog::model::Model;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use crate::postgres::load::{self, RestoreSettings};
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::{WireConnection, refuse_transaction_pooler};
use crate::repository::{
    BackupReader, Contents, DataFormat, FACTS, Holds, MODEL, Origin, SequenceEntry, TableEntry,
};
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
    pub(super) facts: Option<Facts>,
    /// Schemas of the backup that the target has.
    pub(super) existing_schemas: Vec<String>,
    /// What is dropped first: in words, and as SQL.
    pub(super) drops: Vec<(String, String)>,
    /// What is taken away while rows are loaded into tables that exist.
    pub(super) brackets: Vec<Bracket>,
}

/// What a backup says of itself.
struct Stored {
    contents: Contents,
    model: Model,
    facts: Option<Facts>,
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
    let target = Target::read(&mut admin).await?;
    let graph = Graph::new(&stored.model.needs, &stored.model.parts);
    let mut skipped = cut(&mut admin, &mut stored, &graph, request).await?;
    if request.missing == Missing::Skip {
        let Stored {
            model, contents, ..
        } = &mut stored;
        skipped.extend(lacking::leave_out(model, contents, &graph, &target));
    }
    let script = Script::of(&stored.model, &DdlOptions::new(target.version))?;
    let refused = script.refused.iter();
    skipped.extend(refused.map(|refusal| format!("{}: {}", refusal.object, refusal.reason)));
    let existing_schemas = schemas(&stored.model, &target);
    let drops = drops(&mut admin, &stored.model, &target, request).await?;
    let names = stored.contents.tables.iter().map(|table| &table.name);
    let brackets = match request.part {
        Part::Data => target::brackets(&mut admin, names).await?,
        _ => Vec::new(),
    };
    let statements = wanted(script, &stored.model, &target, request);
    let kind = session_kind(request, &target);
    if request.part == Part::Schema {
        stored.contents.tables.clear();
    }
    let mut plan = outline(&reader, &stored, &target, kind);
    plan.problems = problems::of(&stored.contents, &stored.model, &target, request, kind);
    plan.problems
        .extend(problems::foreign_grants(&statements, kind));
    plan.warnings = problems::warnings(&stored.contents, &target);
    count(&mut plan, &statements);
    plan.drops = drops.iter().map(|(object, _)| object.clone()).collect();
    plan.suspends = brackets
        .iter()
        .map(|bracket| bracket.object.clone())
        .collect();
    plan.skipped = skipped;
    let prepared = Prepared {
        reader,
        format: stored.contents.format,
        tables: stored.contents.tables,
        sequences: stored.contents.sequences,
        statements,
        graph,
        facts: stored.facts,
        existing_schemas,
        drops,
        brackets,
    };
    Ok((admin, target, prepared, plan))
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
    let numbers = problems::same_large_objects(model, target).map(|object| object.address.oid);
    drops.extend(target::large_object_drops(numbers));
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
        Ok(Stored {
            contents,
            model,
            facts,
        })
    });
    reading.await.map_err(|source| {
        Error::new(ErrorKind::Internal, "the reader of the backup stopped").with_source(source)
    })?
}

/// Leaves only the tables that were asked for, with what they need. Tells what stays behind of what
/// belongs to them.
async fn cut(
    admin: &mut WireConnection,
    stored: &mut Stored,
    graph: &Graph,
    request: &RestoreRequest,
) -> Result<Vec<String>> {
    if request.only.is_empty() {
        return Ok(Vec::new());
    }
    let tables = stored
        .model
        .objects
        .iter()
        .filter(|object| object.address.catalog == CatalogId::CLASS);
    let names: Vec<(String, String)> = tables
        .filter_map(select::name_of)
        .map(|name| (name.schema, name.name))
        .collect();
    let mut chosen = Vec::new();
    for pattern in &request.only {
        let found = target::matching(admin, &names, &pattern.condition_on_names()).await?;
        if found.is_empty() {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("no table of the backup matches \"{pattern}\""),
            ));
        }
        chosen.extend(
            found
                .into_iter()
                .map(|(schema, name)| QualifiedName::new(schema, name)),
        );
    }
    let contents = &mut stored.contents;
    let with_rows: HashSet<QualifiedName> = contents
        .tables
        .iter()
        .map(|table| table.name.clone())
        .collect();
    let (model, left) = select::only(&stored.model, graph, &chosen, &with_rows);
    let kept: HashSet<QualifiedName> = model.objects.iter().filter_map(select::name_of).collect();
    let of_user = |table: &TableEntry| table.holds == Holds::Table && kept.contains(&table.name);
    contents.tables.retain(of_user);
    contents
        .sequences
        .retain(|sequence| kept.contains(&sequence.name));
    stored.model = model;
    Ok(left)
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
        drops: Vec::new(),
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
