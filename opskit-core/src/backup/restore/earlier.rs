//! What an earlier restore left in the target, where it was stopped.

use super::mark::{Found, Mark};
use super::plan::RestorePlan;
use super::present::{self, Present};
use super::request::{Part, RestoreRequest};
use super::target::{Bracket, Target};
use crate::catalog::CatalogId;
use crate::catalog::model::Model;
use crate::catalog::scope::MARK_SCHEMA;
use crate::error::Result;
use crate::name::QualifiedName;
use crate::postgres::wire::WireConnection;
use crate::repository::{BackupId, Contents, Holds};
use std::collections::HashSet;

/// An earlier restore of the same backup, and what becomes of what it left.
#[derive(Debug, Default)]
pub(super) struct Earlier {
    pub(super) mark: Option<Mark>,
    /// What it made, in the order in which it is dropped: in words, and as SQL.
    pub(super) drops: Vec<(String, String)>,
    /// Tables that it loaded rows into, and that had none before.
    pub(super) truncates: Vec<(String, String)>,
    pub(super) problems: Vec<String>,
}

/// Looks at the mark. What will be dropped is no longer taken for there.
pub(super) async fn of(
    admin: &mut WireConnection,
    backup: &BackupId,
    model: &Model,
    contents: &Contents,
    target: &mut Target,
    request: &RestoreRequest,
) -> Result<Earlier> {
    let mut earlier = Earlier::default();
    let mark = match target.found.clone() {
        Found::Nothing => return Ok(earlier),
        Found::Foreign { owner } => {
            earlier.problems.push(format!(
                "schema \"{MARK_SCHEMA}\", where a restore that was stopped keeps its mark, belongs to role \"{owner}\": \
                 restore as that role, or drop the schema"
            ));
            return Ok(earlier);
        }
        Found::Mark(mark) => *mark,
    };
    if mark.backup != backup.as_str() {
        earlier.problems.push(format!(
            "a restore of backup {} into the target was stopped ({}): run that one again, or drop schema \
             \"{MARK_SCHEMA}\" to keep what it made and forget it",
            mark.backup, mark.started_at
        ));
        return Ok(earlier);
    }
    if mark.is_rows != (request.part == Part::Data) {
        let how = if mark.is_rows { "with" } else { "without" };
        earlier.problems.push(format!(
            "a restore of this backup was stopped ({}): run it again {how} --data-only",
            mark.started_at
        ));
        return Ok(earlier);
    }
    if !mark.is_rows {
        let left: Vec<Present> = present::left_by(model, &target.present)
            .into_iter()
            .cloned()
            .collect();
        earlier.drops = drops(admin, &left).await?;
        target.without(&left);
    }
    // What is the platform's is loaded whole or not at all, and never emptied.
    let loaded = contents.tables.iter();
    let loaded = loaded.filter(|table| table.holds != Holds::PlatformTable);
    let loaded: HashSet<&QualifiedName> = loaded.map(|table| &table.name).collect();
    let empty = mark.empty.iter().filter(|name| loaded.contains(name));
    let truncate = |name: &QualifiedName| {
        let sql = format!("TRUNCATE TABLE ONLY {}", name.to_sql());
        (format!("rows of table {name}"), sql)
    };
    earlier.truncates = empty.map(truncate).collect();
    earlier.mark = Some(mark);
    Ok(earlier)
}

impl Earlier {
    /// What is taken away. What the earlier restore wrote down counts: it may have put things back in half.
    pub(super) fn brackets(&self, mut now: Vec<Bracket>) -> Vec<Bracket> {
        let before = self.mark.iter().flat_map(|mark| &mark.brackets);
        let known: HashSet<&String> = before.clone().map(|it| &it.object).collect();
        now.retain(|it| !known.contains(&it.object));
        now.extend(before.cloned());
        now
    }

    /// Tells the plan.
    pub(super) fn tell(&self, plan: &mut RestorePlan) {
        plan.problems.splice(0..0, self.problems.iter().cloned());
        let left = self.drops.iter().chain(&self.truncates);
        plan.leftovers = left.map(|(it, _)| it.clone()).collect();
    }
}

async fn drops(admin: &mut WireConnection, left: &[Present]) -> Result<Vec<(String, String)>> {
    let acls = left
        .iter()
        .filter(|it| it.address.catalog == CatalogId::DEFAULT_ACL);
    let acls: Vec<u32> = acls.map(|it| it.address.oid).collect();
    let taken_back = present::default_acl_drops(admin, &acls).await?;
    let drops: Vec<(String, String)> = taken_back
        .into_iter()
        .map(|sql| ("default privileges".to_owned(), sql))
        .collect();
    let others = left
        .iter()
        .filter_map(|it| Some((it.describe(), it.drop_sql()?)));
    // What reacts to changes stands first among them.
    let (first, rest): (Vec<_>, Vec<_>) =
        others.partition(|(what, _)| what.starts_with("event trigger "));
    Ok(first.into_iter().chain(drops).chain(rest).collect())
}
