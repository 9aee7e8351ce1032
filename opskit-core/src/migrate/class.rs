//! What a statement means for a transaction block.

use super::lexer::TokenKind;
use super::words::Words;

/// How a statement goes with a transaction block.
///
/// ```
/// use opskit_core::migrate::TransactionUse;
/// assert_eq!(TransactionUse::of("create table t ()"), TransactionUse::Anywhere);
/// assert_eq!(TransactionUse::of("VACUUM t"), TransactionUse::Outside);
/// assert_eq!(TransactionUse::of("commit"), TransactionUse::Ends);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TransactionUse {
    /// Runs within a block and without one.
    Anywhere,
    /// The server refuses it within a block.
    Outside,
    /// Runs within a block, but what it makes is of use only after the block: a new value of an enum.
    UsableLater,
    /// Starts a block; also what ends one and starts the next (`AND CHAIN`).
    Begins,
    /// Ends a block, or a prepared transaction.
    Ends,
    /// Works on the block that it is in: savepoints and `SET TRANSACTION`.
    Within,
}

impl TransactionUse {
    /// Reads the first words of a statement, and its options where they matter.
    ///
    /// What depends on the database is not seen: `REINDEX TABLE` and `CLUSTER` refuse blocks for partitioned
    /// tables only, `CALL` and `DO` for code that commits. Where an option decides, its default counts.
    ///
    /// ```
    /// use opskit_core::migrate::TransactionUse;
    /// let of = TransactionUse::of;
    /// assert_eq!(of("create index concurrently on t (a)"), TransactionUse::Outside);
    /// assert_eq!(of("alter type mood add value 'calm'"), TransactionUse::UsableLater);
    /// assert_eq!(of("rollback to savepoint a"), TransactionUse::Within);
    /// ```
    #[must_use]
    pub fn of(sql: &str) -> Self {
        let mut words = Words::new(sql);
        let Some(first) = words.next().filter(|it| it.kind == TokenKind::Word) else {
            return Self::Anywhere;
        };
        match &*first.value() {
            "begin" => Self::Begins,
            "start" if words.next_is("transaction") => Self::Begins,
            "commit" | "end" | "rollback" | "abort" => ending(words),
            "prepare" => preparing(words),
            "savepoint" | "release" => Self::Within,
            "set" => setting(words),
            "vacuum" => Self::Outside,
            "alter" => altering(words),
            "create" => outside_if(creating(words)),
            "drop" => outside_if(dropping(words)),
            "reindex" => outside_if(reindexing(words)),
            "cluster" => outside_if(clustering(words)),
            "discard" => outside_if(words.next_is("all")),
            _ => Self::Anywhere,
        }
    }
}

fn outside_if(is_outside: impl Into<Option<bool>>) -> TransactionUse {
    match is_outside.into() {
        Some(true) => TransactionUse::Outside,
        _ => TransactionUse::Anywhere,
    }
}

fn ending(mut words: Words<'_>) -> TransactionUse {
    if words.next_is("prepared") {
        return TransactionUse::Ends;
    }
    words.next_of(&["work", "transaction"]);
    if words.next_is("to") {
        TransactionUse::Within
    } else if words.next_are(&["and", "chain"]) {
        TransactionUse::Begins
    } else {
        TransactionUse::Ends
    }
}

/// A prepared statement may have the name `transaction` too.
fn preparing(mut words: Words<'_>) -> TransactionUse {
    let is_transaction = words.next_is("transaction");
    let is_string = words.peek().is_some_and(|it| it.kind == TokenKind::String);
    match is_transaction && is_string {
        true => TransactionUse::Ends,
        false => TransactionUse::Anywhere,
    }
}

fn setting(mut words: Words<'_>) -> TransactionUse {
    words.next_of(&["local", "session"]);
    match words.next_is("transaction") {
        true => TransactionUse::Within,
        false => TransactionUse::Anywhere,
    }
}

fn creating(mut words: Words<'_>) -> Option<bool> {
    if words.next_of(&["database", "tablespace"]).is_some() {
        return Some(true);
    }
    if words.next_is("subscription") {
        return Some(!is_off(words.clone(), "connect") && !is_off(words, "create_slot"));
    }
    words.next_is("unique");
    Some(words.next_are(&["index", "concurrently"]))
}

fn dropping(mut words: Words<'_>) -> Option<bool> {
    // A subscription without a slot could be dropped within a block: nobody sees that here.
    let whole = ["database", "tablespace", "subscription"];
    Some(words.next_of(&whole).is_some() || words.next_are(&["index", "concurrently"]))
}

fn reindexing(mut words: Words<'_>) -> Option<bool> {
    let options = words.parenthesized();
    if options.is_some_and(|options| is_on(options, "concurrently")) {
        return Some(true);
    }
    let kind = words.next_of(&["database", "system", "schema", "table", "index"])?;
    Some(!matches!(kind, "table" | "index") || words.next_is("concurrently"))
}

/// Without a table it is about all of them, each in a transaction of its own.
fn clustering(mut words: Words<'_>) -> Option<bool> {
    words.parenthesized();
    words.next_is("verbose");
    Some(words.peek().is_none())
}

fn altering(mut words: Words<'_>) -> TransactionUse {
    match words.next_of(&["system", "database", "table", "type", "subscription"]) {
        Some("system") => TransactionUse::Outside,
        Some("database") => {
            words.name();
            outside_if(words.next_are(&["set", "tablespace"]))
        }
        Some("table") => outside_if(detaching(words)),
        Some("type") => {
            words.name();
            match words.next_are(&["add", "value"]) {
                true => TransactionUse::UsableLater,
                false => TransactionUse::Anywhere,
            }
        }
        Some(_) => outside_if(subscribing(words)),
        None => TransactionUse::Anywhere,
    }
}

fn detaching(mut words: Words<'_>) -> Option<bool> {
    words.next_are(&["if", "exists"]);
    words.next_is("only");
    words.name()?;
    words.next_symbol("*");
    if !words.next_are(&["detach", "partition"]) {
        return None;
    }
    words.name()?;
    Some(words.next_is("concurrently"))
}

/// What asks the publisher, or changes the slot there.
fn subscribing(mut words: Words<'_>) -> Option<bool> {
    words.name()?;
    if words.next_is("refresh") {
        return Some(true);
    }
    if words.next_of(&["set", "add", "drop"])? == "set"
        && let Some(options) = words.parenthesized()
    {
        let mut names = options;
        return Some(names.any(|it| it.is_word("failover") || it.is_word("two_phase")));
    }
    Some(words.next_is("publication") && !is_off(words, "refresh"))
}

/// Whether an option is given, and not as false.
fn is_on(words: Words<'_>, option: &str) -> bool {
    value_of(words, option).is_some_and(|value| !is_false(&value))
}

fn is_off(words: Words<'_>, option: &str) -> bool {
    value_of(words, option).is_some_and(|value| is_false(&value))
}

/// The value of an option; empty where it is only named.
fn value_of(mut words: Words<'_>, option: &str) -> Option<String> {
    words.find(|token| token.is_word(option))?;
    words.next_symbol("=");
    let value = words.next().filter(|token| token.kind != TokenKind::Symbol);
    Some(value.map_or_else(String::new, |token| token.value().to_ascii_lowercase()))
}

fn is_false(value: &str) -> bool {
    matches!(value, "false" | "off" | "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(wanted: TransactionUse, statements: &[&str]) {
        for sql in statements {
            assert_eq!(TransactionUse::of(sql), wanted, "{sql}");
            assert_eq!(TransactionUse::of(&sql.to_uppercase()), wanted, "{sql}");
        }
    }

    #[test]
    fn blocks() {
        check(
            TransactionUse::Begins,
            &[
                "begin",
                "begin work",
                "begin isolation level serializable",
                "start transaction read only",
                "commit and chain",
                "end work and chain",
                "rollback transaction and chain",
                "abort and chain",
            ],
        );
        check(
            TransactionUse::Ends,
            &[
                "commit",
                "commit work",
                "end",
                "rollback",
                "abort transaction",
                "commit and no chain",
                "prepare transaction 'a'",
                "commit prepared 'a'",
                "rollback prepared 'a'",
            ],
        );
        check(
            TransactionUse::Within,
            &[
                "savepoint a",
                "release a",
                "release savepoint a",
                "rollback to a",
                "rollback work to savepoint a",
                "set transaction read only",
                "set local transaction isolation level serializable",
            ],
        );
    }

    #[test]
    fn outside() {
        check(
            TransactionUse::Outside,
            &[
                "create index concurrently on t (a)",
                "create unique index concurrently if not exists i on t (a)",
                "drop index concurrently if exists i",
                "reindex index concurrently i",
                "reindex (verbose) database d",
                "reindex system",
                "reindex schema s",
                "reindex (concurrently) table t",
                "reindex (verbose, concurrently true) index i",
                "vacuum",
                "vacuum (full) t",
                "vacuum full t",
                "create database d",
                "drop database if exists d",
                "create tablespace t location '/x'",
                "drop tablespace t",
                "alter system set a = 1",
                "alter system reset all",
                "alter database d set tablespace t",
                "cluster",
                "cluster verbose",
                "cluster (verbose)",
                "alter table t detach partition p concurrently",
                "alter table if exists only s.t detach partition s.p concurrently",
                "discard all",
                "create subscription s connection 'x' publication p",
                "create subscription s connection 'x' publication p with (enabled = false)",
                "alter subscription s refresh publication",
                "alter subscription s set publication p",
                "alter subscription s add publication p with (copy_data = false)",
                "alter subscription s drop publication p",
                "alter subscription s set (failover = true)",
                "drop subscription s",
            ],
        );
    }

    #[test]
    fn anywhere() {
        check(
            TransactionUse::Anywhere,
            &[
                "",
                "select 1",
                "create index concurrently_made on t (a)",
                "create index \"concurrently\" on t (a)",
                "create table t ()",
                "drop index i",
                "drop table t",
                "reindex table t",
                "reindex index i",
                "reindex (concurrently false) table t",
                "reindex (concurrently off, verbose) index i",
                "analyze",
                "cluster t using i",
                "cluster verbose t",
                "cluster (verbose) t",
                "discard plans",
                "checkpoint",
                "alter database d set search_path = x",
                "alter database d rename to e",
                "alter table t add a int",
                "alter table t detach partition p",
                "alter table t detach partition p finalize",
                "refresh materialized view concurrently v",
                "prepare transaction as select 1",
                "prepare a as select 1",
                "create subscription s connection 'x' publication p with (connect = false)",
                "create subscription s connection 'x' publication p with (slot_name = none, create_slot = off)",
                "alter subscription s set publication p with (refresh = false)",
                "alter subscription s enable",
                "alter subscription s set (slot_name = none)",
                "alter subscription s connection 'x'",
                "alter type t add attribute a int",
                "alter type t rename value 'a' to 'b'",
                "set a = 1",
                "set session characteristics as transaction read only",
                "set constraints all deferred",
                "start",
                "(select 1)",
                "\"vacuum\"",
                "create view v as select 1",
                "alter tablespace t rename to u",
            ],
        );
        check(
            TransactionUse::UsableLater,
            &[
                "alter type s.t add value 'a'",
                "alter type \"t\" add value if not exists 'a' before 'b'",
            ],
        );
    }
}
