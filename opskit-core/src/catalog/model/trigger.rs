//! Triggers, rules and event triggers: what fires, and when.

use super::read::{ReadContext, Reading, not_of_extension};
use super::{CatalogId, Definition};
use serde::{Deserialize, Serialize};

/// In which sessions a trigger or rule fires.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Firing {
    /// In all but those that apply replicated changes.
    #[serde(rename = "O")]
    Origin,
    /// In none.
    #[serde(rename = "D")]
    Disabled,
    /// Only in those that apply replicated changes.
    #[serde(rename = "R")]
    Replica,
    /// In all.
    #[serde(rename = "A")]
    Always,
}

/// Whose table a trigger or policy of the user stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TableOwner {
    /// A table of the user's.
    User,
    /// A table that a managed platform owns: it is not in the model.
    Platform,
}

/// A trigger.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Trigger {
    /// Its table, in the schema of the object.
    pub table: String,
    /// Whose table that is.
    pub table_owner: TableOwner,
    /// The whole `CREATE TRIGGER`, in the server's words.
    pub statement: String,
    /// When it fires.
    pub firing: Firing,
    /// The partitions whose copy of the trigger fires otherwise than that of their parent, parents first.
    pub partitions: Vec<PartitionFiring>,
}

/// When a partition's copy of a trigger fires.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PartitionFiring {
    /// The partition's schema.
    pub schema: String,
    /// The partition.
    pub table: String,
    /// When it fires there.
    pub firing: Firing,
}

/// A rule, other than those that make views.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rule {
    /// Its table or view, in the schema of the object.
    pub table: String,
    /// The whole `CREATE RULE`, in the server's words.
    pub statement: String,
    /// When it applies.
    pub firing: Firing,
}

/// An event trigger. Only a superuser may make one.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EventTrigger {
    /// The event.
    pub event: String,
    /// The command tags it is limited to; none means all.
    pub tags: Vec<String>,
    /// The function, as schema and name.
    pub function: (String, String),
    /// When it fires.
    pub firing: Firing,
}

/// The queries for triggers, rules and event triggers.
pub(super) fn readings(cx: &ReadContext<'_>) -> Vec<Reading> {
    vec![triggers(cx), rules(cx), event_triggers(cx)]
}

/// A trigger on a platform's table is the user's when its function is.
fn triggers(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "with recursive copies as ( \
           select t.oid, t.oid as root, t.tgenabled, null::pg_catalog.\"char\" as parent_enabled, 0 as depth, \
                  t.tgrelid from pg_catalog.pg_trigger t \
           where not t.tgisinternal and t.tgparentid = 0 \
           union all \
           select t.oid, copies.root, t.tgenabled, copies.tgenabled, copies.depth + 1, t.tgrelid \
           from copies join pg_catalog.pg_trigger t on t.tgparentid = copies.oid), \
         states as ( \
           select copies.root, pg_catalog.json_agg(pg_catalog.json_build_object( \
             'schema', n.nspname, 'table', c.relname, 'firing', copies.tgenabled) \
             order by copies.depth, n.nspname, c.relname) as list \
           from copies join pg_catalog.pg_class c on c.oid = copies.tgrelid \
           join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
           where copies.depth > 0 and copies.tgenabled <> copies.parent_enabled group by copies.root) \
         select t.oid, n.nspname, t.tgname, null::pg_catalog.text, \
         pg_catalog.json_build_object('table', c.relname, \
           'table_owner', case when {scope} then 'user' else 'platform' end, \
           'statement', pg_catalog.pg_get_triggerdef(t.oid), \
           'firing', t.tgenabled, 'partitions', coalesce(states.list, '[]')) \
         from pg_catalog.pg_trigger t join pg_catalog.pg_class c on c.oid = t.tgrelid \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         join pg_catalog.pg_proc p on p.oid = t.tgfoid \
         join pg_catalog.pg_namespace pn on pn.oid = p.pronamespace \
         left join states on states.root = t.oid \
         where not t.tgisinternal and t.tgparentid = 0 and {own} \
         and (({scope} and {own_table}) or ({platform} and {function_scope} and {own_function}))",
        scope = cx.in_scope("n"),
        own = not_of_extension(CatalogId::TRIGGER, "t.oid"),
        own_table = not_of_extension(CatalogId::CLASS, "c.oid"),
        platform = cx.scope.platform_condition("n"),
        function_scope = cx.in_scope("pn"),
        own_function = not_of_extension(CatalogId::PROC, "p.oid"),
    );
    Reading {
        what: "the triggers",
        catalog: CatalogId::TRIGGER,
        sql,
        definition: |json| Ok(Definition::Trigger(serde_json::from_str(json)?)),
    }
}

fn rules(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select r.oid, n.nspname, r.rulename, null::pg_catalog.text, \
         pg_catalog.json_build_object('table', c.relname, \
           'statement', pg_catalog.rtrim(pg_catalog.pg_get_ruledef(r.oid), ';'), \
           'firing', r.ev_enabled) \
         from pg_catalog.pg_rewrite r join pg_catalog.pg_class c on c.oid = r.ev_class \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where not (r.ev_type = '1' and r.rulename = '_RETURN') and {} and {} and {}",
        cx.in_scope("n"),
        not_of_extension(CatalogId::CLASS, "c.oid"),
        not_of_extension(CatalogId::RULE, "r.oid"),
    );
    Reading {
        what: "the rules",
        catalog: CatalogId::RULE,
        sql,
        definition: |json| Ok(Definition::Rule(serde_json::from_str(json)?)),
    }
}

fn event_triggers(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select et.oid, null::pg_catalog.text, et.evtname, pg_catalog.pg_get_userbyid(et.evtowner), \
         pg_catalog.json_build_object('event', et.evtevent, 'tags', coalesce(et.evttags, '{{}}'), \
           'function', pg_catalog.json_build_array(n.nspname, p.proname), 'firing', et.evtenabled) \
         from pg_catalog.pg_event_trigger et join pg_catalog.pg_proc p on p.oid = et.evtfoid \
         join pg_catalog.pg_namespace n on n.oid = p.pronamespace where {} and {}",
        cx.scope.owner_condition("et.evtowner"),
        not_of_extension(CatalogId::EVENT_TRIGGER, "et.oid"),
    );
    Reading {
        what: "the event triggers",
        catalog: CatalogId::EVENT_TRIGGER,
        sql,
        definition: |json| Ok(Definition::EventTrigger(serde_json::from_str(json)?)),
    }
}
