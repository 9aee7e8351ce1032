//! The gate: statements that lose rows, weaken access or make others wait, found in the text of migrations.
//!
//! Text says much and not all: what a function does that was there before is not in it. The gate looks into `DO` blocks,
//! bodies of functions and literals that are executed; for the rest a rehearsal judges by what happened.

mod access;
mod alter;
mod drops;
mod rows;
mod rule;
mod said;

pub use rule::{Danger, RULES, Rule};

use super::files::Migration;
use super::lexer::{Token, TokenKind, tokens};
use super::script::{Script, Statement};
use crate::error::{Error, ErrorKind, Result};
pub(super) use alter::rewrites_on_add;
pub(super) use said::Said;
use serde::Serialize;
use std::collections::HashSet;

/// A statement that somebody should have meant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Finding {
    /// The rule.
    #[serde(flatten)]
    pub rule: Rule,
    /// What it is about, where the text names it.
    pub object: String,
    /// The file.
    pub file: String,
    /// The first line of the statement.
    pub line: usize,
    /// The reason in `-- opskit: allow RULE "reason"` above the statement, where there is one.
    pub allowed: Option<String>,
}

/// How deep bodies within bodies are looked into.
const DEPTH_MAX: usize = 8;

/// What the gate finds in a migration.
///
/// ```
/// use opskit_core::migrate::{Migrations, findings};
/// let files = [("1_x.sql", "do $$ begin delete from orders; end $$;\n-- opskit: allow truncate \"only a cache\"\ntruncate cache")];
/// let migrations = Migrations::embedded(files)?;
/// let found = findings(migrations.iter().next().unwrap())?;
/// let rules: Vec<_> = found.iter().map(|found| (found.rule.id, found.allowed.as_deref())).collect();
/// assert_eq!(rules, [("delete-all", None), ("truncate", Some("only a cache"))]);
/// # Ok::<(), opskit_core::Error>(())
/// ```
///
/// # Errors
/// Of kind `InvalidInput` for an `allow` that names no rule, or gives no reason.
pub fn findings(migration: &Migration) -> Result<Vec<Finding>> {
    let script = &migration.script;
    let mut made = Made::default();
    let mut found = Vec::new();
    for statement in script.statements() {
        let allowed = allowed(script, statement, &migration.file)?;
        let mut hits = Vec::new();
        look(script.text_of(statement), &mut made, &mut hits, 0);
        hits.dedup();
        for Hit { rule, object } in hits {
            let reason = allowed.iter().find(|(id, _)| id == rule.id);
            found.push(Finding {
                rule,
                object,
                file: migration.file.clone(),
                line: statement.line,
                allowed: reason.map(|(_, reason)| reason.clone()),
            });
        }
    }
    // What is made again in the same migration was replaced.
    found.retain(|one| !(is_replaceable(one.rule) && made.names.contains(&one.object)));
    Ok(found)
}

/// Something that a rule found.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Hit {
    rule: Rule,
    object: String,
}

/// What the migration itself makes: filling, locking or dropping that hurts nobody.
#[derive(Debug, Default)]
struct Made {
    /// What was surely not there before: its kind and its name.
    new: HashSet<(String, String)>,
    /// Whatever is there behind it.
    names: HashSet<String>,
}

impl Made {
    /// Whether something of that name is new, whatever it is.
    fn has_new(&self, object: &str) -> bool {
        self.new.iter().any(|(_, name)| name == object)
    }

    fn is_new(&self, kind: &str, object: &str) -> bool {
        self.new.contains(&(kind.to_owned(), object.to_owned()))
    }
}

fn is_replaceable(rule: Rule) -> bool {
    [
        rule::DROP_OBJECT,
        rule::DROP_POLICY,
        rule::DROP_TRIGGER,
        rule::DROP_CONSTRAINT,
    ]
    .contains(&rule)
}

/// Looks at one statement, and into what it brings along.
fn look(text: &str, made: &mut Made, hits: &mut Vec<Hit>, depth: usize) {
    let all: Vec<Token<'_>> = tokens(text).collect();
    let said = Said(&all);
    judge(said, made, hits);
    if depth >= DEPTH_MAX {
        return;
    }
    if said.starts(&["do"]) || said.starts(&["create"]) && said.has_any(&["function", "procedure"])
    {
        let bodies = all.iter().filter(|token| is_text(token));
        for body in bodies {
            look_into(&body.value(), made, hits, depth + 1);
        }
    }
}

/// Looks at the statements of a body, of whatever language: they begin where one ended, or behind a word that opens a
/// block.
fn look_into(body: &str, made: &mut Made, hits: &mut Vec<Hit>, depth: usize) {
    let all: Vec<Token<'_>> = tokens(body).collect();
    let opens = |token: &Token<'_>| {
        token.is_symbol(";")
            || ["begin", "then", "else", "loop", "atomic"]
                .iter()
                .any(|word| token.is_word(word))
    };
    for piece in all.split(opens) {
        let said = Said(piece);
        judge(said, made, hits);
        if said.starts(&["execute"]) && depth < DEPTH_MAX {
            executed(said, made, hits, depth);
        }
    }
}

/// Looks into the literals of an `EXECUTE`. Where it has none, nobody can tell what it runs.
fn executed(said: Said<'_, '_>, made: &mut Made, hits: &mut Vec<Hit>, depth: usize) {
    let literals: Vec<String> = said
        .0
        .iter()
        .filter(|token| is_text(token))
        .map(|token| token.value().into_owned())
        .collect();
    if literals.is_empty() {
        hits.push(Hit {
            rule: rule::DYNAMIC,
            object: String::new(),
        });
    }
    for literal in literals {
        look_into(&literal, made, hits, depth + 1);
    }
}

fn is_text(token: &Token<'_>) -> bool {
    matches!(token.kind, TokenKind::String | TokenKind::DollarBody)
}

fn judge(said: Said<'_, '_>, made: &mut Made, hits: &mut Vec<Hit>) {
    let before = hits.len();
    remember(said, made);
    drops::judge(said, made, hits);
    // What goes is there again only when it is made behind this.
    for hit in &hits[before..] {
        made.names.remove(&hit.object);
    }
    rows::judge(said, made, hits);
    alter::judge(said, made, hits);
    access::judge(said, hits);
    // The last rules are the special ones, and one statement is told once by each.
    let mut seen = HashSet::new();
    let mut at = 0;
    hits.retain(|hit| {
        at += 1;
        at <= before || seen.insert((hit.rule.id, hit.object.clone()))
    });
}

/// Remembers the names that a statement makes.
fn remember(said: Said<'_, '_>, made: &mut Made) {
    if !said.starts(&["create"]) {
        return;
    }
    let kinds = [
        "table",
        "view",
        "function",
        "procedure",
        "type",
        "domain",
        "trigger",
        "policy",
        "sequence",
        "index",
        "rule",
        "aggregate",
        "schema",
        "extension",
    ];
    let is_kind = |token: &Token<'_>| kinds.iter().any(|kind| token.is_word(kind));
    let kind = said.0.iter().take(6).position(is_kind);
    if let Some(at) = kind {
        let rest = said
            .from(at + 1)
            .skip_words(&["if", "not", "exists", "concurrently"]);
        let head = Said(&said.0[..at]);
        let may_be_old = head.has(&["or", "replace"])
            || said
                .from(at + 1)
                .skip_words(&["concurrently"])
                .starts(&["if", "not"]);
        if !may_be_old {
            let kind = said.0[at].text.to_ascii_lowercase();
            made.new.insert((kind, rest.name()));
        }
        made.names.insert(rest.name());
    }
}

/// The `-- opskit: allow RULE "reason"` lines above a statement.
fn allowed(script: &Script, statement: &Statement, file: &str) -> Result<Vec<(String, String)>> {
    let mut allowed = Vec::new();
    for line in script.comments_of(statement).lines() {
        let Some(rest) = line.trim().strip_prefix("-- opskit: allow") else {
            continue;
        };
        let refused = |what: String| {
            Err(Error::new(
                ErrorKind::InvalidInput,
                format!("{what} above {file}:{}", statement.line),
            )
            .with_hint("Write: -- opskit: allow RULE \"reason\""))
        };
        let rest = rest.trim();
        let (id, reason) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
        let reason = reason.trim().trim_matches('"').trim();
        if !RULES.iter().any(|rule| rule.id == id) {
            return refused(format!("there is no rule \"{id}\" to allow"));
        }
        if reason.is_empty() {
            return refused(format!("\"allow {id}\" gives no reason"));
        }
        allowed.push((id.to_owned(), reason.to_owned()));
    }
    Ok(allowed)
}
