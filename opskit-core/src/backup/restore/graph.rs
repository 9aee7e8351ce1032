//! Which objects need which.

use crate::catalog::Address;
use crate::catalog::model::{Need, Part};
use std::collections::{HashMap, HashSet};

/// The needs of a model, both ways.
#[derive(Debug, Default)]
pub(super) struct Graph {
    on: HashMap<Address, Vec<Address>>,
    by: HashMap<Address, Vec<Address>>,
}

impl Graph {
    /// The needs of objects; those of what comes with an object are its own.
    pub(super) fn new(needs: &[Need], parts: &[Part]) -> Self {
        let owners: HashMap<Address, Address> =
            parts.iter().map(|part| (part.part, part.of)).collect();
        let whole = |address: Address| owners.get(&address).copied().unwrap_or(address);
        let mut graph = Self::default();
        for need in needs {
            let (object, on) = (whole(need.object), whole(need.on));
            if object != on {
                graph.on.entry(object).or_default().push(on);
                graph.by.entry(on).or_default().push(object);
            }
        }
        graph
    }

    /// What an object needs itself.
    pub(super) fn needs(&self, object: Address) -> &[Address] {
        self.on.get(&object).map_or(&[], Vec::as_slice)
    }

    /// What needs an object itself.
    pub(super) fn needed_by(&self, object: Address) -> &[Address] {
        self.by.get(&object).map_or(&[], Vec::as_slice)
    }

    /// Everything that these need, and these.
    pub(super) fn closure(&self, of: impl IntoIterator<Item = Address>) -> HashSet<Address> {
        let mut seen: HashSet<Address> = HashSet::new();
        let mut open: Vec<Address> = of.into_iter().collect();
        while let Some(next) = open.pop() {
            if seen.insert(next) {
                open.extend(self.needs(next));
            }
        }
        seen
    }
}
