//! What goes.

use super::rule::{self, Rule};
use super::said::Said;
use super::{Hit, Made};

pub(super) fn judge(said: Said<'_, '_>, made: &Made, hits: &mut Vec<Hit>) {
    if !said.starts(&["drop"]) {
        return;
    }
    let rest = said.from(1);
    let found = kind(rest);
    if let Some((rule, words)) = found {
        let named = rest
            .from(words)
            .skip_words(&["if", "exists", "concurrently"]);
        let kind = rest
            .0
            .get(words - 1)
            .map(|token| token.text.to_ascii_lowercase());
        for object in named.actions().into_iter().map(Said::name) {
            // What the migration has made itself is nothing that anybody loses.
            if !made.is_new(kind.as_deref().unwrap_or_default(), &object) {
                hits.push(Hit { rule, object });
            }
        }
    }
    if said.has(&["cascade"]) {
        hits.push(Hit {
            rule: rule::DROP_CASCADE,
            object: String::new(),
        });
    }
}

/// The rule, and how many words tell it.
fn kind(rest: Said<'_, '_>) -> Option<(Rule, usize)> {
    let kinds: [(&[&str], Rule); 14] = [
        (&["table"], rule::DROP_TABLE),
        (&["foreign", "table"], rule::DROP_TABLE),
        (&["schema"], rule::DROP_SCHEMA),
        (&["database"], rule::DROP_DATABASE),
        (&["owned", "by"], rule::DROP_OWNED),
        (&["policy"], rule::DROP_POLICY),
        (&["trigger"], rule::DROP_TRIGGER),
        (&["event", "trigger"], rule::DROP_TRIGGER),
        (&["rule"], rule::DROP_TRIGGER),
        (&["role"], rule::DROP_ROLE),
        (&["user"], rule::DROP_ROLE),
        (&["group"], rule::DROP_ROLE),
        (&["materialized", "view"], rule::DROP_OBJECT),
        (&["index"], rule::INDEX_DROP),
    ];
    if rest.starts(&["index", "concurrently"]) {
        return None;
    }
    let known = kinds.iter().find(|(words, _)| rest.starts(words));
    let known = known.map(|(words, rule)| (*rule, words.len()));
    // Whatever it is, it goes.
    known.or(Some((rule::DROP_OBJECT, 1)).filter(|_| !rest.0.is_empty()))
}
