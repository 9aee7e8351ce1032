//! Which objects need which.

use crate::catalog::Address;
use crate::catalog::model::Need;
use std::collections::{HashMap, HashSet};

/// The needs of a model, both ways.
#[derive(Debug, Default)]
pub(super) struct Graph {
    on: HashMap<Address, Vec<Address>>,
    by: HashMap<Address, Vec<Address>>,
}

impl Graph {
    pub(super) fn new(needs: &[Need]) -> Self {
        let mut graph = Self::default();
        for need in needs {
            graph.on.entry(need.object).or_default().push(need.on);
            graph.by.entry(need.on).or_default().push(need.object);
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
