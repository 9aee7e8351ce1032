//! The objects that the target has, as far as a backup could name them.

use super::mark::Found;
use super::target::{field, rows};
use crate::catalog::model::{Definition, Model, Object};
use crate::catalog::scope::MARK_SCHEMA;
use crate::catalog::{Address, CatalogId};
use crate::error::Result;
use crate::name::{quote_ident, quote_literal};
use crate::postgres::wire::WireConnection;
use std::collections::HashMap;

/// An object of the target.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) address: Address,
    pub(super) schema: Option<String>,
    pub(super) name: String,
    /// What tells it from others of its name: arguments, a table, a role.
    detail: String,
    /// The server's word for its class.
    kind: String,
    /// Its name as SQL.
    identity: String,
    /// It was there before the restore whose mark stands in the target.
    is_older: bool,
}

/// Class; schema, name and detail; where from, and which.
#[rustfmt::skip] // a table
const OBJECTS: &[(u32, &str, &str, &str, &str)] = &[
    (2615, "null::pg_catalog.name", "o.nspname", "null", "pg_namespace o where o.nspname operator(pg_catalog.!~) '^pg_'"),
    (3079, "null", "o.extname", "null", "pg_extension o"),
    (1259, "n.nspname", "o.relname", "null", "pg_class o join pg_catalog.pg_namespace n on n.oid = o.relnamespace where o.relkind in ('r', 'p', 'v', 'm', 'f', 'S') and o.relpersistence <> 't'"),
    (1247, "n.nspname", "o.typname", "null", "pg_type o join pg_catalog.pg_namespace n on n.oid = o.typnamespace where o.typtype <> 'm' and not exists (select from pg_catalog.pg_type e where e.typarray = o.oid) and (o.typrelid = 0 or exists (select from pg_catalog.pg_class r where r.oid = o.typrelid and r.relkind = 'c'))"),
    (1255, "n.nspname", "o.proname", "pg_catalog.pg_get_function_identity_arguments(o.oid)", "pg_proc o join pg_catalog.pg_namespace n on n.oid = o.pronamespace"),
    (2617, "n.nspname", "o.oprname", "null", "pg_operator o join pg_catalog.pg_namespace n on n.oid = o.oprnamespace"),
    (2616, "n.nspname", "o.opcname", "null", "pg_opclass o join pg_catalog.pg_namespace n on n.oid = o.opcnamespace"),
    (2753, "n.nspname", "o.opfname", "null", "pg_opfamily o join pg_catalog.pg_namespace n on n.oid = o.opfnamespace"),
    (3456, "n.nspname", "o.collname", "null", "pg_collation o join pg_catalog.pg_namespace n on n.oid = o.collnamespace"),
    (2607, "n.nspname", "o.conname", "null", "pg_conversion o join pg_catalog.pg_namespace n on n.oid = o.connamespace"),
    (3602, "n.nspname", "o.cfgname", "null", "pg_ts_config o join pg_catalog.pg_namespace n on n.oid = o.cfgnamespace"),
    (3600, "n.nspname", "o.dictname", "null", "pg_ts_dict o join pg_catalog.pg_namespace n on n.oid = o.dictnamespace"),
    (3601, "n.nspname", "o.prsname", "null", "pg_ts_parser o join pg_catalog.pg_namespace n on n.oid = o.prsnamespace"),
    (3764, "n.nspname", "o.tmplname", "null", "pg_ts_template o join pg_catalog.pg_namespace n on n.oid = o.tmplnamespace"),
    (3381, "n.nspname", "o.stxname", "null", "pg_statistic_ext o join pg_catalog.pg_namespace n on n.oid = o.stxnamespace"),
    (2605, "null", "''", "null", "pg_cast o"),
    (3576, "null", "''", "null", "pg_transform o"),
    (2612, "null", "o.lanname", "null", "pg_language o"),
    (2601, "null", "o.amname", "null", "pg_am o"),
    (2328, "null", "o.fdwname", "null", "pg_foreign_data_wrapper o"),
    (1417, "null", "o.srvname", "null", "pg_foreign_server o"),
    (1418, "null", "o.srvname", "o.usename", "(select m.umid as oid, m.srvname, m.usename from pg_catalog.pg_user_mappings m) o"),
    (6104, "null", "o.pubname", "null", "pg_publication o"),
    (3466, "null", "o.evtname", "null", "pg_event_trigger o"),
    (2620, "n.nspname", "o.tgname", "c.relname", "pg_trigger o join pg_catalog.pg_class c on c.oid = o.tgrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace where not o.tgisinternal and o.tgparentid = 0"),
    (3256, "n.nspname", "o.polname", "c.relname", "pg_policy o join pg_catalog.pg_class c on c.oid = o.polrelid join pg_catalog.pg_namespace n on n.oid = c.relnamespace"),
    (2618, "n.nspname", "o.rulename", "c.relname", "pg_rewrite o join pg_catalog.pg_class c on c.oid = o.ev_class join pg_catalog.pg_namespace n on n.oid = c.relnamespace where o.rulename <> '_RETURN'"),
    (826, "n.nspname", "pg_catalog.pg_get_userbyid(o.defaclrole)", "null", "pg_default_acl o left join pg_catalog.pg_namespace n on n.oid = o.defaclnamespace"),
    (2613, "null", "o.oid::pg_catalog.text", "null", "pg_largeobject_metadata o"),
];

/// The query for all objects that are no extension's and not the server's. Whoever makes a large object may choose
/// its number.
fn objects_sql() -> String {
    let parts: Vec<String> = OBJECTS
        .iter()
        .map(|(class, schema, name, detail, from)| {
            let from = from
                .strip_prefix('(')
                .map_or_else(|| format!("pg_catalog.{from}"), |_| (*from).to_owned());
            format!(
                "select {class}::pg_catalog.oid as class, o.oid as object, {schema}::pg_catalog.text as schema, \
                 {name}::pg_catalog.text as name, {detail}::pg_catalog.text as detail from {from}"
            )
        })
        .collect();
    format!(
        "select o.* from ({}) o where (o.object >= 16384 or o.class = 2613) and coalesce(o.schema, o.name) <> {} \
           and coalesce(o.schema, '') operator(pg_catalog.!~) '^(pg_|information_schema$)' \
           and not exists (select from pg_catalog.pg_depend e where e.classid = o.class and e.objid = o.object \
             and e.objsubid = 0 and e.deptype = 'e')",
        parts.join(" union all "),
        quote_literal(MARK_SCHEMA)
    )
}

/// The statement that writes down what there is before a restore changes anything.
pub(super) fn remember_sql() -> String {
    format!(
        "INSERT INTO {}.before (class, object) SELECT o.class, o.object FROM ({}) o",
        quote_ident(MARK_SCHEMA),
        objects_sql()
    )
}

/// Reads all objects; where there is a mark of ours, tells those that are older.
pub(super) async fn read(admin: &mut WireConnection, found: &Found) -> Result<Vec<Present>> {
    let is_older = if matches!(found, Found::Mark(_)) {
        format!(
            "exists (select from {}.before b where b.class = o.class and b.object = o.object)",
            quote_ident(MARK_SCHEMA)
        )
    } else {
        "true".to_owned()
    };
    let sql = format!(
        "select o.class::pg_catalog.text, o.object::pg_catalog.text, o.schema, o.name, o.detail, i.type, i.identity, \
           ({is_older})::pg_catalog.text \
         from ({}) o cross join lateral pg_catalog.pg_identify_object(o.class, o.object, 0) i",
        objects_sql()
    );
    let number = |text: String| text.parse().unwrap_or_default();
    let read = rows(admin, &sql).await?;
    let present = read.iter().map(|row| Present {
        address: Address::new(CatalogId(number(field(row, 0))), number(field(row, 1))),
        schema: row.get(2).cloned().flatten(),
        name: field(row, 3),
        detail: field(row, 4),
        kind: field(row, 5),
        identity: field(row, 6),
        is_older: field(row, 7) == "true",
    });
    Ok(present.collect())
}

impl Present {
    /// In words, for people.
    pub(super) fn describe(&self) -> String {
        match self.address.catalog {
            CatalogId::DEFAULT_ACL => format!("default privileges of role {}", self.name),
            _ => format!("{} {}", self.kind, self.identity),
        }
    }

    /// The statement that drops it, and what needs it. None for what is taken back otherwise.
    pub(super) fn drop_sql(&self) -> Option<String> {
        let identity = &self.identity;
        let kind = match self.address.catalog {
            CatalogId::DEFAULT_ACL => return None,
            CatalogId::LARGE_OBJECT => {
                return Some(format!(
                    "SELECT pg_catalog.lo_unlink(m.oid) FROM pg_catalog.pg_largeobject_metadata m WHERE m.oid = {}",
                    self.address.oid
                ));
            }
            CatalogId::USER_MAPPING => {
                let role = match self.detail.as_str() {
                    "" | "public" => "PUBLIC".to_owned(),
                    role => quote_ident(role),
                };
                let server = quote_ident(&self.name);
                return Some(format!(
                    "DROP USER MAPPING IF EXISTS FOR {role} SERVER {server}"
                ));
            }
            _ => self.kind.as_str(),
        };
        Some(drop_object(kind, identity))
    }

    /// The statement that drops a relation, unless something needs it.
    pub(super) fn drop_alone_sql(&self) -> String {
        let kind = self.kind.to_uppercase();
        format!("DROP {kind} IF EXISTS {}", self.identity)
    }

    /// When it is dropped: what reacts to changes first, what holds others last.
    fn turn(&self) -> u8 {
        match self.address.catalog {
            CatalogId::EVENT_TRIGGER => 0,
            CatalogId::PUBLICATION => 1,
            CatalogId::TRIGGER | CatalogId::POLICY | CatalogId::RULE => 2,
            CatalogId::DEFAULT_ACL => 3,
            CatalogId::EXTENSION => 5,
            CatalogId::FOREIGN_SERVER
            | CatalogId::FOREIGN_DATA_WRAPPER
            | CatalogId::LANGUAGE
            | CatalogId::ACCESS_METHOD => 6,
            CatalogId::NAMESPACE => 7,
            _ => 4,
        }
    }
}

/// `DROP`, by the server's word for the class and its name for the object. That has the types of what goes into
/// a routine, which is no name of an aggregate, and of a procedure only where nothing says what comes out.
pub(super) fn drop_object(kind: &str, identity: &str) -> String {
    let class = match kind {
        "statistics object" => "STATISTICS".to_owned(),
        "foreign-data wrapper" => "FOREIGN DATA WRAPPER".to_owned(),
        "aggregate" => "ROUTINE".to_owned(),
        "procedure" => {
            let identity = with_modes(identity);
            return format!("DROP PROCEDURE IF EXISTS {identity} CASCADE");
        }
        kind => kind.to_uppercase(),
    };
    format!("DROP {class} IF EXISTS {identity} CASCADE")
}

/// Says of each argument in `s.p(integer,text)` that it goes in.
fn with_modes(identity: &str) -> String {
    let mut text = String::with_capacity(identity.len() + 16);
    let mut is_quoted = false;
    let mut letters = identity.chars().peekable();
    while let Some(letter) = letters.next() {
        is_quoted ^= letter == '"';
        text.push(letter);
        let begins = matches!(letter, '(' | ',') && letters.peek() != Some(&')');
        if begins && !is_quoted {
            text.push_str("IN ");
        }
    }
    text
}

/// What an object is found by in another database.
type Key<'a> = (CatalogId, Option<&'a str>, &'a str);

fn key(object: &Object) -> Key<'_> {
    match &object.definition {
        // These have names of their own making.
        Definition::Cast(_) | Definition::Transform(_) => (object.address.catalog, None, ""),
        Definition::DefaultAcl(default) => (
            object.address.catalog,
            default.in_schema.as_deref(),
            &object.name,
        ),
        _ => (
            object.address.catalog,
            object.schema.as_deref(),
            &object.name,
        ),
    }
}

/// What a restore of this model that was stopped has made: it was not there before, and the model has it.
/// In the order in which it can be dropped.
pub(super) fn left_by<'a>(model: &Model, present: &'a [Present]) -> Vec<&'a Present> {
    let mut left = of_model(model, present);
    left.retain(|it| !it.is_older);
    left.sort_by_key(|it| it.turn());
    left
}

/// What the target has of a model.
pub(super) fn of_model<'a>(model: &Model, present: &'a [Present]) -> Vec<&'a Present> {
    let mut objects: HashMap<Key<'_>, Vec<&Object>> = HashMap::new();
    for object in &model.objects {
        objects.entry(key(object)).or_default().push(object);
    }
    let is_of_model = |it: &&Present| {
        let key = (it.address.catalog, it.schema.as_deref(), it.name.as_str());
        let same_table = |object: &&Object| match &object.definition {
            Definition::Trigger(trigger) => trigger.table == it.detail,
            Definition::Rule(rule) => rule.table == it.detail,
            Definition::Policy(policy) => policy.table == it.detail,
            _ => true,
        };
        objects.get(&key).into_iter().flatten().any(same_table)
    };
    present.iter().filter(is_of_model).collect()
}

/// The objects of a model that the target has already, where that is no matter of course.
pub(super) fn already<'a, 'b>(
    model: &'a Model,
    present: impl IntoIterator<Item = &'b Present>,
) -> Vec<&'a Object> {
    let mut there: HashMap<Key<'_>, Vec<&Present>> = HashMap::new();
    for it in present {
        let key = (it.address.catalog, it.schema.as_deref(), it.name.as_str());
        there.entry(key).or_default().push(it);
    }
    let is_there = |object: &&Object| {
        let found = there.get(&key(object));
        match &object.definition {
            Definition::Function(it) => {
                let arguments = without_modes(&it.arguments);
                let is_it = |has: &&Present| without_modes(&has.detail) == arguments;
                found.is_some_and(|found| found.iter().any(is_it))
            }
            Definition::Table(_)
            | Definition::View(_)
            | Definition::MaterializedView(_)
            | Definition::Sequence(_)
            | Definition::ForeignTable(_)
            | Definition::Type(_)
            | Definition::Domain(_)
            | Definition::Collation(_)
            | Definition::Statistics(_)
            | Definition::TextSearch(_)
            | Definition::ForeignServer(_)
            | Definition::ForeignDataWrapper(_)
            | Definition::EventTrigger(_)
            | Definition::LargeObject => found.is_some(),
            _ => false,
        }
    };
    model.objects.iter().filter(is_there).collect()
}

/// Arguments as every version spells them: of a procedure, only newer ones say that they go in.
fn without_modes(arguments: &str) -> String {
    let arguments = arguments.split(", ");
    let bare = arguments.map(|it| it.strip_prefix("IN ").unwrap_or(it));
    bare.collect::<Vec<_>>().join(", ")
}

/// The statements that take back default privileges, by the OID of their row.
pub(super) async fn default_acl_drops(
    admin: &mut WireConnection,
    numbers: &[u32],
) -> Result<Vec<String>> {
    if numbers.is_empty() {
        return Ok(Vec::new());
    }
    let numbers: Vec<String> = numbers.iter().map(u32::to_string).collect();
    let found = rows(
        admin,
        &DEFAULT_ACL_DROPS.replace("{numbers}", &numbers.join(", ")),
    )
    .await?;
    Ok(found.iter().map(|row| field(row, 0)).collect())
}

/// Everything is revoked; where the server's own defaults were replaced, they are granted again. A list that is
/// as the server would have it is dropped by the server.
const DEFAULT_ACL_DROPS: &str = "with d as (select d.oid, d.defaclacl, d.defaclnamespace, r.rolname, d.defaclobjtype as kind, \
     pg_catalog.format('ALTER DEFAULT PRIVILEGES FOR ROLE %I%s ', r.rolname, \
       case when n.nspname is not null then pg_catalog.format(' IN SCHEMA %I', n.nspname) else '' end) as start, \
     case d.defaclobjtype when 'r' then 'TABLES' when 'S' then 'SEQUENCES' when 'f' then 'ROUTINES' \
       when 'T' then 'TYPES' when 'n' then 'SCHEMAS' else 'LARGE OBJECTS' end as what \
   from pg_catalog.pg_default_acl d join pg_catalog.pg_roles r on r.oid = d.defaclrole \
     left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace where d.oid in ({numbers})) \
 select s.sql from ( \
   select distinct d.oid, 1 as at, d.start operator(pg_catalog.||) 'REVOKE ALL ON ' operator(pg_catalog.||) d.what \
     operator(pg_catalog.||) ' FROM ' operator(pg_catalog.||) \
     case x.grantee when 0 then 'PUBLIC' else pg_catalog.quote_ident(pg_catalog.pg_get_userbyid(x.grantee)) end as sql \
   from d cross join lateral pg_catalog.aclexplode(d.defaclacl) x \
   union all select d.oid, 2, d.start operator(pg_catalog.||) 'GRANT ALL ON ' operator(pg_catalog.||) d.what \
     operator(pg_catalog.||) ' TO ' operator(pg_catalog.||) pg_catalog.quote_ident(d.rolname) from d where d.defaclnamespace = 0 \
   union all select d.oid, 3, d.start operator(pg_catalog.||) 'GRANT ALL ON ' operator(pg_catalog.||) d.what \
     operator(pg_catalog.||) ' TO PUBLIC' from d where d.defaclnamespace = 0 and d.kind in ('f', 'T') \
 ) s order by s.oid, s.at, s.sql";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn routines_are_dropped_by_what_goes_into_them() {
        for (kind, identity, sql) in [
            ("aggregate", "s.cnt()", "ROUTINE IF EXISTS s.cnt()"),
            (
                "function",
                "s.f(integer)",
                "FUNCTION IF EXISTS s.f(integer)",
            ),
            ("procedure", "s.p()", "PROCEDURE IF EXISTS s.p()"),
            (
                "procedure",
                "\"a(,\".p(integer,\"b\"\"(,\".t[],double precision)",
                "PROCEDURE IF EXISTS \"a(,\".p(IN integer,IN \"b\"\"(,\".t[],IN double precision)",
            ),
        ] {
            assert_eq!(drop_object(kind, identity), format!("DROP {sql} CASCADE"));
        }
    }

    #[test]
    fn versions_spell_the_same_arguments_differently() {
        assert_eq!(
            without_modes("IN x integer, INOUT y integer"),
            without_modes("x integer, INOUT y integer")
        );
        assert_ne!(without_modes("x integer"), without_modes("OUT x integer"));
    }
}
