//! Which tables of the platform's get their rows, in which order, and why the others do not.

use super::super::problems;
use super::look::{Found, Key, Seen, State, Trigger, When};
use super::{OfPlatform, Reactions, Told};
use crate::catalog::model::{Constraint, Definition, Model};
use crate::name::QualifiedName;
use crate::repository::{Contents, Holds, TableEntry};
use std::collections::HashSet;

/// A table that can get its rows, as far as it alone is looked at.
#[derive(Clone, Copy)]
struct Candidate<'a> {
    table: &'a TableEntry,
    found: &'a Found,
}

/// Chooses, and takes out of the contents what is not restored.
pub(in super::super) fn choose(
    seen: &Seen,
    contents: &mut Contents,
    model: &Model,
) -> (OfPlatform, Told) {
    let mut told = Told::default();
    let mut choice = Choice::default();
    let of_platform = contents.tables.iter();
    let of_platform = of_platform.filter(|it| it.holds == Holds::PlatformTable);
    for table in of_platform {
        choice.sort_in(table, seen.tables.get(&table.name), &mut told);
    }
    let reactions = choice.settle(seen);
    let order = in_order(&choice.loads, &seen.keys).0;
    let loads: HashSet<u32> = order.iter().map(|it| it.found.oid).collect();
    let keys = seen.keys.iter().filter(|key| loads.contains(&key.from));
    let checks = keys.filter(|_| reactions == Reactions::Off);
    let mut plan = OfPlatform {
        order: order.iter().map(|it| it.table.name.clone()).collect(),
        reactions,
        sequences: Vec::new(),
        checks: checks
            .map(|it| (it.name.clone(), it.check.clone()))
            .collect(),
    };
    for sequence in order.iter().flat_map(|it| &it.found.sequences) {
        let what = format!("sequence {}", sequence.name);
        match sequence.may_set {
            true => plan.sequences.push((what, sequence.set.clone())),
            false => told.skipped.push(format!(
                "the value of {what}: this role may not set it, so that it may give numbers which rows have"
            )),
        }
    }
    let left: HashSet<QualifiedName> = choice.left.iter().map(|(name, _)| name.clone()).collect();
    let skipped = choice.left.iter().filter(|(_, why)| !why.is_empty());
    let skipped: Vec<&(QualifiedName, String)> = skipped.collect();
    told.warnings.extend(
        skipped
            .iter()
            .filter_map(|(name, _)| referring(model, name)),
    );
    let skipped = skipped.iter();
    let skipped = skipped.map(|(name, why)| format!("rows of table {name}: {why}"));
    told.skipped.splice(0..0, skipped);
    let stays = |it: &TableEntry| it.holds != Holds::PlatformTable || !left.contains(&it.name);
    contents.tables.retain(stays);
    (plan, told)
}

#[derive(Default)]
struct Choice<'a> {
    loads: Vec<Candidate<'a>>,
    /// The tables that are as the backup has them without doing anything.
    settled: HashSet<u32>,
    /// Those that are left out, and why; for no reason where nothing is lost by it.
    left: Vec<(QualifiedName, String)>,
}

impl<'a> Choice<'a> {
    fn sort_in(&mut self, table: &'a TableEntry, found: Option<&'a Found>, told: &mut Told) {
        let name = &table.name;
        let nothing_lost = table.rows == 0;
        let Some(found) = found else {
            let why = "the target's platform has no such table".to_owned();
            let why = if nothing_lost { String::new() } else { why };
            self.left.push((name.clone(), why));
            return;
        };
        if nothing_lost {
            self.settled.insert(found.oid);
        }
        match &found.state {
            State::Empty if nothing_lost => {}
            State::Empty => self.loads.push(Candidate { table, found }),
            State::Same => {
                self.settled.insert(found.oid);
                let what = "has exactly the rows of the backup already: none is loaded";
                told.warnings
                    .push(format!("table {name} of the platform {what}"));
            }
            State::Filled => {
                let why = "the table has rows of its own, which stay as they are";
                self.left.push((name.clone(), why.to_owned()));
            }
            State::Refused(_) if nothing_lost => self.left.push((name.clone(), String::new())),
            State::Refused(why) => self.left.push((name.clone(), why.clone())),
        }
    }

    /// Leaves out, until nothing is left to leave out, what others do not allow: triggers that would run, circles of
    /// foreign keys, tables that are referred to and get no rows.
    fn settle(&mut self, seen: &Seen) -> Reactions {
        loop {
            let circular = in_order(&self.loads, &seen.keys).1;
            let fires = |it: &Candidate<'_>| running(it.found, Reactions::On).is_some();
            let is_needed = !circular.is_empty() || self.loads.iter().any(fires);
            let reactions = match is_needed && seen.may_turn_off {
                true => Reactions::Off,
                false => Reactions::On,
            };
            let circular = match reactions {
                Reactions::On => circular,
                Reactions::Off => HashSet::new(),
            };
            let out: Vec<(QualifiedName, String)> = self
                .loads
                .iter()
                .filter_map(|it| {
                    let why = self.obstacle(it, reactions, &circular, &seen.keys)?;
                    Some((it.table.name.clone(), why))
                })
                .collect();
            if out.is_empty() {
                return reactions;
            }
            let is_out = |it: &Candidate<'_>| out.iter().any(|(name, _)| *name == it.table.name);
            self.loads.retain(|it| !is_out(it));
            self.left.extend(out);
        }
    }

    fn obstacle(
        &self,
        it: &Candidate<'_>,
        reactions: Reactions,
        circular: &HashSet<u32>,
        keys: &[Key],
    ) -> Option<String> {
        if let Some(trigger) = running(it.found, reactions) {
            return Some(format!(
                "trigger \"{}\" on the table would run, and this role cannot keep it from that",
                trigger.name
            ));
        }
        if circular.contains(&it.found.oid) {
            let why =
                "foreign keys lead in a circle, and this role may not set session_replication_role";
            return Some(why.to_owned());
        }
        let has_rows = |oid: u32| {
            self.settled.contains(&oid) || self.loads.iter().any(|other| other.found.oid == oid)
        };
        let mut keys = keys.iter().filter(|key| key.from == it.found.oid);
        let key = keys.find(|key| !has_rows(key.to))?;
        let (key, to) = (&key.name, &key.table);
        Some(format!("{key} refers to {to}, whose rows are not restored"))
    }
}

/// A trigger that would run for rows.
fn running(found: &Found, reactions: Reactions) -> Option<&Trigger> {
    let runs = |it: &&Trigger| match (it.when, reactions) {
        (When::Always, _) | (When::On, Reactions::On) | (When::Off, Reactions::Off) => true,
        (When::On, Reactions::Off) | (When::Off, Reactions::On) => false,
    };
    found.triggers.iter().find(runs)
}

/// The tables, each after those that it refers to; and those whose keys lead back to them, or lie between such.
fn in_order<'a>(loads: &[Candidate<'a>], keys: &[Key]) -> (Vec<Candidate<'a>>, HashSet<u32>) {
    let keys: Vec<&Key> = keys.iter().filter(|key| matters(key, loads)).collect();
    let mut open: Vec<Candidate<'a>> = loads.to_vec();
    let mut order: Vec<Candidate<'a>> = Vec::new();
    loop {
        let waiting: HashSet<u32> = open.iter().map(|it| it.found.oid).collect();
        let waits = |oid: u32| {
            let mut own = keys.iter().filter(|key| key.from == oid);
            own.any(|key| waiting.contains(&key.to))
        };
        let (rest, free): (Vec<_>, Vec<_>) = open.into_iter().partition(|it| waits(it.found.oid));
        let is_done = free.is_empty();
        order.extend(free);
        open = rest;
        if is_done {
            order.extend(open);
            return (order, circular(waiting, &keys));
        }
    }
}

/// A part of a table may refer to a row of a later one; where there is one part, the server looks when it is there.
fn matters(key: &Key, loads: &[Candidate<'_>]) -> bool {
    let mut loads = loads.iter();
    key.from != key.to || loads.any(|it| it.found.oid == key.from && it.table.parts.len() > 1)
}

/// Those of the tables that are not merely behind a circle.
fn circular(mut tables: HashSet<u32>, keys: &[&Key]) -> HashSet<u32> {
    loop {
        let among = keys.iter().filter(|key| tables.contains(&key.from));
        let referred: HashSet<u32> = among.map(|key| key.to).collect();
        let before = tables.len();
        tables.retain(|oid| referred.contains(oid));
        if tables.len() == before {
            return tables;
        }
    }
}

/// A warning about the foreign keys to a table whose rows are left out. The server prints the names of a platform
/// without quotes.
fn referring(model: &Model, name: &QualifiedName) -> Option<String> {
    let to = format!(" REFERENCES {}.{}(", name.schema, name.name);
    let keys = model
        .objects
        .iter()
        .filter(|object| match &object.definition {
            Definition::Constraint(Constraint::Foreign(key)) => key.definition.contains(&to),
            _ => false,
        });
    problems::list(
        &format!(
            "rows of table {name} are left out: without the rows that they refer to, these fail:"
        ),
        keys.map(|object| object.describe()),
    )
}
