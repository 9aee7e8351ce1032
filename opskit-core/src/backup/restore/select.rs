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

/// A model cut down to some tables, and what was left out of what belongs to them.
pub(super) fn only(
    model: &Model,
    graph: &Graph,
    tables: &[QualifiedName],
    data: &HashSet<QualifiedName>,
) -> (Model, Vec<String>) {
    let with_rows = |object: &&Object| {
        is_relation(object) && name_of(object).is_some_and(|name| data.contains(&name))
    };
    let with_rows = model.objects.iter().filter(with_rows);
    let selector = Selector {
        model,
        graph,
        with_rows: with_rows.map(|object| object.address).collect(),
    };
    let roots = selector.roots(tables);
    let mut kept = graph.closure(roots.iter().copied());
    let left = selector.add_pieces(&roots, &mut kept);
    selector.add_schemas(&mut kept);
    (cut(model, &kept), left)
}

/// What is known while objects are selected.
struct Selector<'a> {
    model: &'a Model,
    graph: &'a Graph,
    /// The tables whose rows the backup holds.
    with_rows: HashSet<Address>,
}

impl Selector<'_> {
    /// The tables that were asked for, and their partitions, which hold their rows.
    fn roots(&self, tables: &[QualifiedName]) -> HashSet<Address> {
        let asked = |object: &&Object| {
            is_relation(object) && name_of(object).is_some_and(|name| tables.contains(&name))
        };
        let asked = self.model.objects.iter().filter(asked);
        let mut roots: HashSet<Address> = asked.map(|object| object.address).collect();
        let mut open: Vec<Address> = roots.iter().copied().collect();
        while let Some(next) = open.pop() {
            let children = self.graph.needed_by(next).iter().copied();
            let children = children.filter(|child| self.with_rows.contains(child));
            open.extend(children.filter(|child| roots.insert(*child)));
        }
        roots
    }

    /// Adds what belongs to the tables: constraints, indexes, triggers. Gives what is left out.
    fn add_pieces(&self, roots: &HashSet<Address>, kept: &mut HashSet<Address>) -> Vec<String> {
        let mut left = Vec::new();
        for object in &self.model.objects {
            let address = object.address;
            let mut needed = self.graph.needs(address).iter();
            let belongs = needed.any(|on| kept.contains(on) && roots.contains(on));
            let is_piece = PIECES.contains(&address.catalog) || is_index(object);
            if !belongs || !is_piece || kept.contains(&address) {
                continue;
            }
            let needs = self.graph.closure([address]);
            let is_other = |need: &Address| self.with_rows.contains(need) && !kept.contains(need);
            // Another table is not what was asked for: a foreign key to it stays behind.
            if needs.iter().any(is_other) {
                let object = object.describe();
                left.push(format!("{object}: it needs a table that is not restored"));
            } else {
                kept.extend(needs);
            }
        }
        left
    }

    /// Adds the schemas of everything that is kept.
    fn add_schemas(&self, kept: &mut HashSet<Address>) {
        let objects = || self.model.objects.iter();
        let schemas: HashSet<&String> = objects()
            .filter(|object| kept.contains(&object.address))
            .filter_map(|object| object.schema.as_ref())
            .collect();
        let is_schema = |object: &&Object| {
            object.address.catalog == CatalogId::NAMESPACE && schemas.contains(&object.name)
        };
        kept.extend(objects().filter(is_schema).map(|object| object.address));
    }
}

/// The model of the objects that are kept.
fn cut(model: &Model, kept: &HashSet<Address>) -> Model {
    let parts = model.parts.iter();
    let of: HashMap<Address, Address> = parts.map(|part| (part.part, part.of)).collect();
    let holds = |address: Address| kept.contains(of.get(&address).unwrap_or(&address));
    let objects = model.objects.iter();
    let needs = model.needs.iter();
    let parts = model.parts.iter();
    Model {
        version: model.version,
        server_version: model.server_version,
        objects: objects
            .filter(|object| kept.contains(&object.address))
            .cloned()
            .collect(),
        needs: needs
            .filter(|need| holds(need.object) && holds(need.on))
            .copied()
            .collect(),
        access: said(&model.access, kept),
        parts: parts
            .filter(|part| kept.contains(&part.of))
            .copied()
            .collect(),
    }
}

fn is_relation(object: &Object) -> bool {
    object.address.catalog == CatalogId::CLASS
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

fn is_index(object: &Object) -> bool {
    object.address.catalog == CatalogId::CLASS && object.definition.sql_class() == "INDEX"
}

pub(super) fn name_of(object: &Object) -> Option<QualifiedName> {
    let schema = object.schema.as_ref()?;
    Some(QualifiedName::new(schema, &object.name))
}
