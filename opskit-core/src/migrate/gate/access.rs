//! Who may do what.

use super::Hit;
use super::rule;
use super::said::Said;

/// Whom a grant to is one to everybody.
const EVERYBODY: [&str; 2] = ["public", "anon"];

pub(super) fn judge(said: Said<'_, '_>, hits: &mut Vec<Hit>) {
    let mut push = |rule, object: String| hits.push(Hit { rule, object });
    let grants = said.starts(&["grant"])
        || said.starts(&["alter", "default", "privileges"]) && said.has(&["grant"]);
    if grants && is_to_everybody(said) && !grants_harmless(said) {
        push(
            rule::GRANT_WIDE,
            said.after(&["on"])
                .map(|on| {
                    on.skip_words(&["table", "schema", "all", "tables", "in"])
                        .name()
                })
                .unwrap_or_default(),
        );
    }
    if said.starts(&["revoke"]) {
        push(
            rule::REVOKE,
            said.after(&["on"]).map(Said::name).unwrap_or_default(),
        );
    }
    let is_role = ["role", "user", "group"]
        .iter()
        .any(|word| said.starts(&["alter", word]) || said.starts(&["create", word]));
    if is_role && said.has_any(&["superuser", "bypassrls"]) {
        push(rule::GRANT_ROLE, said.from(2).name());
    }
    if said.starts(&["create", "policy"]) || said.starts(&["alter", "policy"]) {
        policy(said, &mut push);
    }
    functions(said, &mut push);
    settings(said, &mut push);
    if said.starts(&["create"]) && said.has(&["view"]) && said.has(&["auth"]) {
        let reads_auth = said
            .0
            .windows(2)
            .any(|pair| pair[0].is_word("auth") && pair[1].is_symbol("."));
        if reads_auth && !said.has(&["security_invoker"]) {
            push(
                rule::AUTH_VIEW,
                said.after(&["view"])
                    .map(|rest| rest.skip_words(&["if", "not", "exists"]).name())
                    .unwrap_or_default(),
            );
        }
    }
}

fn is_to_everybody(said: Said<'_, '_>) -> bool {
    let to = said.0.iter().rposition(|token| token.is_word("to"));
    to.is_some_and(|at| {
        said.from(at)
            .0
            .iter()
            .any(|token| EVERYBODY.contains(&token.value().as_ref()))
    })
}

/// The right to name what is in a schema gives nothing of it.
fn grants_harmless(said: Said<'_, '_>) -> bool {
    said.starts(&["grant", "usage", "on", "schema"])
}

fn policy(said: Said<'_, '_>, push: &mut impl FnMut(rule::Rule, String)) {
    let name = said.after(&["policy"]).map(Said::name).unwrap_or_default();
    let open = ["using", "check"].iter().any(|word| {
        said.after(&[word]).is_some_and(|rest| {
            let texts: Vec<&str> = rest.0.iter().take(3).map(|token| token.text).collect();
            matches!(texts[..], ["(", word, ")"] if word.eq_ignore_ascii_case("true"))
        })
    });
    let of_service = said.has(&["to", "service_role"]);
    let reads_only = said.has(&["for", "select"])
        && said.starts(&["create"])
        && !is_to_everybody_or_nobody(said);
    if open && !of_service && !reads_only {
        push(rule::POLICY_OPEN, name.clone());
    }
    if said.starts(&["alter"]) && !said.has(&["rename", "to"]) {
        push(rule::POLICY_CHANGED, name);
    }
}

/// A policy without TO is one for everybody.
fn is_to_everybody_or_nobody(said: Said<'_, '_>) -> bool {
    !said.has(&["to"]) || is_to_everybody(said)
}

fn functions(said: Said<'_, '_>, push: &mut impl FnMut(rule::Rule, String)) {
    let is_function = said.has_any(&["function", "procedure", "routine"])
        && (said.starts(&["create"]) || said.starts(&["alter"]));
    if is_function && said.has(&["security", "definer"]) && !said.has(&["set", "search_path"]) {
        let name = ["function", "procedure", "routine"]
            .iter()
            .find_map(|word| said.after(&[word]));
        push(rule::DEFINER, name.map(Said::name).unwrap_or_default());
    }
    if is_function && said.has(&["reset", "search_path"]) {
        push(rule::DEFINER, String::new());
    }
}

fn settings(said: Said<'_, '_>, push: &mut impl FnMut(rule::Rule, String)) {
    let sets = said.starts(&["set"]) || said.starts(&["alter"]) || said.has(&["set_config"]);
    let names = |name: &str| {
        said.0
            .iter()
            .any(|token| token.value().eq_ignore_ascii_case(name))
    };
    if sets && names("session_replication_role") && !names("origin") {
        push(rule::REPLICA_ROLE, String::new());
    }
    if said.starts(&["alter", "system"]) {
        push(rule::SYSTEM, String::new());
    }
    if sets && names("row_security") && names("off") && said.starts(&["alter"]) {
        push(rule::RLS_OFF, String::new());
    }
}
