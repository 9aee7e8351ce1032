//! Leaving out what needs an extension that the target's server does not offer.

use super::graph::Graph;
use super::select::name_of;
use super::target::Target;
use crate::catalog::model::Model;
use crate::catalog::{Address, CatalogId};
use crate::name::QualifiedName;
use crate::repository::{Contents, Holds};
use std::collections::HashSet;

/// Takes out such objects and the rows of such tables, and names them.
pub(super) fn leave_out(
    model: &mut Model,
    contents: &mut Contents,
    graph: &Graph,
    target: &Target,
) -> Vec<String> {
    let is_missing = |catalog, name: &String| {
        catalog == CatalogId::EXTENSION && !target.extensions.contains(name)
    };
    let missing: HashSet<Address> = model
        .objects
        .iter()
        .filter(|object| is_missing(object.address.catalog, &object.name))
        .map(|object| object.address)
        .collect();
    if missing.is_empty() {
        return Vec::new();
    }
    let gone: HashSet<Address> = model
        .objects
        .iter()
        .map(|object| object.address)
        .filter(|address| {
            graph
                .closure([*address])
                .iter()
                .any(|need| missing.contains(need))
        })
        .collect();
    let mut named = Vec::new();
    let mut tables: HashSet<QualifiedName> = HashSet::new();
    model.objects.retain(|object| {
        let stays = !gone.contains(&object.address);
        if !stays {
            named.push(format!(
                "{}: it needs an extension that the server does not offer",
                object.describe()
            ));
            tables.extend(name_of(object));
        }
        stays
    });
    let whole = |address: &Address| !gone.contains(address);
    model
        .needs
        .retain(|need| whole(&need.object) && whole(&need.on));
    model.parts.retain(|part| whole(&part.of));
    model.access.owners.retain(|about| whole(&about.address));
    model
        .access
        .privileges
        .retain(|about| whole(&about.address));
    model.access.comments.retain(|about| whole(&about.address));
    model.access.labels.retain(|about| whole(&about.address));
    model
        .access
        .row_security
        .retain(|about| whole(&about.address));
    contents
        .sequences
        .retain(|sequence| !tables.contains(&sequence.name));
    contents.tables.retain(|table| match &table.holds {
        Holds::ExtensionTable { extension } => target.extensions.contains(extension),
        _ => !tables.contains(&table.name),
    });
    named
}
