//! The graph of what must come before what, its order, and its circles.

use super::{EdgeOf, Form, Sorter};
use crate::catalog::ddl::Section;
use std::cmp::Reverse;
use std::collections::BinaryHeap;

/// An object without its parts, or one of the two steps of a view.
#[derive(Debug, Clone)]
pub(super) struct Unit {
    pub(super) object: usize,
    pub(super) form: Form,
    pub(super) section: Section,
}

/// The units of one attempt, and what each needs. The last node stands for the rows: everything that
/// comes after them needs it, and it needs everything that comes before.
#[derive(Debug)]
pub(super) struct Graph {
    pub(super) units: Vec<Unit>,
    needs: Vec<Vec<usize>>,
    /// The place of each node among those that are free to come.
    priority: Vec<usize>,
}

/// Units that need each other.
#[derive(Debug)]
pub(super) struct Circle {
    pub(super) units: Vec<Unit>,
    /// Whether the rows are part of it: something before them needs something after.
    pub(super) across_rows: AcrossRows,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AcrossRows {
    Yes,
    No,
}

impl Graph {
    pub(super) fn of(sorter: &Sorter<'_>) -> Self {
        let (units, first) = units(sorter);
        let mut needs: Vec<Vec<usize>> = vec![Vec::new(); units.len() + 1];
        for (object, edges) in sorter.edges.iter().enumerate() {
            let owner = sorter.within[object].unwrap_or(object);
            for edge in edges {
                let on = sorter.within[edge.on].unwrap_or(edge.on);
                if on == owner {
                    continue;
                }
                // Of a view in two steps, the second has the query.
                let second = sorter.split.contains_key(&owner) && edge.of == EdgeOf::Query;
                let from = first[owner] + usize::from(second);
                let enough = sorter.split.get(&on).is_none_or(|few| few.contains(&owner));
                needs[from].push(first[on] + usize::from(!enough));
            }
        }
        let rows = units.len();
        for (at, unit) in units.iter().enumerate() {
            if unit.form == Form::Completion {
                needs[at].push(at - 1);
            }
            match unit.section {
                Section::PreData => needs[rows].push(at),
                Section::PostData | Section::Access => needs[at].push(rows),
            }
        }
        let priority = priority(sorter, &units);
        Self {
            units,
            needs,
            priority,
        }
    }

    /// The units in order, or the circles that they hang in.
    pub(super) fn sort(&self) -> Result<Vec<usize>, Vec<Circle>> {
        let mut waits: Vec<usize> = self.needs.iter().map(Vec::len).collect();
        let mut waiting: Vec<Vec<usize>> = vec![Vec::new(); self.needs.len()];
        for (at, needs) in self.needs.iter().enumerate() {
            for on in needs {
                waiting[*on].push(at);
            }
        }
        let mut free: BinaryHeap<Reverse<(usize, usize)>> = (0..waits.len())
            .filter(|at| waits[*at] == 0)
            .map(|at| Reverse((self.priority[at], at)))
            .collect();
        let mut order = Vec::with_capacity(self.needs.len());
        while let Some(Reverse((_, at))) = free.pop() {
            order.push(at);
            for next in &waiting[at] {
                waits[*next] -= 1;
                if waits[*next] == 0 {
                    free.push(Reverse((self.priority[*next], *next)));
                }
            }
        }
        if order.len() == self.needs.len() {
            order.retain(|at| *at < self.units.len());
            return Ok(order);
        }
        let stuck: Vec<bool> = waits.iter().map(|waits| *waits > 0).collect();
        Err(self.circles(&stuck, &waiting))
    }

    /// The groups of nodes that reach each other, among those that are stuck (Kosaraju).
    fn circles(&self, stuck: &[bool], waiting: &[Vec<usize>]) -> Vec<Circle> {
        let mut seen: Vec<bool> = stuck.iter().map(|stuck| !stuck).collect();
        let mut finished = Vec::new();
        for at in 0..seen.len() {
            finished.extend(reach(at, &self.needs, &mut seen));
        }
        let mut seen: Vec<bool> = stuck.iter().map(|stuck| !stuck).collect();
        let mut circles = Vec::new();
        for at in finished.into_iter().rev() {
            let group = reach(at, waiting, &mut seen);
            if group.len() > 1 {
                circles.push(self.circle(&group));
            }
        }
        circles
    }

    fn circle(&self, group: &[usize]) -> Circle {
        let mut group = group.to_vec();
        group.sort_by_key(|at| self.priority[*at]);
        let units = group.iter().filter_map(|at| self.units.get(*at)).cloned();
        let units: Vec<Unit> = units.collect();
        Circle {
            across_rows: if units.len() < group.len() {
                AcrossRows::Yes
            } else {
                AcrossRows::No
            },
            units,
        }
    }
}

/// The units, and the first one of each object.
fn units(sorter: &Sorter<'_>) -> (Vec<Unit>, Vec<usize>) {
    let mut units = Vec::with_capacity(sorter.objects.len());
    let mut first = Vec::with_capacity(sorter.objects.len());
    for object in 0..sorter.objects.len() {
        first.push(units.len());
        let unit = |form, section| Unit {
            object,
            form,
            section,
        };
        let section = sorter.section(object);
        if sorter.split.contains_key(&object) {
            units.push(unit(Form::Placeholder, Section::PreData));
            units.push(unit(Form::Completion, section));
        } else if sorter.within[object].is_none() {
            units.push(unit(Form::Whole, section));
        }
    }
    (units, first)
}

/// By section, class, name and address; the rows between what comes before and after them.
fn priority(sorter: &Sorter<'_>, units: &[Unit]) -> Vec<usize> {
    let key = |unit: &Unit| {
        let object = &sorter.objects[unit.object];
        let rank = sorter.classes[unit.object].rank;
        let name = (object.schema.as_deref(), object.name.as_str());
        (unit.section, rank, name, object.address, unit.form)
    };
    let mut sorted: Vec<usize> = (0..units.len()).collect();
    sorted.sort_unstable_by(|a, b| key(&units[*a]).cmp(&key(&units[*b])));
    let before = sorted.partition_point(|at| units[*at].section == Section::PreData);
    sorted.insert(before, units.len());
    let mut priority = vec![0; sorted.len()];
    for (place, at) in sorted.into_iter().enumerate() {
        priority[at] = place;
    }
    priority
}

/// What is reached from `start` and was not seen, what lies deepest first.
fn reach(start: usize, next: &[Vec<usize>], seen: &mut [bool]) -> Vec<usize> {
    let mut done = Vec::new();
    if std::mem::replace(&mut seen[start], true) {
        return done;
    }
    // A stack of our own: chains of views can be longer than the thread's.
    let mut path = vec![(start, 0)];
    while let Some((at, tried)) = path.last_mut() {
        if let Some(to) = next[*at].get(*tried) {
            *tried += 1;
            if !std::mem::replace(&mut seen[*to], true) {
                path.push((*to, 0));
            }
        } else {
            done.push(*at);
            path.pop();
        }
    }
    done
}
