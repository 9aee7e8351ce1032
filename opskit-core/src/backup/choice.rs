//! What of a database is wanted, what is left out and why, and what the role lacks.

use super::plan::Missing;
use super::request::BackupRequest;
use super::source::Cluster;
use crate::catalog::inventory::{Item, ItemKind, inventory_from, inventory_sql, outside_sql};
use crate::catalog::{Pattern, Relation, RelationKind, relations_by_pattern, relations_from};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use crate::postgres::export::changed;
use crate::postgres::session::Session;
use crate::repository::{BackupType, Excluded};
use std::collections::{HashMap, HashSet};

/// Everything in scope that holds rows or numbers.
pub(super) async fn inventory(session: &mut Session, request: &BackupRequest) -> Result<Vec<Item>> {
    let sql = inventory_sql(&request.scope);
    inventory_from(&session.rows("cannot read the inventory", sql).await?)
}

/// What of the inventory is wanted.
#[derive(Debug)]
pub(super) struct Choice {
    found: Vec<Item>,
    /// The OIDs of the tables whose rows are wanted.
    wanted: HashSet<u32>,
    pub(super) sequences: Vec<QualifiedName>,
    pub(super) has_large_objects: bool,
    pub(super) excluded: Vec<Excluded>,
    pub(super) missing: Vec<Missing>,
}

impl Choice {
    pub(super) async fn of(
        session: &mut Session,
        request: &BackupRequest,
        found: Vec<Item>,
        cluster: &Cluster,
    ) -> Result<Self> {
        let only = matching(session, &request.only).await?;
        let exclude = matching(session, &request.exclude).await?;
        if !request.only.is_empty() && only.is_empty() {
            let patterns: Vec<String> = request.only.iter().map(Pattern::to_string).collect();
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("no table matches {}", patterns.join(", ")),
            )
            .with_hint("Names fold to lower case unless quoted, and without a schema the search path decides: try schema.name."));
        }
        let mut choice = Self {
            wanted: HashSet::new(),
            sequences: Vec::new(),
            has_large_objects: request.backup_type == BackupType::Full && request.only.is_empty(),
            excluded: outside(session, request).await?,
            missing: Vec::new(),
            found: Vec::new(),
        };
        for item in &found {
            choice.choose(request, item, cluster, &only, &exclude);
        }
        if request.backup_type == BackupType::Full && !choice.has_large_objects {
            choice.exclude("large objects", "only some tables were asked for");
        }
        choice.found = found;
        Ok(choice)
    }

    fn choose(
        &mut self,
        request: &BackupRequest,
        item: &Item,
        cluster: &Cluster,
        only: &HashSet<u32>,
        exclude: &HashSet<u32>,
    ) {
        if request.backup_type == BackupType::Schema {
            return;
        }
        let in_set = |set: &HashSet<u32>| {
            set.contains(&item.oid) || item.ancestors.iter().any(|above| set.contains(above))
        };
        let rows = || format!("rows of table {}", item.name);
        match item.kind {
            ItemKind::Partitioned => {}
            ItemKind::Sequence => {
                self.need(item, "sequence");
                self.sequences.push(item.name.clone());
            }
            ItemKind::Foreign => self.exclude(
                &format!("rows of foreign table {}", item.name),
                "they are on another server",
            ),
            ItemKind::Table if in_set(exclude) => self.exclude(&rows(), "excluded as asked"),
            ItemKind::Table if !request.only.is_empty() && !in_set(only) => {
                self.exclude(&rows(), "only other tables were asked for");
            }
            ItemKind::Table if item.unlogged && cluster.standby => {
                self.exclude(&rows(), "a standby has no rows of unlogged tables");
            }
            ItemKind::Table => {
                self.need(item, "table");
                self.wanted.insert(item.oid);
            }
        }
    }

    fn exclude(&mut self, object: &str, reason: &str) {
        self.excluded.push(Excluded {
            object: object.to_owned(),
            reason: reason.to_owned(),
        });
    }

    /// Notes what the role lacks to read all of an item.
    fn need(&mut self, item: &Item, class: &str) {
        let object = format!("{class} {}", item.name);
        let needs = match (item.readable, item.filtered) {
            (false, _) => "the privilege SELECT on it and USAGE on its schema",
            (true, true) => {
                "a role that row-level security does not filter (its owner, or BYPASSRLS)"
            }
            (true, false) => return,
        };
        self.missing.push(Missing {
            object,
            needs: needs.to_owned(),
        });
    }

    /// Everything whose definition or rows must stay as they are: all tables that this role may lock.
    pub(super) fn to_lock(&self) -> Vec<Relation> {
        let lockable = self.found.iter().filter(|item| item.readable);
        let relation = |item: &Item| {
            let kind = match item.kind {
                ItemKind::Table => RelationKind::Table,
                ItemKind::Partitioned => RelationKind::Partitioned,
                ItemKind::Foreign | ItemKind::Sequence => return None,
            };
            Some(Relation {
                oid: item.oid,
                name: item.name.clone(),
                kind,
                ancestors: Vec::new(),
                has_children: false,
            })
        };
        lockable.filter_map(relation).collect()
    }

    /// What was found before there were locks must be what the snapshot has.
    pub(super) fn refuse_changes(&self, again: &[Item]) -> Result<()> {
        if self.found == again {
            return Ok(());
        }
        let before: HashMap<u32, &Item> = self.found.iter().map(|item| (item.oid, item)).collect();
        let after: HashMap<u32, &Item> = again.iter().map(|item| (item.oid, item)).collect();
        let differs = |item: &&Item| before.get(&item.oid) != after.get(&item.oid);
        let item = self.found.iter().chain(again).find(differs);
        Err(item.map_or_else(
            || Error::new(ErrorKind::Busy, "the tables changed while they were read"),
            |item| changed(&item.name),
        ))
    }

    /// The wanted tables that hold user's rows only, and those of extensions.
    pub(super) fn wanted(&self) -> (Vec<(u32, QualifiedName)>, Vec<&Item>) {
        let wanted = || {
            let items = self.found.iter();
            items.filter(|item| self.wanted.contains(&item.oid))
        };
        let own = wanted().filter(|item| item.extension.is_none());
        let own = own.map(|item| (item.oid, item.name.clone()));
        (
            own.collect(),
            wanted().filter(|item| item.extension.is_some()).collect(),
        )
    }
}

/// The OIDs of all relations that match one of the patterns.
async fn matching(session: &mut Session, patterns: &[Pattern]) -> Result<HashSet<u32>> {
    let mut oids = HashSet::new();
    for pattern in patterns {
        let rows = session
            .rows("cannot look for tables", relations_by_pattern(pattern))
            .await?;
        oids.extend(relations_from(&rows)?.into_iter().map(|found| found.oid));
    }
    Ok(oids)
}

/// The schemas that are left out, and why.
async fn outside(session: &mut Session, request: &BackupRequest) -> Result<Vec<Excluded>> {
    let sql = outside_sql(&request.scope);
    let rows = session.rows("cannot read the schemas", sql).await?;
    let excluded = |name: String| {
        let reason = if request.scope.ignored().contains(&name) {
            "ignored as asked"
        } else {
            "it belongs to the platform"
        };
        Excluded {
            object: format!("schema {name}"),
            reason: reason.to_owned(),
        }
    };
    let names = rows
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten());
    Ok(names.map(excluded).collect())
}
