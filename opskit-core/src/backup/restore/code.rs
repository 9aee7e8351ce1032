//! What runs code with the rights of its owner, whoever uses it: a function that is SECURITY DEFINER, a
//! view, a materialised view, a table whose indexes, rules or triggers call what a user made.
//!
//! Given to a superuser, such an object is that superuser for whoever wrote it. So a backup that nobody
//! vouches for gives none to a role that has more rights than to own things. The plan says so by what the
//! backup tells of itself; what is believed is the catalog of the target, after the objects were made.

use super::graph::Graph;
use super::request::Carry;
use super::target::{Target, field, rows};
use crate::catalog::model::{Definition, Model, Object};
use crate::catalog::{Address, CatalogId};
use crate::error::Result;
use crate::name::quote_literal;
use crate::postgres::wire::WireConnection;
use std::collections::{BTreeSet, HashSet};

/// Such objects as class, OID and owner. What only calls the server's own functions is none.
const OBJECTS: &str = "select 1255::pg_catalog.oid as class, p.oid as object, p.proowner as owner \
   from pg_catalog.pg_proc p where p.prosecdef and p.oid >= 16384 \
 union all select 1259, c.oid, c.relowner from pg_catalog.pg_class c where c.oid >= 16384 and ( \
   c.relkind = 'm' \
   or c.relkind = 'v' and not exists (select from pg_catalog.pg_options_to_table(c.reloptions) o \
     where o.option_name = 'security_invoker' and pg_catalog.lower(o.option_value) in ('true', 'on', 'yes', '1', 't', 'y')) \
   or c.relkind in ('r', 'p', 'f') and ( \
     exists (select from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal) \
     or exists (select from pg_catalog.pg_rewrite w where w.ev_class = c.oid) \
     or exists (select from pg_catalog.pg_policy y where y.polrelid = c.oid) \
     or exists (select from pg_catalog.pg_depend d where (d.classid, d.objid) in ( \
         select 1259::pg_catalog.oid, c.oid \
         union all select 1259, i.indexrelid from pg_catalog.pg_index i where i.indrelid = c.oid \
         union all select 2606, k.oid from pg_catalog.pg_constraint k where k.conrelid = c.oid \
         union all select 2604, a.oid from pg_catalog.pg_attrdef a where a.adrelid = c.oid \
         union all select 3381, s.oid from pg_catalog.pg_statistic_ext s where s.stxrelid = c.oid) \
       and d.refobjid >= 16384 and (d.refclassid in (1255, 2617) \
         or d.refclassid = 1247 and exists (select from pg_catalog.pg_constraint k where k.contypid = d.refobjid)))))";

/// What only some objects are asked for, in words.
fn named(condition: &str) -> String {
    format!(
        "select i.type, i.identity from ({OBJECTS}) c cross join lateral pg_catalog.pg_identify_object(c.class, c.object, 0) i \
         where {condition} and not exists (select from pg_catalog.pg_depend e where e.classid = c.class \
           and e.objid = c.object and e.objsubid = 0 and e.deptype = 'e') order by 1, 2"
    )
}

/// Those that belong to a role.
pub(super) async fn owned_by(admin: &mut WireConnection, role: &str) -> Result<Vec<String>> {
    let owner = format!(
        "c.owner = (select r.oid from pg_catalog.pg_roles r where r.rolname = {})",
        quote_literal(role)
    );
    in_words(admin, &owner).await
}

/// Whether the object of this address in the target's catalog is one.
pub(super) async fn is_one(admin: &mut WireConnection, address: Address) -> Result<bool> {
    let (class, oid) = (address.catalog.0, address.oid);
    let this = format!("c.class = {class} and c.object = {oid}");
    Ok(!in_words(admin, &this).await?.is_empty())
}

async fn in_words(admin: &mut WireConnection, condition: &str) -> Result<Vec<String>> {
    let found = rows(admin, &named(condition)).await?;
    let words = found
        .iter()
        .map(|row| format!("{} {}", field(row, 0), field(row, 1)));
    Ok(words.collect())
}

/// Those of a model, as far as it tells the truth, each with its owner.
pub(super) fn of<'a>(model: &'a Model, graph: &Graph) -> Vec<(&'a Object, &'a str)> {
    let mut with_code: HashSet<(&str, &str)> = HashSet::new();
    let is_users = |needs: &[Address]| {
        let made = |it: &Address| matches!(it.catalog, CatalogId::PROC | CatalogId::OPERATOR);
        needs.iter().any(made)
    };
    for object in &model.objects {
        let schema = object.schema.as_deref().unwrap_or_default();
        match &object.definition {
            Definition::Trigger(it) => drop(with_code.insert((schema, &it.table))),
            Definition::Rule(it) => drop(with_code.insert((schema, &it.table))),
            Definition::Policy(it) => drop(with_code.insert((schema, &it.table))),
            Definition::Constraint(it) if is_users(graph.needs(object.address)) => {
                let table = it.table();
                with_code.insert((&table.schema, &table.name));
            }
            _ => {}
        }
    }
    // What is part of a table, and calls something, makes the table call it.
    let pieces: HashSet<_> = model
        .objects
        .iter()
        .filter(|object| {
            matches!(
                object.definition,
                Definition::Index(_) | Definition::Default(_) | Definition::Statistics(_)
            ) && is_users(graph.needs(object.address))
        })
        .flat_map(|object| graph.needs(object.address).iter().copied())
        .collect();
    let runs = |object: &&Object| match &object.definition {
        Definition::Function(it) => is_definer(&it.text),
        Definition::View(it) => !it.options.iter().any(|option| is_invoker(option)),
        Definition::MaterializedView(_) => true,
        Definition::Table(_) | Definition::ForeignTable(_) => {
            let schema = object.schema.as_deref().unwrap_or_default();
            with_code.contains(&(schema, object.name.as_str()))
                || pieces.contains(&object.address)
                || is_users(graph.needs(object.address))
        }
        _ => false,
    };
    let objects = model.objects.iter().filter(runs);
    objects
        .filter_map(|object| Some((object, object.owner.as_deref()?)))
        .collect()
}

/// The head of a definition stands before its body.
fn is_definer(text: &str) -> bool {
    let head = text.split("\nAS ").next().unwrap_or(text);
    head.contains(" SECURITY DEFINER")
}

fn is_invoker(option: &str) -> bool {
    let value = option.strip_prefix("security_invoker=");
    value.is_some_and(|value| matches!(value, "true" | "on" | "yes" | "1" | "t" | "y"))
}

/// Why a restore would give somebody's code the rights of others, in words. `owner` is whose objects
/// become those that get no owner.
pub(super) fn given(model: &Model, graph: &Graph, target: &Target, owners: Carry) -> Vec<String> {
    let with_code = of(model, graph);
    if owners == Carry::Leave {
        let objects: Vec<String> = with_code.iter().map(|(it, _)| it.describe()).collect();
        return match objects.is_empty() {
            true => Vec::new(),
            false => vec![in_one_line(&target.role, &objects)],
        };
    }
    let owners: BTreeSet<&str> = with_code.iter().map(|(_, owner)| *owner).collect();
    owners
        .into_iter()
        .filter(|owner| target.is_privileged(owner))
        .map(|owner| {
            let objects = with_code.iter().filter(|(_, of)| *of == owner);
            let objects: Vec<String> = objects.map(|(it, _)| it.describe()).collect();
            in_one_line(owner, &objects)
        })
        .collect()
}

fn in_one_line(role: &str, objects: &[String]) -> String {
    let what = format!(
        "code of the backup would have the rights of role \"{role}\" (give --trust-backup if you trust whoever could \
         write to its source, or restore as a role of your own that has no more rights than it needs):"
    );
    super::problems::list(&what, objects.iter().cloned()).unwrap_or(what)
}
