//! `--only`: some tables, with what they need and what belongs to them.

use super::graph::Graph;
use crate::catalog::model::{About, Access, Model, Object};
use crate::catalog::{Address, CatalogId};
use crate::name::QualifiedName;
use std::collections::{HashMap, HashSet};

/// The classes whose objects belong to the table that they need.
const PIECES: [CatalogId; 6] = [
    CatalogId::CONSTRAINT,
    CatalogId::DEFAULT,
    CatalogId::TRIGGER,
    CatalogId::POLICY,
    CatalogId::RULE,
    CatalogId::STATISTICS,
];

/// A part of a model.
#[derive(Debug)]
pub(super) struct Selection {
    /// The tables that were asked for, and their partitions.
    pub(super) roots: HashSet<Address>,
    /// They, what they need, and what belongs to them.
    pub(super) kept: HashSet<Address>,
    /// What was left out of what belongs to them, in words.
    pub(super) left: Vec<String>,
}

/// Some tables of a model, with what they need.
pub(super) fn only(
    model: &Model,
    graph: &Graph,
    tables: &[QualifiedName],
    data: &HashSet<QualifiedName>,
) -> Selection {
    let tables_of = |names: &dyn Fn(&QualifiedName) -> bool| -> HashSet<Address> {
        let classes = model.objects.iter().filter(|object| {
            object.address.catalog == CatalogId::CLASS
                && name_of(object).is_some_and(|name| names(&name))
        });
        classes.map(|object| object.address).collect()
    };
    let with_rows = tables_of(&|name| data.contains(name));
    let mut roots = tables_of(&|name| tables.contains(name));
    // The partitions of a table that was asked for hold its rows.
    let mut open: Vec<Address> = roots.iter().copied().collect();
    while let Some(next) = open.pop() {
        let children = graph.needed_by(next).iter().copied();
        let children = children.filter(|child| with_rows.contains(child));
        open.extend(children.filter(|child| roots.insert(*child)));
    }
    let mut kept = graph.closure(roots.iter().copied());
    let left = add_pieces(model, graph, (&roots, &with_rows), &mut kept);
    add_schemas(model, &mut kept);
    Selection { roots, kept, left }
}

/// Adds what belongs to the tables, and names what does not come along.
fn add_pieces(
    model: &Model,
    graph: &Graph,
    (roots, with_rows): (&HashSet<Address>, &HashSet<Address>),
    kept: &mut HashSet<Address>,
) -> Vec<String> {
    let mut left = Vec::new();
    for object in &model.objects {
        let address = object.address;
        let belongs = graph.needs(address).iter().any(|on| roots.contains(on));
        if !belongs || !is_piece(object) || kept.contains(&address) {
            continue;
        }
        let needs = graph.closure([address]);
        // Another table is not what was asked for: a foreign key to it stays behind.
        if needs
            .iter()
            .any(|need| with_rows.contains(need) && !kept.contains(need))
        {
            left.push(format!(
                "{}: it needs a table that is not restored",
                object.describe()
            ));
        } else {
            kept.extend(needs);
        }
    }
    left
}

/// Adds the schemas that the objects live in.
fn add_schemas(model: &Model, kept: &mut HashSet<Address>) {
    let objects = model.objects.iter();
    let lived_in: HashSet<&String> = objects
        .filter(|object| kept.contains(&object.address))
        .filter_map(|object| object.schema.as_ref())
        .collect();
    let schemas = model.objects.iter().filter(|object| {
        object.address.catalog == CatalogId::NAMESPACE && lived_in.contains(&object.name)
    });
    kept.extend(schemas.map(|object| object.address));
}

/// The model of the objects that are kept.
pub(super) fn cut(model: &Model, kept: &HashSet<Address>) -> Model {
    let of: HashMap<Address, Address> = model
        .parts
        .iter()
        .map(|part| (part.part, part.of))
        .collect();
    let holds = |address: Address| kept.contains(of.get(&address).unwrap_or(&address));
    let objects = model
        .objects
        .iter()
        .filter(|object| kept.contains(&object.address));
    let needs = model
        .needs
        .iter()
        .filter(|need| holds(need.object) && holds(need.on));
    let parts = model.parts.iter().filter(|part| kept.contains(&part.of));
    let outside = model.outside.iter().filter(|it| kept.contains(&it.object));
    Model {
        version: model.version,
        server_version: model.server_version,
        objects: objects.cloned().collect(),
        needs: needs.copied().collect(),
        outside: outside.cloned().collect(),
        access: said(&model.access, kept),
        parts: parts.copied().collect(),
    }
}

/// What is said about the objects that are kept.
fn said(access: &Access, kept: &HashSet<Address>) -> Access {
    fn of<T: Clone>(all: &[About<T>], kept: &HashSet<Address>) -> Vec<About<T>> {
        let about = all.iter().filter(|about| kept.contains(&about.address));
        about.cloned().collect()
    }
    Access {
        owners: of(&access.owners, kept),
        privileges: of(&access.privileges, kept),
        comments: of(&access.comments, kept),
        labels: of(&access.labels, kept),
        row_security: of(&access.row_security, kept),
    }
}

/// Whether an object belongs to the table that it needs.
pub(super) fn is_piece(object: &Object) -> bool {
    PIECES.contains(&object.address.catalog)
        || object.address.catalog == CatalogId::CLASS && object.definition.sql_class() == "INDEX"
}

pub(super) fn name_of(object: &Object) -> Option<QualifiedName> {
    let schema = object.schema.as_ref()?;
    Some(QualifiedName::new(schema, &object.name))
}
