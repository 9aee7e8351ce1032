//! What happens to rows.

use super::rule;
use super::said::Said;
use super::{Hit, Made};

pub(super) fn judge(said: Said<'_, '_>, made: &Made, hits: &mut Vec<Hit>) {
    let mut push = |rule, object: String| {
        // What the migration has just made holds nothing of anybody's.
        if !made.is_new("table", &object) || object.is_empty() {
            hits.push(Hit { rule, object });
        }
    };
    if said.starts(&["truncate"]) {
        for one in said.from(1).skip_words(&["table"]).actions() {
            push(rule::TRUNCATE, one.skip_words(&["only"]).name());
        }
    }
    for at in 0..said.0.len() {
        let here = said.from(at);
        if here.starts(&["delete", "from"]) && is_all(here.from(2)) {
            push(rule::DELETE_ALL, here.from(2).skip_words(&["only"]).name());
        }
        let opens = at == 0
            || !said.0[at - 1].text.chars().all(char::is_alphanumeric)
            || said.from(at - 1).starts(&["explain"]);
        if here.starts(&["update"])
            && (opens || said.starts(&["with"]))
            && !here.starts(&["update", "set"])
            && sets(here.from(1))
        {
            let rest = here.from(1).skip_words(&["only"]);
            if rest.clause("set").is_some_and(is_all) {
                push(rule::UPDATE_ALL, rest.name());
            }
        }
    }
    if said.starts(&["merge"])
        && said
            .after(&["then"])
            .is_some_and(|_| said.has(&["then", "delete"]))
    {
        push(
            rule::DELETE_ALL,
            said.from(1).skip_words(&["into", "only"]).name(),
        );
    }
    if said.starts(&["copy"]) && (said.has(&["program"]) || names_a_file(said)) {
        push(rule::FILE_COPY, said.from(1).name());
    }
}

/// Whether a name and `SET` come, as in an `UPDATE`, and not in `FOR UPDATE` or `ON UPDATE`.
fn sets(rest: Said<'_, '_>) -> bool {
    let set = rest.0.iter().take(8).position(|token| token.is_word("set"));
    set.is_some_and(|at| at > 0)
}

/// Whether no condition follows, or one that is always true.
fn is_all(rest: Said<'_, '_>) -> bool {
    match rest.clause("where") {
        None => true,
        Some(condition) => {
            let texts: Vec<String> = condition
                .0
                .iter()
                .take(4)
                .map(|token| token.text.to_ascii_lowercase())
                .collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            matches!(
                texts[..],
                ["true"]
                    | ["true", ";" | ")" | "returning", ..]
                    | ["1", "=", "1"]
                    | ["1", "=", "1", ";" | ")" | "returning"]
            )
        }
    }
}

fn names_a_file(said: Said<'_, '_>) -> bool {
    let next = |word: &str| said.clause(word).and_then(|rest| rest.0.first());
    let is_text = |token: &super::super::lexer::Token<'_>| {
        token.kind == super::super::lexer::TokenKind::String
    };
    next("from").is_some_and(is_text) || next("to").is_some_and(is_text)
}
