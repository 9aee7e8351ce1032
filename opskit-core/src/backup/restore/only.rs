//! `--only`: the tables that were asked for, what they need, and what of that the target has already.

use super::drops::{self, Drops};
use super::graph::Graph;
use super::present;
use super::request::{Part, RestoreRequest};
use super::select::{self, Selection};
use super::target::{self, Target};
use crate::catalog::model::{Definition, Model, Object};
use crate::catalog::{Address, CatalogId};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use crate::postgres::wire::WireConnection;
use crate::repository::{Contents, Holds, TableEntry};
use std::collections::{BTreeSet, HashSet};

/// What the target has of what some tables need.
#[derive(Debug, Default)]
pub(super) struct Standing {
    /// What stays as it is and what stays behind, in words.
    pub(super) named: Vec<String>,
    /// Tables that foreign keys may refer to.
    pub(super) tables: Vec<QualifiedName>,
    /// The schemas of all that stands.
    pub(super) schemas: BTreeSet<String>,
    /// Those of the tables that the target has and that are replaced.
    pub(super) drops: Drops,
}

/// Leaves only the tables that were asked for, with what they need and the target lacks. What it has is used as it
/// stands: it may hold newer rows than the backup, and a table that was dropped by accident comes back beside it.
pub(super) async fn cut(
    admin: &mut WireConnection,
    (model, contents): (&mut Model, &mut Contents),
    graph: &Graph,
    target: &Target,
    request: &RestoreRequest,
) -> Result<Standing> {
    if request.only.is_empty() {
        return Ok(Standing::default());
    }
    let (chosen, of_platform) = chosen(admin, (&*model, &*contents), request).await?;
    let drops = drops::relations(admin, &chosen, target, request).await?;
    let is_beside = request.part != Part::Data;
    let stays = target.present.iter();
    let stays = stays.filter(|it| !drops.gone.contains(&it.address));
    let there = match is_beside {
        true => present::already(model, stays),
        false => Vec::new(),
    };
    // What stands needs no rows, and a foreign key may refer to it.
    let stands: HashSet<QualifiedName> =
        there.iter().copied().filter_map(select::name_of).collect();
    let with_rows = contents.tables.iter().map(|table| &table.name);
    let with_rows = with_rows.filter(|name| chosen.contains(name) || !stands.contains(name));
    let with_rows: HashSet<QualifiedName> = with_rows.cloned().collect();
    let mut selection = select::only(model, graph, &chosen, &with_rows);
    let mut standing = Standing::default();
    if is_beside {
        standing = used(model, graph, &mut selection, there);
    }
    standing.drops = drops;
    standing.named.append(&mut selection.left);
    *model = select::cut(model, &selection.kept);
    let own = model.objects.iter().filter_map(select::name_of);
    let kept: HashSet<QualifiedName> = own.chain(identity_sequences(model)).collect();
    let is_kept = |table: &TableEntry| match table.holds {
        Holds::Table => kept.contains(&table.name),
        Holds::PlatformTable => of_platform.contains(&table.name),
        _ => false,
    };
    contents.tables.retain(is_kept);
    contents.sequences.retain(|it| kept.contains(&it.name));
    Ok(standing)
}

/// The sequences of identity columns, which are no objects of their own.
fn identity_sequences(model: &Model) -> impl Iterator<Item = QualifiedName> + '_ {
    let tables = model.objects.iter();
    let columns = tables.flat_map(|object| match &object.definition {
        Definition::Table(table) => table.columns.as_slice(),
        _ => &[],
    });
    columns.filter_map(|column| Some(column.identity.as_ref()?.sequence.clone()))
}

/// The relations that the patterns match; apart from them tables of the platform's, which are never replaced.
async fn chosen(
    admin: &mut WireConnection,
    (model, contents): (&Model, &Contents),
    request: &RestoreRequest,
) -> Result<(Vec<QualifiedName>, Vec<QualifiedName>)> {
    let relations = model.objects.iter();
    let relations = relations.filter(|it| it.address.catalog == CatalogId::CLASS);
    let tables = contents.tables.iter();
    let platform: HashSet<&QualifiedName> = tables
        .filter(|table| table.holds == Holds::PlatformTable)
        .map(|table| &table.name)
        .collect();
    let names: Vec<(String, String)> = relations
        .filter_map(select::name_of)
        .chain(platform.iter().copied().cloned())
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
        let found = found.into_iter();
        chosen.extend(found.map(|(schema, name)| QualifiedName::new(schema, name)));
    }
    let (of_platform, own) = chosen.into_iter().partition(|it| platform.contains(it));
    Ok((own, of_platform))
}

/// Takes out of the selection what the target has. A table that was asked for stays in it: that it is there is a
/// reason to refuse.
fn used(model: &Model, graph: &Graph, selection: &mut Selection, there: Vec<&Object>) -> Standing {
    let (kept, roots) = (&selection.kept, &selection.roots);
    let there: Vec<&Object> = there
        .into_iter()
        .filter(|it| !roots.contains(&it.address))
        .collect();
    let mut standing = lost(model, graph, roots, &there);
    let used: Vec<&Object> = there
        .into_iter()
        .filter(|it| kept.contains(&it.address))
        .collect();
    let mut out: HashSet<Address> = used.iter().map(|it| it.address).collect();
    for object in &model.objects {
        let needs = graph.needs(object.address);
        let of_used = needs.iter().any(|on| out.contains(on));
        if select::is_piece(object) && of_used && !needs.iter().any(|on| roots.contains(on)) {
            out.insert(object.address);
        }
    }
    for object in used {
        standing.named.push(format!(
            "{}: the target has it, and it is used as it stands",
            object.describe()
        ));
        standing.schemas.extend(object.schema.clone());
        if matches!(object.definition, Definition::Table(_)) {
            standing.tables.extend(select::name_of(object));
        }
    }
    selection.kept.retain(|address| !out.contains(address));
    standing
}

/// What needs the tables, such as views that were dropped with them, is named where the target lacks it.
fn lost(model: &Model, graph: &Graph, roots: &HashSet<Address>, there: &[&Object]) -> Standing {
    let there: HashSet<Address> = there.iter().map(|it| it.address).collect();
    let mut seen: HashSet<Address> = HashSet::new();
    let mut open: Vec<Address> = roots.iter().copied().collect();
    while let Some(next) = open.pop() {
        let more = graph.needed_by(next).iter().copied();
        open.extend(more.filter(|it| seen.insert(*it)));
    }
    let is_lost = |object: &&Object| {
        let is_view = matches!(
            object.definition,
            Definition::View(_) | Definition::MaterializedView(_)
        );
        is_view && seen.contains(&object.address) && !there.contains(&object.address)
    };
    let named = model.objects.iter().filter(is_lost).map(|object| {
        format!(
            "{}: it needs what is restored, and was not asked for",
            object.describe()
        )
    });
    Standing {
        named: named.collect(),
        ..Standing::default()
    }
}
