//! `--clean`: what is dropped first, and what would go with it that no restore of the backup brings back.

use super::present::{self, Present};
use super::request::{Existing, Part, RestoreRequest};
use super::target::{Target, field, rows};
use crate::catalog::model::Model;
use crate::catalog::{Address, CatalogId};
use crate::error::Result;
use crate::name::{QualifiedName, quote_literal};
use crate::postgres::wire::WireConnection;
use std::collections::HashSet;

/// What is dropped before anything is made.
#[derive(Debug, Default)]
pub(super) struct Drops {
    /// In words, and as SQL.
    pub(super) statements: Vec<(String, String)>,
    /// What would go with it, in words.
    pub(super) losses: Vec<String>,
    /// Everything that is gone then.
    pub(super) gone: HashSet<Address>,
}

/// An object that is to be dropped.
struct Doomed {
    address: Address,
    words: String,
    sql: String,
}

/// Everything that stands in the way of a whole backup: what its schemas hold, and what of the backup is in none.
pub(super) async fn whole(
    admin: &mut WireConnection,
    model: &Model,
    schemas: &[String],
    target: &Target,
    request: &RestoreRequest,
) -> Result<Drops> {
    if request.part == Part::Data || request.existing == Existing::Refuse {
        return Ok(Drops::default());
    }
    let mut ours = present::of_model(model, &target.present);
    // No backup has the secrets of a mapping.
    ours.retain(|it| it.address.catalog != CatalogId::USER_MAPPING);
    let (first, last): (Vec<Doomed>, Vec<Doomed>) =
        outside_schemas(&ours).partition(|it| it.address.catalog == CatalogId::EVENT_TRIGGER);
    let mut doomed = first;
    doomed.extend(in_schemas(admin, schemas).await?);
    doomed.extend(last);
    let made_again: HashSet<Address> = ours.iter().map(|it| it.address).collect();
    fate(admin, doomed, schemas, &made_again).await
}

/// Only these relations, which come back beside what stands.
pub(super) async fn relations(
    admin: &mut WireConnection,
    chosen: &[QualifiedName],
    target: &Target,
    request: &RestoreRequest,
) -> Result<Drops> {
    if request.part == Part::Data || request.existing == Existing::Refuse {
        return Ok(Drops::default());
    }
    let chosen: HashSet<QualifiedName> = chosen.iter().cloned().collect();
    let is_chosen = |it: &&Present| {
        let name = it.schema.as_ref();
        let name = name.map(|schema| QualifiedName::new(schema.as_str(), it.name.as_str()));
        it.address.catalog == CatalogId::CLASS && name.is_some_and(|name| chosen.contains(&name))
    };
    // What needs them and came meanwhile is a reason to stop.
    let doomed = target.present.iter().filter(is_chosen).map(|it| Doomed {
        address: it.address,
        words: it.describe(),
        sql: it.drop_alone_sql(),
    });
    fate(admin, doomed.collect(), &[], &HashSet::new()).await
}

/// What of the backup the target has outside of schemas. Extensions and publications are used as they stand, and
/// default privileges are added to.
fn outside_schemas<'a>(ours: &'a [&Present]) -> impl Iterator<Item = Doomed> + 'a {
    let is_doomed = |it: &&&Present| {
        let stays = matches!(
            it.address.catalog,
            CatalogId::NAMESPACE
                | CatalogId::EXTENSION
                | CatalogId::PUBLICATION
                | CatalogId::DEFAULT_ACL
        );
        it.schema.is_none() && !stays
    };
    ours.iter().filter(is_doomed).filter_map(|it| {
        Some(Doomed {
            address: it.address,
            words: it.describe(),
            sql: it.drop_sql()?,
        })
    })
}

/// What these schemas hold. Pieces of other objects and what extensions made go with those.
async fn in_schemas(admin: &mut WireConnection, schemas: &[String]) -> Result<Vec<Doomed>> {
    if schemas.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "select distinct d.classid::pg_catalog.oid::pg_catalog.text, d.objid::pg_catalog.text, i.type, i.identity \
         from pg_catalog.pg_depend d \
           join pg_catalog.pg_namespace n on n.oid = d.refobjid and n.nspname in ({}) \
           cross join lateral pg_catalog.pg_identify_object(d.classid, d.objid, 0) i \
         where d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass and d.deptype = 'n' \
           and d.classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass \
           and i.type not in ('composite type', 'default acl', 'publication namespace') \
           and not exists (select from pg_catalog.pg_depend e where e.classid = d.classid and e.objid = d.objid \
             and e.objsubid = 0 and e.deptype in ('e', 'i')) \
         order by 3, 4",
        literals(schemas)
    );
    let number = |row: &_, at| field(row, at).parse().unwrap_or_default();
    let found = rows(admin, &sql).await?;
    let doomed = found.iter().map(|row| {
        let (kind, identity) = (field(row, 2), field(row, 3));
        Doomed {
            address: Address::new(CatalogId(number(row, 0)), number(row, 1)),
            words: format!("{kind} {identity}"),
            sql: present::drop_object(&kind, &identity),
        }
    });
    Ok(doomed.collect())
}

fn literals(names: &[String]) -> String {
    let names: Vec<String> = names.iter().map(|name| quote_literal(name)).collect();
    names.join(", ")
}

/// What becomes of the target when these are dropped.
async fn fate(
    admin: &mut WireConnection,
    doomed: Vec<Doomed>,
    schemas: &[String],
    made_again: &HashSet<Address>,
) -> Result<Drops> {
    let seeds: Vec<String> = doomed
        .iter()
        .map(|it| {
            let Address { catalog, oid } = it.address;
            format!("({}::pg_catalog.oid, {oid}::pg_catalog.oid)", catalog.0)
        })
        .collect();
    let mut drops = Drops::default();
    if seeds.is_empty() {
        return Ok(drops);
    }
    let schemas = match schemas {
        [] => "null".to_owned(),
        some => literals(some),
    };
    let sql = FATE
        .replace("{seeds}", &seeds.join(", "))
        .replace("{schemas}", &schemas);
    let number = |row: &_, at| field(row, at).parse().unwrap_or_default();
    for row in rows(admin, &sql).await? {
        let address = Address::new(CatalogId(number(&row, 0)), number(&row, 1));
        if field(&row, 2) == "true" {
            drops.gone.insert(address);
        }
        if field(&row, 3) == "true" && !made_again.contains(&address) {
            drops.losses.push(field(&row, 4));
        }
    }
    drops.statements = doomed.into_iter().map(|it| (it.words, it.sql)).collect();
    Ok(drops)
}

/// Everything that goes when the seeds are dropped, and what would have to: class and OID; whether it goes by
/// itself; whether it is a loss; in words.
///
/// What the server drops by itself are the pieces of an object, its partitions among them. What merely needs one of
/// those, such as a column of its type, goes only with `CASCADE`. Either is a loss where it is not a piece of a seed
/// and in none of the schemas that are emptied. The query of a view is told as the view.
const FATE: &str = "with recursive seed(classid, objid) as (values {seeds}), \
   gone(classid, objid, objsubid) as ( \
     select s.classid, s.objid, 0 from seed s \
     union \
     select d.classid, d.objid, d.objsubid from gone g join pg_catalog.pg_depend d \
       on d.refclassid = g.classid and d.refobjid = g.objid and (g.objsubid = 0 or d.refobjsubid = g.objsubid) \
     where d.deptype in ('a', 'i', 'P', 'S')), \
   needing as ( \
     select distinct d.classid, d.objid, d.objsubid from gone g join pg_catalog.pg_depend d \
       on d.refclassid = g.classid and d.refobjid = g.objid and (g.objsubid = 0 or d.refobjsubid = g.objsubid) \
     where d.deptype = 'n' \
       and not exists (select from gone o where o.classid = d.classid and o.objid = d.objid and o.objsubid in (0, d.objsubid))), \
   touched as ( \
     select g.classid, g.objid, g.objsubid, true as goes, \
       g.classid = 1259 and g.objsubid = 0 and exists (select from pg_catalog.pg_class c where c.oid = g.objid \
         and c.relkind in ('r', 'p', 'f')) and not exists (select from seed s where s.classid = g.classid and s.objid = g.objid) as counts \
     from gone g \
     union all select n.classid, n.objid, n.objsubid, false, true from needing n), \
   told as ( \
     select t.goes, t.counts, 1259::pg_catalog.oid as classid, r.ev_class as objid, 0 as objsubid from touched t \
       join pg_catalog.pg_rewrite r on t.classid = 2618 and r.oid = t.objid and r.rulename = '_RETURN' \
     union all \
     select t.goes, t.counts, t.classid, t.objid, t.objsubid from touched t \
     where not exists (select from pg_catalog.pg_rewrite r where t.classid = 2618 and r.oid = t.objid and r.rulename = '_RETURN')) \
 select distinct t.classid::pg_catalog.text, t.objid::pg_catalog.text, t.goes::pg_catalog.text, \
   (t.counts and coalesce(i.schema, case when pg_catalog.cardinality(a.object_names) > 1 then a.object_names[1] end, '') \
     not in (select x from pg_catalog.unnest(array[{schemas}]::pg_catalog.text[]) x where x is not null) \
     and not exists (select from gone g where g.classid = t.classid and g.objid = t.objid and g.objsubid in (0, t.objsubid) and not t.goes))::pg_catalog.text, \
   pg_catalog.format('%s %s', i.type, i.identity) \
 from told t cross join lateral pg_catalog.pg_identify_object(t.classid, t.objid, t.objsubid) i \
   cross join lateral pg_catalog.pg_identify_object_as_address(t.classid, t.objid, t.objsubid) a \
 where i.type is not null order by 5";
