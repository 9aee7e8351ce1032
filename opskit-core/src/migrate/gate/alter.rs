//! What makes others wait, and what breaks those who know the old form.

use super::rule;
use super::said::Said;
use super::{Hit, Made};

/// Functions whose value is another one for each row.
const VOLATILE: [&str; 6] = [
    "gen_random_uuid",
    "uuid_generate_v4",
    "random",
    "clock_timestamp",
    "nextval",
    "uuidv7",
];

pub(super) fn judge(said: Said<'_, '_>, made: &Made, hits: &mut Vec<Hit>) {
    let mut push = |rule: rule::Rule, object: String| {
        // A table that was there all the same may be locked as one expects of a new one, but not lose what it holds.
        let is_new = match rule.danger {
            rule::Danger::Loses | rule::Danger::Weakens => made.has_new(&object),
            _ => made.names.contains(&object),
        };
        if !is_new || object.is_empty() {
            hits.push(Hit { rule, object });
        }
    };
    if said.starts(&["alter"]) {
        alter(said, &mut push);
    }
    let name = |words: &[&str]| {
        said.after(words)
            .map(|rest| rest.skip_words(&["only", "if", "not", "exists"]).name())
            .unwrap_or_default()
    };
    if said.starts(&["create", "index"]) || said.starts(&["create", "unique", "index"]) {
        if !said.has(&["index", "concurrently"]) {
            push(rule::INDEX, name(&["on"]));
        }
    } else if said.starts(&["reindex"]) && !said.has(&["concurrently"]) {
        push(rule::REINDEX, String::new());
    } else if said.starts(&["vacuum"]) && said.has(&["full"]) {
        push(rule::VACUUM_FULL, name(&["full"]));
    } else if said.starts(&["cluster"]) {
        push(rule::CLUSTER, name(&["cluster"]));
    } else if said.starts(&["lock"]) {
        push(
            rule::LOCK,
            said.from(1).skip_words(&["table", "only"]).name(),
        );
    } else if said.starts(&["refresh", "materialized", "view"])
        && !said.has(&["view", "concurrently"])
    {
        push(rule::REFRESH, name(&["view"]));
    }
    if said.starts(&["create", "unlogged"]) {
        // It holds nothing yet, and never will hold what lasts.
        let object = name(&["table"]);
        hits.push(Hit {
            rule: rule::UNLOGGED,
            object,
        });
    }
}

fn alter(said: Said<'_, '_>, push: &mut impl FnMut(rule::Rule, String)) {
    if said.has(&["owner", "to"]) {
        push(rule::OWNER, String::new());
    }
    if said.has(&["rename"])
        && !said.has(&["rename", "constraint"])
        && !said.starts(&["alter", "policy"])
        && !said.starts(&["alter", "index"])
    {
        push(
            rule::RENAME,
            said.from(2)
                .skip_words(&["if", "exists", "only", "view"])
                .name(),
        );
    }
    if said.has(&["set", "schema"]) {
        push(
            rule::SET_SCHEMA,
            said.from(2).skip_words(&["if", "exists", "only"]).name(),
        );
    }
    if said.has(&["drop", "attribute"]) {
        push(rule::DROP_COLUMN, said.from(2).name());
    }
    if said.starts(&["alter", "domain"]) && said.has(&["add"]) && !said.has(&["not", "valid"]) {
        push(rule::CONSTRAINT, said.from(2).name());
    }
    if said.has(&["drop", "constraint"]) && said.starts(&["alter", "domain"]) {
        push(rule::DROP_CONSTRAINT, said.from(2).name());
    }
    if said.starts(&["alter", "event", "trigger"]) && said.has(&["disable"]) {
        push(rule::TRIGGER_OFF, said.from(3).name());
    }
    if !said.starts(&["alter", "table"])
        && !said.starts(&["alter", "foreign", "table"])
        && !said.starts(&["alter", "materialized"])
    {
        return;
    }
    let rest = said
        .from(2)
        .skip_words(&["table", "view", "if", "exists", "only"]);
    let table = rest.name();
    for action in rest.actions() {
        // The first stands behind the name.
        let verbs = [
            "add", "drop", "alter", "set", "disable", "enable", "no", "detach", "replica",
        ];
        let at = action
            .0
            .iter()
            .position(|token| verbs.iter().any(|verb| token.is_word(verb)));
        if let Some(at) = at {
            for rule in of_action(action.from(at)) {
                push(rule, table.clone());
            }
        }
    }
}

/// The rules that an action of `ALTER TABLE` meets.
fn of_action(action: Said<'_, '_>) -> Vec<rule::Rule> {
    let alters = action.starts(&["alter"]);
    let adds = action.starts(&["add"]);
    let is_constraint = adds && action.has_any(&["constraint", "check", "foreign", "references"]);
    let adds_key = adds && action.has_any(&["unique", "primary", "exclude"]);
    let adds_column = adds && !is_column_less(action);
    let drops = action.starts(&["drop"]) && !is_column_less(action);
    let disables = action.starts(&["disable"]);
    let checks = [
        (drops, rule::DROP_COLUMN),
        (
            action.starts(&["drop", "constraint"]),
            rule::DROP_CONSTRAINT,
        ),
        (action.starts(&["drop", "expression"]), rule::DROP_OBJECT),
        (
            alters && action.has_any(&["type"]) && !action.has(&["set", "storage"]),
            rule::COLUMN_TYPE,
        ),
        (
            alters && action.has(&["set", "not", "null"]),
            rule::NOT_NULL,
        ),
        (
            is_constraint && !adds_key && !action.has(&["not", "valid"]) && !adds_column,
            rule::CONSTRAINT,
        ),
        (adds_key && !action.has(&["using", "index"]), rule::UNIQUE),
        (rewrites_on_add(action), rule::VOLATILE_DEFAULT),
        (
            disables && action.has(&["row", "level", "security"]),
            rule::RLS_OFF,
        ),
        (action.starts(&["no", "force", "row"]), rule::RLS_OFF),
        (
            disables && action.has_any(&["trigger", "rule"]),
            rule::TRIGGER_OFF,
        ),
        (action.starts(&["set", "unlogged"]), rule::UNLOGGED),
        (
            action.starts(&["set", "logged"])
                || action.starts(&["set", "tablespace"])
                || action.starts(&["set", "access"]),
            rule::TABLESPACE,
        ),
        (action.starts(&["detach", "partition"]), rule::DETACH),
    ];
    checks
        .into_iter()
        .filter(|(is, _)| *is)
        .map(|(_, rule)| rule)
        .collect()
}

/// Whether `ADD` or `DROP` is of something other than a column.
fn is_column_less(action: Said<'_, '_>) -> bool {
    let second = action.from(1);
    [
        "constraint",
        "check",
        "foreign",
        "unique",
        "primary",
        "exclude",
        "default",
        "expression",
        "identity",
        "not",
        "table",
    ]
    .iter()
    .any(|word| second.starts(&[word]))
}

fn has_volatile(action: Said<'_, '_>) -> bool {
    action
        .clause("default")
        .is_some_and(|rest| VOLATILE.iter().any(|name| rest.has(&[name])))
        || action.has_any(&["serial", "bigserial", "smallserial"])
}

/// Whether an `ADD` of a column writes the table anew.
pub(in crate::migrate) fn rewrites_on_add(action: Said<'_, '_>) -> bool {
    let adds_column = action.starts(&["add"]) && !is_column_less(action);
    adds_column
        && (has_volatile(action) || action.has(&["stored"]) || action.has(&["as", "identity"]))
}
