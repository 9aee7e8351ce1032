//! Breaking a circle of objects that need each other.

use super::class::{Apart, Bend};
use super::graph::{AcrossRows, Circle};
use super::{Error, ErrorKind, Form, Result, Section, Sorter};
use std::collections::HashSet;
use std::rc::Rc;

/// How many objects of a circle an error names.
const NAMED_MAX: usize = 20;

impl Sorter<'_> {
    /// Decides one thing that makes the circle smaller: first parts come apart from their objects,
    /// then what can come after the rows does, then views are made in two steps.
    pub(super) fn break_circle(&mut self, circle: &Circle) -> Result<()> {
        let members = circle.units.iter().map(|unit| unit.object);
        let members: Rc<HashSet<usize>> = Rc::new(members.collect());
        if self.take_parts_out(&members)
            || (circle.across_rows == AcrossRows::Yes && self.move_behind_the_rows(circle))
            || self.split_views(circle, &members)
        {
            return Ok(());
        }
        let mut names: Vec<String> = circle
            .units
            .iter()
            .map(|unit| self.objects[unit.object].describe())
            .collect();
        names.dedup();
        if names.len() > NAMED_MAX {
            let more = names.len() - NAMED_MAX;
            names.truncate(NAMED_MAX);
            names.push(format!("and {more} more"));
        }
        Err(Error::new(
            ErrorKind::Damaged,
            format!("objects need each other in a circle: {}", names.join(", ")),
        )
        .with_hint("none of them can be made before the others; break the circle in the source"))
    }

    /// Parts whose own needs are in the circle are made apart.
    fn take_parts_out(&mut self, members: &HashSet<usize>) -> bool {
        let guilty = |part: &usize| {
            let Some(owner) = self.within[*part] else {
                return false;
            };
            members.contains(&owner)
                && self.classes[*part].apart == Apart::Possible
                && self.edges[*part].iter().any(|edge| {
                    let on = self.within[edge.on].unwrap_or(edge.on);
                    on != owner && members.contains(&on)
                })
        };
        let guilty: Vec<usize> = (0..self.objects.len()).filter(guilty).collect();
        for part in &guilty {
            self.within[*part] = None;
        }
        !guilty.is_empty()
    }

    /// If all that stands before the rows can come after them, it does.
    fn move_behind_the_rows(&mut self, circle: &Circle) -> bool {
        let before = || {
            let units = circle.units.iter();
            units.filter(|unit| unit.section == Section::PreData)
        };
        let can = before().all(|unit| {
            unit.form != Form::Placeholder && self.classes[unit.object].bend != Bend::Never
        });
        if can {
            let objects: Vec<usize> = before().map(|unit| unit.object).collect();
            self.late.extend(objects);
        }
        can
    }

    /// Views in the circle are made in two steps; the others in it get by with the first.
    fn split_views(&mut self, circle: &Circle, members: &Rc<HashSet<usize>>) -> bool {
        let views: Vec<usize> = circle
            .units
            .iter()
            .filter(|unit| unit.form == Form::Whole)
            .map(|unit| unit.object)
            .filter(|object| self.classes[*object].bend == Bend::TwoSteps)
            .collect();
        for view in &views {
            self.split.insert(*view, Rc::clone(members));
        }
        !views.is_empty()
    }
}
