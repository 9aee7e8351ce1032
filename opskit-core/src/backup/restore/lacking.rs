//! Leaving out objects, with what needs them: what needs an extension that the target's server does not offer,
//! and in a rehearsal what nobody vouches for.

use super::graph::Graph;
use super::select::name_of;
use crate::catalog::model::{Model, Object};
use crate::catalog::{Address, CatalogId};
use crate::name::QualifiedName;
use crate::repository::{Contents, Holds};
use std::collections::{HashMap, HashSet};

/// What was left out.
#[derive(Debug, Default)]
pub(super) struct LeftOut {
    /// In words, with the reason.
    pub(super) named: Vec<String>,
    /// As facts name them, as far as names go: see [`label`].
    pub(super) labels: HashSet<String>,
}

/// Takes out these objects, what needs them, and the rows of such tables, and names them.
pub(super) fn leave_out(
    model: &mut Model,
    contents: &mut Contents,
    graph: &Graph,
    roots: &HashMap<Address, String>,
) -> LeftOut {
    let mut left = LeftOut::default();
    if roots.is_empty() {
        return left;
    }
    let why = |address: Address| {
        let mut needs = graph.closure([address]).into_iter().collect::<Vec<_>>();
        needs.sort();
        needs.into_iter().find_map(|need| roots.get(&need))
    };
    let gone: HashMap<Address, &String> = model
        .objects
        .iter()
        .filter_map(|object| Some((object.address, why(object.address)?)))
        .collect();
    let mut tables: HashSet<QualifiedName> = HashSet::new();
    let mut extensions: HashSet<String> = HashSet::new();
    model.objects.retain(|object| {
        let Some(why) = gone.get(&object.address) else {
            return true;
        };
        left.named.push(format!("{}: {why}", object.describe()));
        left.labels.insert(label(&object.describe()));
        tables.extend(name_of(object));
        if object.address.catalog == CatalogId::EXTENSION {
            extensions.insert(object.name.clone());
        }
        false
    });
    let whole = |address: &Address| !gone.contains_key(address);
    model
        .needs
        .retain(|need| whole(&need.object) && whole(&need.on));
    model.parts.retain(|part| whole(&part.of));
    model.outside.retain(|it| whole(&it.object));
    let access = &mut model.access;
    access.owners.retain(|about| whole(&about.address));
    access.privileges.retain(|about| whole(&about.address));
    access.comments.retain(|about| whole(&about.address));
    access.labels.retain(|about| whole(&about.address));
    access.row_security.retain(|about| whole(&about.address));
    contents
        .sequences
        .retain(|sequence| !tables.contains(&sequence.name));
    contents.tables.retain(|table| match &table.holds {
        Holds::ExtensionTable { extension } => !extensions.contains(extension),
        _ => !tables.contains(&table.name),
    });
    left
}

/// Extensions of the model that the server does not offer.
pub(super) fn not_offered<'a>(
    model: &'a Model,
    offered: &'a HashSet<String>,
) -> impl Iterator<Item = &'a Object> {
    let objects = model.objects.iter();
    objects.filter(|object| {
        object.address.catalog == CatalogId::EXTENSION && !offered.contains(&object.name)
    })
}

/// A name in words without quotes and arguments: the model and the facts spell those apart.
pub(super) fn label(words: &str) -> String {
    let plain = words.replace('"', "");
    let words = plain
        .strip_prefix("domain ")
        .map(|name| format!("type {name}"));
    let words = words.unwrap_or(plain);
    let has_arguments = ["function ", "procedure ", "aggregate ", "operator "];
    match words.split_once('(') {
        Some((name, _)) if has_arguments.iter().any(|kind| words.starts_with(kind)) => {
            name.trim_end().to_owned()
        }
        _ => words,
    }
}
