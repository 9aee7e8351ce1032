//! Triggers, rules and event triggers.

use super::options::{pair, qualified};
use super::{Emitter, Section};
use crate::catalog::model::{EventTrigger, Firing, Object, Rule, Trigger};
use crate::name::{quote_ident, quote_literal};

pub(super) fn create(object: &Object, trigger: &Trigger, out: &mut Emitter<'_>) {
    out.create(Section::PostData, object, trigger.statement.clone());
    let mut fires = |schema: Option<&str>, table: &str, firing: Firing| {
        let table = qualified(schema, table);
        let verb = verb(firing);
        let sql = format!(
            "ALTER TABLE {table} {verb} TRIGGER {}",
            quote_ident(&object.name)
        );
        out.create(Section::PostData, object, sql);
    };
    if trigger.firing != Firing::Origin {
        fires(object.schema.as_deref(), &trigger.table, trigger.firing);
    }
    for partition in &trigger.partitions {
        fires(Some(&partition.schema), &partition.table, partition.firing);
    }
}

pub(super) fn create_rule(object: &Object, rule: &Rule, out: &mut Emitter<'_>) {
    out.create(Section::PostData, object, rule.statement.clone());
    if rule.firing != Firing::Origin {
        let sql = format!(
            "ALTER TABLE {} {} RULE {}",
            qualified(object.schema.as_deref(), &rule.table),
            verb(rule.firing),
            quote_ident(&object.name)
        );
        out.create(Section::PostData, object, sql);
    }
}

/// The last of all objects: it would fire for the statements that make the others.
pub(super) fn create_event_trigger(object: &Object, trigger: &EventTrigger, out: &mut Emitter<'_>) {
    let name = quote_ident(&object.name);
    let tags: Vec<String> = trigger.tags.iter().map(|tag| quote_literal(tag)).collect();
    let when = match tags.as_slice() {
        [] => String::new(),
        tags => format!(" WHEN TAG IN ({})", tags.join(", ")),
    };
    let sql = format!(
        "CREATE EVENT TRIGGER {name} ON {}{when} EXECUTE FUNCTION {}()",
        quote_ident(&trigger.event),
        pair(&trigger.function)
    );
    out.create(Section::Access, object, sql);
    if trigger.firing != Firing::Origin {
        let sql = format!("ALTER EVENT TRIGGER {name} {}", verb(trigger.firing));
        out.create(Section::Access, object, sql);
    }
}

fn verb(firing: Firing) -> &'static str {
    match firing {
        Firing::Origin => "ENABLE",
        Firing::Disabled => "DISABLE",
        Firing::Replica => "ENABLE REPLICA",
        Firing::Always => "ENABLE ALWAYS",
    }
}
