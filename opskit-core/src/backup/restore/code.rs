//! What runs code with the rights of its owner, whoever uses it: a function that is SECURITY DEFINER, a
//! view, a materialised view, a table whose indexes, rules, triggers or types call what a user made.
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

/// Such objects as class, OID and owner. What only calls the server's own functions is none, but for those
/// that are none of the harmless: some run what they are given as text.
///
/// What a table reaches: its indexes, constraints, defaults and statistics, the types of its columns, what those
/// are made of, and the functions of all these. `ANALYZE` runs the difference of a range type with the rights of
/// the table's owner. What an extension's types and operators call is from the target's own files.
const OBJECTS: &str = "select 1255::pg_catalog.oid as class, p.oid as object, p.proowner as owner \
   from pg_catalog.pg_proc p where p.prosecdef and p.oid >= 16384 \
 union all select 1259, c.oid, c.relowner from pg_catalog.pg_class c where c.oid >= 16384 and ( \
   c.relkind = 'm' \
   or c.relkind = 'v' and not exists (select from pg_catalog.pg_options_to_table(c.reloptions) o \
     where o.option_name = 'security_invoker' and pg_catalog.lower(o.option_value) in ('true', 'on', 'yes', '1', 't', 'y')) \
   or c.relkind in ('r', 'p', 'f', 'v') and ( \
     exists (select from pg_catalog.pg_trigger t where t.tgrelid = c.oid and not t.tgisinternal) \
     or exists (select from pg_catalog.pg_rewrite w where w.ev_class = c.oid and w.rulename <> '_RETURN') \
     or exists (select from pg_catalog.pg_policy y where y.polrelid = c.oid)) \
   or c.relkind in ('r', 'p', 'f') and exists ( \
     with recursive reached(class, object) as (select 1259::pg_catalog.oid, c.oid \
       union select n.class, n.object from reached r cross join lateral ( \
         select d.refclassid as class, d.refobjid as object from pg_catalog.pg_depend d \
           where d.classid = r.class and d.objid = r.object and d.refobjid >= 16384 \
             and d.refclassid in (1247, 1255, 2616, 2617) \
             and not ((d.classid = 1247 or d.refclassid <> 1255) and exists (select from pg_catalog.pg_depend e \
               where e.classid = d.refclassid and e.objid = d.refobjid and e.objsubid = 0 and e.deptype = 'e')) \
         union all select 1259, i.indexrelid from pg_catalog.pg_index i where r.class = 1259 and i.indrelid = r.object \
         union all select 2606, k.oid from pg_catalog.pg_constraint k where r.class = 1259 and k.conrelid = r.object \
         union all select 2604, a.oid from pg_catalog.pg_attrdef a where r.class = 1259 and a.adrelid = r.object \
         union all select 3381, s.oid from pg_catalog.pg_statistic_ext s where r.class = 1259 and s.stxrelid = r.object \
         union all select 2606, k.oid from pg_catalog.pg_constraint k where r.class = 1247 and k.contypid = r.object \
         union all select 1259, t.typrelid from pg_catalog.pg_type t \
           where r.class = 1247 and t.oid = r.object and t.typrelid <> 0) n) \
     select from reached r where r.class in (1255, 2616, 2617) or exists (select from ( \
         select k.conbin::pg_catalog.text from pg_catalog.pg_constraint k where r.class = 2606 and k.oid = r.object \
         union all select a.adbin::pg_catalog.text from pg_catalog.pg_attrdef a where r.class = 2604 and a.oid = r.object \
         union all select pg_catalog.to_jsonb(s) operator(pg_catalog.->>) 'stxexprs' from pg_catalog.pg_statistic_ext s \
           where r.class = 3381 and s.oid = r.object) x(tree) \
       cross join lateral pg_catalog.regexp_matches(x.tree, ':(?:op)?funcid ([0-9]+)', 'g') f(id) \
       join pg_catalog.pg_proc p on p.oid = f.id[1]::pg_catalog.oid \
       where p.oid < 16384 and (p.proname operator(pg_catalog.~) '_to_xml' or p.provolatile = 'v' and p.proname not in ( \
         'clock_timestamp', 'currval', 'gen_random_uuid', 'lastval', 'nextval', 'pg_current_wal_insert_lsn', \
         'pg_current_wal_lsn', 'random', 'random_normal', 'timeofday', 'uuidv4', 'uuidv7')))))";

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
    let of_domain: HashSet<Address> = model
        .objects
        .iter()
        .filter(|object| matches!(object.definition, Definition::DomainConstraint(_)))
        .map(|object| object.address)
        .collect();
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
    let has_code = |object: &Object| {
        let schema = object.schema.as_deref().unwrap_or_default();
        with_code.contains(&(schema, object.name.as_str()))
    };
    let runs = |object: &&Object| match &object.definition {
        Definition::Function(it) => is_definer(&it.text),
        Definition::View(it) => {
            !it.options.iter().any(|option| is_invoker(option)) || has_code(object)
        }
        Definition::MaterializedView(_) => true,
        Definition::Table(_) | Definition::ForeignTable(_) => {
            has_code(object)
                || pieces.contains(&object.address)
                || is_users(graph.needs(object.address))
                || types_call(graph, &of_domain, object.address)
        }
        _ => false,
    };
    let objects = model.objects.iter().filter(runs);
    objects
        .filter_map(|object| Some((object, object.owner.as_deref()?)))
        .collect()
}

fn is_users(needs: &[Address]) -> bool {
    let made = |it: &Address| matches!(it.catalog, CatalogId::PROC | CatalogId::OPERATOR);
    needs.iter().any(made)
}

/// Whether the types of a table's columns, or what those are made of, call what a user made.
fn types_call(graph: &Graph, of_domain: &HashSet<Address>, table: Address) -> bool {
    let mut seen: HashSet<Address> = HashSet::new();
    let mut open = vec![table];
    while let Some(next) = open.pop() {
        let is_type = |it: &&Address| it.catalog == CatalogId::TYPE;
        for &of in graph.needs(next).iter().filter(is_type) {
            let of_domain = |it: &&Address| of_domain.contains(it);
            let mut constraints = graph.needed_by(of).iter().filter(of_domain);
            if is_users(graph.needs(of)) || constraints.any(|it| is_users(graph.needs(*it))) {
                return true;
            }
            if seen.insert(of) {
                open.push(of);
            }
        }
    }
    false
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
