//! The order in which objects can be made.
//!
//! What is needed comes first; of what is free to come, the class's rank and the name decide, so that
//! the same database always gives the same order. What hangs in a circle is broken where the server
//! lets an object be made in two steps: a default or a check constraint is added to its table later, a
//! view is first made with the columns alone, a type as a name without its functions. What needs something that comes after the rows (a view
//! that groups by a primary key) comes after the rows itself.

mod class;
mod cycle;
mod graph;

use self::class::Class;
use self::graph::{Graph, Unit};
use super::address::Address;
use super::ddl::Section;
use super::model::{Definition, Model, Object};
use crate::error::{Error, ErrorKind, Result};
use std::collections::{HashMap, HashSet};
use std::rc::Rc;

/// In how many steps an object is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Form {
    /// In one.
    Whole,
    /// The first of two: a view with its columns, and no query yet; a type's name.
    Placeholder,
    /// The second of two.
    Completion,
}

/// One object, or a step of it.
#[derive(Debug, Clone)]
pub(crate) struct Step<'m> {
    pub(crate) object: &'m Object,
    pub(crate) form: Form,
    /// When at the earliest.
    pub(crate) section: Section,
    /// Objects that are made within this one: its defaults and check constraints.
    pub(crate) parts: Vec<&'m Object>,
}

/// The steps that make all objects of a model.
///
/// # Errors
/// Of kind `Damaged` when objects need each other in a circle that cannot be broken.
pub(crate) fn order(model: &Model) -> Result<Vec<Step<'_>>> {
    order_by(model, &class::of)
}

/// What an object needs, by its place among the objects.
#[derive(Debug, Clone, Copy)]
struct Edge {
    on: usize,
    /// Whether the query of a view needs it, rather than its columns; of a type, what stands behind
    /// its name.
    of: EdgeOf,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum EdgeOf {
    Shape,
    Query,
}

/// What is known, and what was decided to break circles.
#[derive(Debug)]
struct Sorter<'m> {
    objects: &'m [Object],
    classes: Vec<Class>,
    edges: Vec<Vec<Edge>>,
    /// The object that an object is made within.
    within: Vec<Option<usize>>,
    /// Views in two steps, and who gets by with the first.
    split: HashMap<usize, Rc<HashSet<usize>>>,
    /// What comes after the rows although its class comes before.
    late: HashSet<usize>,
}

fn order_by<'m>(model: &'m Model, class: &dyn Fn(&Object) -> Class) -> Result<Vec<Step<'m>>> {
    let mut sorter = Sorter::new(model, class);
    loop {
        let graph = Graph::of(&sorter);
        match graph.sort() {
            Ok(units) => return Ok(sorter.steps(&graph, &units)),
            Err(circles) => {
                for circle in circles {
                    sorter.break_circle(&circle)?;
                }
            }
        }
    }
}

impl<'m> Sorter<'m> {
    fn new(model: &'m Model, class: &dyn Fn(&Object) -> Class) -> Self {
        let objects = model.objects.as_slice();
        let at: HashMap<Address, usize> = objects.iter().map(|o| o.address).zip(0..).collect();
        let classes: Vec<Class> = objects.iter().map(class).collect();
        let within = classes
            .iter()
            .map(|class| class.within.and_then(|owner| at.get(&owner).copied()))
            .map(|owner| owner.filter(|owner| classes[*owner].takes_parts))
            .collect();
        Self {
            edges: edges(model, &at),
            objects,
            classes,
            within,
            split: HashMap::new(),
            late: HashSet::new(),
        }
    }

    fn section(&self, object: usize) -> Section {
        if self.late.contains(&object) {
            Section::PostData
        } else {
            self.classes[object].section
        }
    }

    fn steps(&self, graph: &Graph, order: &[usize]) -> Vec<Step<'m>> {
        let mut parts: HashMap<usize, Vec<&Object>> = HashMap::new();
        for (part, owner) in self.within.iter().enumerate() {
            if let Some(owner) = owner {
                parts.entry(*owner).or_default().push(&self.objects[part]);
            }
        }
        let step = |unit: &Unit| Step {
            object: &self.objects[unit.object],
            form: unit.form,
            section: unit.section,
            parts: parts.remove(&unit.object).unwrap_or_default(),
        };
        order.iter().map(|at| &graph.units[*at]).map(step).collect()
    }
}

/// A type that may be made in two steps: as a name it needs its schema alone.
fn is_type(object: &Object) -> bool {
    matches!(object.definition, Definition::Type(_))
}

/// Who needs whom: as the server says, and everything its schema.
fn edges(model: &Model, at: &HashMap<Address, usize>) -> Vec<Vec<Edge>> {
    let mut edges: Vec<Vec<Edge>> = vec![Vec::new(); model.objects.len()];
    let queries: HashMap<Address, Address> = model
        .parts
        .iter()
        .map(|part| (part.part, part.of))
        .collect();
    for need in &model.needs {
        let (object, of) = match at.get(&need.object) {
            Some(object) if is_type(&model.objects[*object]) => (Some(object), EdgeOf::Query),
            Some(object) => (Some(object), EdgeOf::Shape),
            None => (
                queries.get(&need.object).and_then(|of| at.get(of)),
                EdgeOf::Query,
            ),
        };
        if let (Some(object), Some(on)) = (object, at.get(&need.on)) {
            edges[*object].push(Edge { on: *on, of });
        }
    }
    let schemas: HashMap<&str, usize> = model
        .objects
        .iter()
        .enumerate()
        .filter(|(_, object)| matches!(object.definition, Definition::Schema))
        .map(|(at, object)| (object.name.as_str(), at))
        .collect();
    for (edges, object) in edges.iter_mut().zip(&model.objects) {
        let schema = object.schema.as_deref().and_then(|name| schemas.get(name));
        edges.extend(schema.map(|on| Edge {
            on: *on,
            of: EdgeOf::Shape,
        }));
    }
    edges
}

#[cfg(test)]
mod tests;
