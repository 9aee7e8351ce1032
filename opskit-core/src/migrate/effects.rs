//! What a statement locks and what it costs, by its text.
//!
//! The levels are those of the server's documentation (<https://www.postgresql.org/docs/current/explicit-locking.html>)
//! and of the pages of each statement; where versions differ, the stronger lock is told.

use super::gate::Said;
use super::lexer::{Token, tokens};
use serde::Serialize;
use std::fmt;

/// A lock of a table, the weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub enum LockMode {
    /// Conflicts with nothing but the strongest: reading.
    AccessShare,
    /// `SELECT … FOR UPDATE`.
    RowShare,
    /// Writing.
    RowExclusive,
    /// `VACUUM`, `CREATE INDEX CONCURRENTLY`: readers and writers go on.
    ShareUpdateExclusive,
    /// `CREATE INDEX`: readers go on, writers wait.
    Share,
    /// `CREATE TRIGGER`, foreign keys: readers go on, writers wait.
    ShareRowExclusive,
    /// `REFRESH … CONCURRENTLY`: readers go on, writers wait.
    Exclusive,
    /// Everybody waits.
    AccessExclusive,
}

/// What a statement does to a table's file while it holds its lock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Work {
    /// Nothing that takes longer for a larger table.
    Catalog,
    /// It reads all of it.
    Scans,
    /// It builds an index over all of it.
    Builds,
    /// It writes all of it anew.
    Rewrites,
    /// It changes rows, as many as it finds.
    Rows,
}

/// What a statement does to one table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Effect {
    /// The table, as the statement names it; of an index that is dropped or rebuilt, the index.
    pub relation: String,
    /// The lock.
    pub lock: LockMode,
    /// What it does meanwhile.
    pub work: Work,
    /// Its size with indexes, in bytes; unknown of what there is not yet.
    pub bytes: Option<u64>,
}

impl fmt::Display for LockMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::AccessShare => "ACCESS SHARE",
            Self::RowShare => "ROW SHARE",
            Self::RowExclusive => "ROW EXCLUSIVE",
            Self::ShareUpdateExclusive => "SHARE UPDATE EXCLUSIVE",
            Self::Share => "SHARE",
            Self::ShareRowExclusive => "SHARE ROW EXCLUSIVE",
            Self::Exclusive => "EXCLUSIVE",
            Self::AccessExclusive => "ACCESS EXCLUSIVE",
        })
    }
}

use LockMode::{
    AccessExclusive, AccessShare, Exclusive, RowExclusive, Share, ShareRowExclusive,
    ShareUpdateExclusive,
};

/// The effects of a statement on tables that were there before.
pub(super) fn effects(text: &str) -> Vec<Effect> {
    let all: Vec<Token<'_>> = tokens(text).collect();
    let said = Said(&all);
    let mut found = Vec::new();
    let mut add = |relation: String, lock, work| {
        if !relation.is_empty() {
            found.push(Effect {
                relation,
                lock,
                work,
                bytes: None,
            });
        }
    };
    if said.starts(&["alter"]) {
        alter(said, &mut add);
    } else if said.starts(&["create"]) {
        create(said, &mut add);
    } else if said.starts(&["drop"]) {
        drops(said, &mut add);
    } else {
        others(said, &mut add);
    }
    found.dedup();
    found
}

const SKIPPED: [&str; 7] = [
    "if",
    "not",
    "exists",
    "only",
    "table",
    "concurrently",
    "view",
];

fn named(said: Said<'_, '_>) -> String {
    said.skip_words(&SKIPPED).name()
}

fn after(said: Said<'_, '_>, words: &[&str]) -> String {
    said.after(words).map(named).unwrap_or_default()
}

fn create(said: Said<'_, '_>, add: &mut impl FnMut(String, LockMode, Work)) {
    let concurrently = said.has(&["index", "concurrently"]);
    if said.starts(&["create", "index"]) || said.starts(&["create", "unique", "index"]) {
        let lock = if concurrently {
            ShareUpdateExclusive
        } else {
            Share
        };
        return add(after(said, &["on"]), lock, Work::Builds);
    }
    let has_kind = |kind: &str| said.0.iter().take(5).any(|token| token.is_word(kind));
    if has_kind("table") {
        for at in 0..said.0.len() {
            if said.from(at).starts(&["references"]) {
                add(named(said.from(at + 1)), ShareRowExclusive, Work::Catalog);
            }
        }
        add(
            after(said, &["partition", "of"]),
            AccessExclusive,
            Work::Catalog,
        );
    } else if has_kind("trigger") {
        add(after(said, &["on"]), ShareRowExclusive, Work::Catalog);
    } else if has_kind("policy") {
        add(after(said, &["on"]), AccessExclusive, Work::Catalog);
    } else if has_kind("rule") {
        add(after(said, &["to"]), AccessExclusive, Work::Catalog);
    } else if has_kind("statistics") {
        add(after(said, &["from"]), ShareUpdateExclusive, Work::Catalog);
    } else if said.starts(&["create", "or", "replace", "view"]) {
        add(after(said, &["view"]), AccessExclusive, Work::Catalog);
    }
}

fn drops(said: Said<'_, '_>, add: &mut impl FnMut(String, LockMode, Work)) {
    let rest = said.from(1);
    if rest.starts(&["index", "concurrently"]) {
        add(named(rest.from(2)), ShareUpdateExclusive, Work::Catalog);
    } else if rest.starts(&["policy"]) || rest.starts(&["trigger"]) || rest.starts(&["rule"]) {
        add(after(rest, &["on"]), AccessExclusive, Work::Catalog);
    } else if ["table", "index", "view", "sequence"]
        .iter()
        .any(|kind| rest.starts(&[kind]))
    {
        for one in rest.from(1).skip_words(&SKIPPED).actions() {
            add(one.name(), AccessExclusive, Work::Catalog);
        }
    } else if rest.starts(&["materialized", "view"]) {
        add(named(rest.from(2)), AccessExclusive, Work::Catalog);
    }
}

fn others(said: Said<'_, '_>, add: &mut impl FnMut(String, LockMode, Work)) {
    maintains(said, add);
    let starts = |word: &str| said.starts(&[word]);
    if starts("truncate") {
        for one in said.from(1).skip_words(&SKIPPED).actions() {
            add(
                one.skip_words(&SKIPPED).name(),
                AccessExclusive,
                Work::Catalog,
            );
        }
    } else if starts("lock") {
        add(named(said.from(1)), lock_of(said), Work::Catalog);
    } else if said.starts(&["comment", "on", "table"]) || said.starts(&["comment", "on", "column"])
    {
        add(table_of_comment(said), ShareUpdateExclusive, Work::Catalog);
    } else if starts("copy") {
        let lock = if said.has(&["from"]) {
            RowExclusive
        } else {
            AccessShare
        };
        add(said.from(1).name(), lock, Work::Rows);
    }
    writes(said, add);
}

/// What keeps tables in good order.
fn maintains(said: Said<'_, '_>, add: &mut impl FnMut(String, LockMode, Work)) {
    let starts = |word: &str| said.starts(&[word]);
    let rest = past_options(said.from(1));
    if starts("vacuum") {
        let rest = past_options(
            said.from(1)
                .skip_words(&["full", "freeze", "verbose", "analyze"]),
        );
        let (lock, work) = match said.has(&["full"]) {
            true => (AccessExclusive, Work::Rewrites),
            false => (ShareUpdateExclusive, Work::Scans),
        };
        add(rest.name(), lock, work);
    } else if starts("cluster") {
        add(
            rest.skip_words(&["verbose"]).name(),
            AccessExclusive,
            Work::Rewrites,
        );
    } else if starts("analyze") {
        add(
            rest.skip_words(&["verbose"]).name(),
            ShareUpdateExclusive,
            Work::Scans,
        );
    } else if starts("reindex") {
        let kinds = ["table", "index", "schema", "database", "concurrently"];
        let lock = match said.has(&["concurrently"]) {
            true => ShareUpdateExclusive,
            false => Share,
        };
        add(rest.skip_words(&kinds).name(), lock, Work::Builds);
    } else if said.starts(&["refresh", "materialized", "view"]) {
        let lock = match said.has(&["view", "concurrently"]) {
            true => Exclusive,
            false => AccessExclusive,
        };
        add(named(said.from(3)), lock, Work::Rewrites);
    }
}

/// What writes rows, at the start and in `WITH`.
fn writes(said: Said<'_, '_>, add: &mut impl FnMut(String, LockMode, Work)) {
    for at in 0..said.0.len() {
        let here = said.from(at);
        let into = here.starts(&["insert", "into"])
            || here.starts(&["delete", "from"])
            || here.starts(&["merge", "into"]);
        if into {
            add(named(here.from(2)), RowExclusive, Work::Rows);
        }
        let opens = at == 0 || said.0[at - 1].is_symbol("(");
        if opens && here.starts(&["update"]) {
            add(named(here.from(1)), RowExclusive, Work::Rows);
        }
    }
}

/// Behind `(option, …)`.
fn past_options<'t, 'a>(said: Said<'t, 'a>) -> Said<'t, 'a> {
    if !said.0.first().is_some_and(|token| token.is_symbol("(")) {
        return said;
    }
    let close = said.0.iter().position(|token| token.is_symbol(")"));
    said.from(close.map_or(0, |at| at + 1))
}

fn table_of_comment(said: Said<'_, '_>) -> String {
    let name = said.from(3).name();
    match said.has(&["on", "column"]) {
        true => name
            .rsplit_once('.')
            .map_or_else(String::new, |(table, _)| table.to_owned()),
        false => name,
    }
}

fn lock_of(said: Said<'_, '_>) -> LockMode {
    let modes: [(&[&str], LockMode); 7] = [
        (&["access", "share"], AccessShare),
        (&["row", "share"], LockMode::RowShare),
        (&["share", "row", "exclusive"], ShareRowExclusive),
        (&["row", "exclusive"], RowExclusive),
        (&["share", "update", "exclusive"], ShareUpdateExclusive),
        (&["access", "exclusive"], AccessExclusive),
        (&["in", "share"], Share),
    ];
    let known = modes.iter().find(|(words, _)| said.has(words));
    let exclusive = || {
        if said.has(&["in", "exclusive"]) {
            Exclusive
        } else {
            AccessExclusive
        }
    };
    known.map_or_else(exclusive, |(_, mode)| *mode)
}

fn alter(said: Said<'_, '_>, add: &mut impl FnMut(String, LockMode, Work)) {
    if said.starts(&["alter", "index"]) {
        return add(named(said.from(2)), ShareUpdateExclusive, Work::Catalog);
    }
    if said.starts(&["alter", "policy"]) || said.starts(&["alter", "trigger"]) {
        return add(after(said, &["on"]), AccessExclusive, Work::Catalog);
    }
    let is_table = said.starts(&["alter", "table"])
        || said.starts(&["alter", "materialized", "view"])
        || said.starts(&["alter", "view"]);
    if !is_table {
        return;
    }
    let rest = said.from(2).skip_words(&SKIPPED);
    let table = rest.name();
    // Past the name, whose parts are words too.
    let words = table.matches('.').count() * 2 + 1;
    let (mut lock, mut works) = (AccessShare, Vec::new());
    for action in rest.from(words).skip_words(&["*"]).actions() {
        let (one, work) = of_action(action);
        lock = lock.max(one);
        works.push(work);
        if let Some(other) = action.after(&["references"]) {
            add(other.name(), ShareRowExclusive, Work::Catalog);
        }
        for words in [["attach", "partition"], ["detach", "partition"]] {
            add(after(action, &words), AccessExclusive, Work::Catalog);
        }
    }
    let order = [Work::Rewrites, Work::Builds, Work::Scans];
    let work = order
        .into_iter()
        .find(|work| works.contains(work))
        .unwrap_or(Work::Catalog);
    add(table, lock, work);
}

/// The lock of an action of `ALTER TABLE` on the table itself.
fn of_action(action: Said<'_, '_>) -> (LockMode, Work) {
    let has = |words: &[&str]| action.has(words);
    if action.starts(&["validate"]) {
        return (ShareUpdateExclusive, Work::Scans);
    }
    if let Some(found) = of_add(action) {
        return found;
    }
    if is_gentle(action) {
        return (ShareUpdateExclusive, Work::Catalog);
    }
    let switches = action.starts(&["enable"]) || action.starts(&["disable"]);
    if switches && has(&["trigger"]) {
        return (ShareRowExclusive, Work::Catalog);
    }
    let moves = ["logged", "unlogged", "tablespace", "access"];
    let rewrites =
        moves.iter().any(|word| has(&["set", word])) || action.starts(&["alter"]) && has(&["type"]);
    let work = match (rewrites, has(&["set", "not", "null"])) {
        (true, _) => Work::Rewrites,
        (false, true) => Work::Scans,
        (false, false) => Work::Catalog,
    };
    (AccessExclusive, work)
}

/// That of `ADD`, where it is more than an entry in the catalog.
fn of_add(action: Said<'_, '_>) -> Option<(LockMode, Work)> {
    action.starts(&["add"]).then_some(())?;
    let has = |words: &[&str]| action.has(words);
    let scans = match has(&["not", "valid"]) {
        true => Work::Catalog,
        false => Work::Scans,
    };
    let is_named = has(&["constraint"]);
    if !has(&["column"]) && (has(&["foreign"]) || has(&["references"]) && is_named) {
        return Some((ShareRowExclusive, scans));
    }
    if has(&["unique"]) || has(&["primary"]) || has(&["exclude"]) {
        let work = match has(&["using", "index"]) {
            true => Work::Catalog,
            false => Work::Builds,
        };
        return Some((AccessExclusive, work));
    }
    if has(&["check"]) && (is_named || action.starts(&["add", "check"])) {
        return Some((AccessExclusive, scans));
    }
    super::gate::rewrites_on_add(action).then_some((AccessExclusive, Work::Rewrites))
}

/// Actions beside which readers and writers go on.
fn is_gentle(action: Said<'_, '_>) -> bool {
    let sets_options =
        action.starts(&["set"]) && action.0.get(1).is_some_and(|token| token.is_symbol("("));
    let starts = ["reset", "cluster", "attach"]
        .iter()
        .any(|word| action.starts(&[word]));
    sets_options
        || starts
        || action.starts(&["alter"]) && action.has(&["set", "statistics"])
        || action.starts(&["detach"]) && action.has(&["concurrently"])
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A relation, its lock, and what is done meanwhile.
    type Told = (&'static str, LockMode, Work);

    /// Statements, and what is told of each.
    const CASES: &[(&str, &[Told])] = &[
        (
            "alter table s.t add column a int",
            &[("s.t", AccessExclusive, Work::Catalog)],
        ),
        (
            "alter table t alter a type bigint, add b int",
            &[("t", AccessExclusive, Work::Rewrites)],
        ),
        (
            "alter table t validate constraint c",
            &[("t", ShareUpdateExclusive, Work::Scans)],
        ),
        (
            "alter table t add constraint f foreign key (a) references u not valid",
            &[
                ("u", ShareRowExclusive, Work::Catalog),
                ("t", ShareRowExclusive, Work::Catalog),
            ],
        ),
        (
            "create index concurrently i on t (a)",
            &[("t", ShareUpdateExclusive, Work::Builds)],
        ),
        (
            "create unique index i on only s.t (a)",
            &[("s.t", Share, Work::Builds)],
        ),
        ("vacuum (full) t", &[("t", AccessExclusive, Work::Rewrites)]),
        (
            "with x as (delete from a returning *) insert into b select * from x",
            &[
                ("a", RowExclusive, Work::Rows),
                ("b", RowExclusive, Work::Rows),
            ],
        ),
        (
            "drop table if exists a, s.b",
            &[
                ("a", AccessExclusive, Work::Catalog),
                ("s.b", AccessExclusive, Work::Catalog),
            ],
        ),
        (
            "lock table t in share row exclusive mode",
            &[("t", ShareRowExclusive, Work::Catalog)],
        ),
        (
            "create function f() returns int language sql as 'select 1'",
            &[],
        ),
        (
            "create table c (i int references t)",
            &[("t", ShareRowExclusive, Work::Catalog)],
        ),
    ];

    #[test]
    fn locks_and_work_are_told_by_the_text() {
        for (text, expected) in CASES {
            let found = effects(text);
            let found: Vec<_> = found
                .iter()
                .map(|one| (one.relation.as_str(), one.lock, one.work))
                .collect();
            assert_eq!(found, *expected, "{text}");
        }
    }
}
