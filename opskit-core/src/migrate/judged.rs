//! What a rehearsal did, judged by what is different behind it.

use super::run::{Applied, Seen};
use crate::catalog::diff::{AttributeDiff, FactsDiff, ObjectDiff, RowDiff, Side};
use crate::name::QualifiedName;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// Something that went or got weaker.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Harm {
    /// What kind of.
    pub kind: HarmKind,
    /// The object.
    pub object: String,
    /// In one sentence.
    pub says: String,
}

/// Kinds of harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum HarmKind {
    /// An object, a column or a constraint is gone.
    ObjectGone,
    /// A table has fewer rows, or rows were deleted.
    RowsLost,
    /// Rows that were there do not say what they said.
    RowsChanged,
    /// Row-level security or a policy lets more through.
    SecurityWeakened,
    /// Everybody may do more.
    GrantWidened,
}

/// Rows of a table before and behind the migrations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct RowCount {
    /// Before.
    pub before: u64,
    /// Behind; none where the table is gone.
    pub after: Option<u64>,
}

/// All harm that was done; `open` are new policies that hold for every row.
pub(super) fn judge(
    diff: &FactsDiff,
    counts: &BTreeMap<QualifiedName, RowCount>,
    applied: &[Applied],
    open: &BTreeSet<String>,
) -> Vec<Harm> {
    let mut harms: BTreeSet<Harm> = BTreeSet::new();
    for object in &diff.objects {
        judge_object(object, &mut harms);
    }
    let everything = || "lets everything through".to_owned();
    harms.extend(
        open.iter()
            .map(|policy| harm(HarmKind::SecurityWeakened, policy.clone(), everything())),
    );
    for (table, count) in counts {
        if count.after.is_none_or(|after| after < count.before) {
            let now = count
                .after
                .map_or_else(|| "no table".to_owned(), |after| after.to_string());
            harms.insert(harm(
                HarmKind::RowsLost,
                table.to_string(),
                format!("{} rows before, {now} behind", count.before),
            ));
        }
    }
    let statements = applied.iter().flat_map(|done| &done.statements);
    for rows in statements
        .filter_map(|done| done.measured.as_ref())
        .flat_map(|measured| &measured.rows)
    {
        if rows.deleted > 0 {
            harms.insert(harm(
                HarmKind::RowsLost,
                rows.table.clone(),
                format!("{} rows deleted", rows.deleted),
            ));
        }
    }
    harms.into_iter().collect()
}

fn harm(kind: HarmKind, object: String, says: String) -> Harm {
    Harm { kind, object, says }
}

fn judge_object(object: &ObjectDiff, harms: &mut BTreeSet<Harm>) {
    let name = || object.object.clone();
    if object.only_in == Some(Side::A) {
        let kind = match object.object.starts_with("policy ") {
            true => HarmKind::SecurityWeakened,
            false => HarmKind::ObjectGone,
        };
        harms.insert(harm(kind, name(), "is gone".to_owned()));
    }
    for row in &object.rows {
        if row.only_in == Some(Side::A) && matters(row) {
            let part = row.part.as_deref().unwrap_or_default();
            harms.insert(harm(
                HarmKind::ObjectGone,
                format!("{} {part}", object.object),
                format!("{} is gone", row.catalog),
            ));
        }
        for attribute in &row.attributes {
            judge_attribute(object, row, attribute, harms);
        }
    }
}

/// Rows whose loss is one: columns, constraints; not comments and dependencies.
fn matters(row: &RowDiff) -> bool {
    matches!(
        row.catalog.as_str(),
        "pg_attribute" | "pg_constraint" | "pg_enum" | "pg_policy" | "pg_trigger"
    )
}

fn judge_attribute(
    object: &ObjectDiff,
    row: &RowDiff,
    attribute: &AttributeDiff,
    harms: &mut BTreeSet<Harm>,
) {
    if let Some(says) = weaker(attribute) {
        let kind = HarmKind::SecurityWeakened;
        harms.insert(harm(kind, object.object.clone(), says.to_owned()));
    }
    if attribute.name.ends_with("acl") {
        let to = attribute.to.as_deref();
        for grantee in widened(attribute.from.as_deref(), to) {
            let part = row
                .part
                .as_ref()
                .map_or_else(String::new, |part| format!(" {part}"));
            let says = format!("{grantee} may do more: {}", to.unwrap_or_default());
            harms.insert(harm(
                HarmKind::GrantWidened,
                format!("{}{part}", object.object),
                says,
            ));
        }
    }
}

/// What got weaker, where something did.
fn weaker(attribute: &AttributeDiff) -> Option<&'static str> {
    let (from, to) = (attribute.from.as_deref(), attribute.to.as_deref());
    let was_switched_off = is_true(from) && !is_true(to);
    match attribute.name.as_str() {
        "relrowsecurity" if was_switched_off => Some("row-level security is off"),
        "relforcerowsecurity" if was_switched_off => {
            Some("row-level security does not hold its owner any more")
        }
        "polqual" | "polwithcheck" | "polroles" | "polcmd" | "polpermissive" if from.is_some() => {
            Some("the policy lets other rows through")
        }
        "tgenabled" | "evtenabled" | "ev_enabled" if to == Some("D") => Some("is switched off"),
        "prosecdef" if is_true(to) => Some("runs with the rights of its owner"),
        "relowner" | "proowner" | "nspowner" | "typowner" if from.is_some() && to.is_some() => {
            Some("has another owner")
        }
        _ => None,
    }
}

fn is_true(value: Option<&str>) -> bool {
    matches!(value, Some("t" | "true"))
}

/// Whom of everybody an access list gives more than before: `public` (no name) and `anon`.
fn widened(from: Option<&str>, to: Option<&str>) -> Vec<&'static str> {
    let rights = |list: Option<&str>, grantee: &str| -> BTreeSet<char> {
        let items = list
            .unwrap_or_default()
            .split([',', '{', '}', '"', ' ', '\n']);
        let of = items.filter_map(|item| item.strip_prefix(grantee)?.strip_prefix('='));
        of.flat_map(|rights| {
            rights
                .split('/')
                .next()
                .unwrap_or_default()
                .chars()
                .collect::<Vec<_>>()
        })
        .collect()
    };
    let everybody = [("", "public"), ("anon", "anon")];
    let more = everybody
        .iter()
        .filter(|(grantee, _)| !rights(to, grantee).is_subset(&rights(from, grantee)));
    more.map(|(_, name)| *name).collect()
}

/// For how long each relation was locked so that nobody could read it, in milliseconds.
pub(super) fn exclusive_by_relation(applied: &[Applied]) -> BTreeMap<String, u64> {
    let mut held: BTreeMap<String, u64> = BTreeMap::new();
    for migration in applied {
        for (at, done) in migration.statements.iter().enumerate() {
            let Some(measured) = &done.measured else {
                continue;
            };
            let rest: u64 = migration.statements[at..]
                .iter()
                .map(|done| done.elapsed_ms)
                .sum();
            for lock in measured
                .locks
                .iter()
                .filter(|lock| lock.mode == "AccessExclusiveLock")
            {
                // One that was seen outside of a transaction goes with its statement; any other is held to the end.
                let time = match lock.seen {
                    Seen::Sampled => done.elapsed_ms,
                    Seen::Held => rest,
                };
                let longest = held.entry(lock.relation.clone()).or_default();
                *longest = (*longest).max(time);
            }
        }
    }
    held
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grants_to_everybody_are_seen_and_others_not() {
        assert_eq!(
            widened(Some("{app=r/app}"), Some("{app=r/app,=r/app}")),
            ["public"]
        );
        assert_eq!(widened(None, Some("{anon=arw/app}")), ["anon"]);
        assert!(widened(Some("{anon=arw/app}"), Some("{anon=r/app}")).is_empty());
        assert!(widened(None, Some("{authenticated=r/app}")).is_empty());
    }
}
