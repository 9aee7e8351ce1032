//! What of a database is wanted, what is left out and why, and what the role lacks.

use super::plan::Missing;
use super::request::BackupRequest;
use super::source::Cluster;
use crate::catalog::inventory::{
    Item, ItemKind, UNREADABLE_LARGE_OBJECTS_SQL, inventory_from, inventory_sql, matching_from,
    matching_sql, outside_sql,
};
use crate::catalog::scope::{holds_platform_data, is_platform_book};
use crate::catalog::{Pattern, Relation, RelationKind};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use crate::postgres::export::changed;
use crate::postgres::session::Session;
use crate::repository::{BackupType, Excluded};
use std::collections::{HashMap, HashSet};

/// The large objects, in words.
const LARGE_OBJECTS: &str = "large objects";

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
        let patterns = Patterns::resolve(session, request, &found).await?;
        let mut choice = Self {
            wanted: HashSet::new(),
            sequences: Vec::new(),
            has_large_objects: false,
            excluded: outside(session, request).await?,
            missing: Vec::new(),
            found: Vec::new(),
        };
        if request.backup_type == BackupType::Full {
            for item in &found {
                choice.choose(item, cluster, &patterns);
            }
            choice.choose_large_objects(session, request).await?;
        }
        choice.found = found;
        Ok(choice)
    }

    fn choose(&mut self, item: &Item, cluster: &Cluster, patterns: &Patterns) {
        let rows = || format!("rows of table {}", item.name);
        let (asked_for, unwanted) = (patterns.ask_for(item), patterns.exclude(item));
        match item.kind {
            ItemKind::Partitioned => {}
            ItemKind::Sequence => {
                let value = || format!("value of sequence {}", item.name);
                if unwanted {
                    self.exclude(&value(), "excluded as asked, or with its table");
                } else if !asked_for && item.owner.is_some() {
                    self.exclude(&value(), "only other tables were asked for");
                } else {
                    // One that belongs to no table may be drawn from by any of them.
                    self.need(item, "sequence");
                    self.sequences.push(item.name.clone());
                }
            }
            ItemKind::Foreign => self.exclude(
                &format!("rows of foreign table {}", item.name),
                "they are on another server",
            ),
            ItemKind::Table if unwanted => self.exclude(&rows(), "excluded as asked"),
            ItemKind::Table if !asked_for => {
                self.exclude(&rows(), "only other tables were asked for");
            }
            ItemKind::Table if item.unlogged && cluster.standby => {
                self.exclude(&rows(), "a standby has no rows of unlogged tables");
            }
            ItemKind::Table => match kept_back(item) {
                Some(why) => self.exclude(&rows(), why),
                None => {
                    self.need(item, "table");
                    self.wanted.insert(item.oid);
                }
            },
        }
    }

    async fn choose_large_objects(
        &mut self,
        session: &mut Session,
        request: &BackupRequest,
    ) -> Result<()> {
        if request.exclude_large_objects {
            self.exclude(LARGE_OBJECTS, "excluded as asked");
            return Ok(());
        }
        if !request.only.is_empty() {
            self.exclude(LARGE_OBJECTS, "only some tables were asked for");
            return Ok(());
        }
        self.has_large_objects = true;
        let sql = UNREADABLE_LARGE_OBJECTS_SQL.to_owned();
        let rows = session
            .rows("cannot look at the large objects", sql)
            .await?;
        if let Some([Some(count), Some(first)]) = rows.first().map(Vec::as_slice) {
            self.missing.push(Missing {
                object: format!("{count} {LARGE_OBJECTS} ({first}, …)"),
                needs: "SELECT on each, which pg_read_all_data does not bring, or --exclude-large-objects"
                    .to_owned(),
            });
        }
        Ok(())
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

    /// Everything whose definition or rows must stay as they are: all tables that this role may lock, of the
    /// platform's those that are read.
    pub(super) fn to_lock(&self) -> Vec<Relation> {
        let is_read = |item: &&Item| self.wanted.contains(&item.oid) || !item.platform;
        let lockable = self.found.iter().filter(|item| item.readable);
        let lockable = lockable.filter(is_read);
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
    pub(super) fn wanted(&self) -> (Vec<&Item>, Vec<&Item>) {
        let wanted = self.found.iter();
        let wanted = wanted.filter(|item| self.wanted.contains(&item.oid));
        wanted.partition(|item| item.extension.is_none())
    }
}

/// Why the rows of a table stay where they are: of the platform's, those that are read are read in full, and what
/// cannot be is no reason for a user to have no backup.
fn kept_back(item: &Item) -> Option<&'static str> {
    if !item.platform {
        return None;
    }
    if is_platform_book(&item.name) {
        return Some(Excluded::OF_THE_PLATFORM);
    }
    match (item.readable, item.filtered) {
        (false, _) => Some("the table is the platform's, and this role may not read it"),
        (true, true) => Some(
            "the table is the platform's, and row-level security hides rows of it from this role",
        ),
        (true, false) => None,
    }
}

/// What the patterns of a request mean.
struct Patterns {
    /// None where everything is asked for.
    only: Option<HashSet<u32>>,
    exclude: HashSet<u32>,
    /// The partitioned tables above each table that sequences go with.
    above: HashMap<u32, Vec<u32>>,
}

impl Patterns {
    /// A pattern of `only` that finds nothing of `found` is a mistake: what it was to choose would be missing
    /// on the day of the restore.
    async fn resolve(
        session: &mut Session,
        request: &BackupRequest,
        found: &[Item],
    ) -> Result<Self> {
        let above = found.iter().map(|item| (item.oid, item.ancestors.clone()));
        let mut patterns = Self {
            only: (!request.only.is_empty()).then(HashSet::new),
            exclude: HashSet::new(),
            above: above.collect(),
        };
        for pattern in &request.exclude {
            patterns.exclude.extend(matching(session, pattern).await?);
        }
        for pattern in &request.only {
            let matching = matching(session, pattern).await?;
            let has_values =
                |item: &Item| item.kind != ItemKind::Foreign && kept_back(item).is_none();
            if !found
                .iter()
                .any(|item| has_values(item) && matching.contains(&item.oid))
            {
                return Err(Error::new(
                    ErrorKind::NotFound,
                    format!("no table matches {pattern}"),
                )
                .with_hint("Views hold no rows, and of a platform's tables those count that the role may read in full. Names fold to lower case unless quoted, and without a schema the search path decides: try schema.name."));
            }
            patterns.only.get_or_insert_default().extend(matching);
        }
        Ok(patterns)
    }

    fn ask_for(&self, item: &Item) -> bool {
        let only = self.only.as_ref();
        only.is_none_or(|only| self.has(only, item))
    }

    fn exclude(&self, item: &Item) -> bool {
        self.has(&self.exclude, item)
    }

    /// A partitioned table stands for its partitions, and a table for the sequences that go with it.
    fn has(&self, set: &HashSet<u32>, item: &Item) -> bool {
        let owner = item.owner.iter();
        let above_owner = owner
            .clone()
            .filter_map(|owner| self.above.get(owner))
            .flatten();
        let own = [item.oid];
        let mut oids = own
            .iter()
            .chain(&item.ancestors)
            .chain(owner)
            .chain(above_owner);
        oids.any(|oid| set.contains(oid))
    }
}

async fn matching(session: &mut Session, pattern: &Pattern) -> Result<HashSet<u32>> {
    let sql = matching_sql(pattern);
    matching_from(&session.rows("cannot look for tables", sql).await?)
}

/// The schemas that are left out, and why.
async fn outside(session: &mut Session, request: &BackupRequest) -> Result<Vec<Excluded>> {
    let sql = outside_sql(&request.scope);
    let rows = session.rows("cannot read the schemas", sql).await?;
    let excluded = |name: String| {
        let (object, reason) = if request.scope.ignored().contains(&name) {
            ("schema", "ignored as asked")
        } else if holds_platform_data(&name) {
            ("definitions of schema", Excluded::OF_THE_PLATFORM)
        } else {
            ("schema", Excluded::OF_THE_PLATFORM)
        };
        Excluded {
            object: format!("{object} {name}"),
            reason: reason.to_owned(),
        }
    };
    let names = rows
        .into_iter()
        .filter_map(|row| row.into_iter().next().flatten());
    Ok(names.map(excluded).collect())
}
