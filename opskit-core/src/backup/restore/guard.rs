//! What a superuser's session says about objects at the end: only about those that the restore made, as the
//! target's catalog has them. The names in a backup may be anybody's.

use super::code;
use super::target::{Target, field, rows};
use crate::catalog::ddl::{Action, Statement};
use crate::catalog::model::{Target as Named, args_sql};
use crate::catalog::{Address, CatalogId};
use crate::error::{Error, ErrorKind, Result};
use crate::name::quote_literal;
use crate::postgres::wire::WireConnection;
use std::collections::{HashMap, HashSet};

/// Words of classes that have no owner of their own, and get nothing but comments.
const ONLY_DESCRIBED: [&str; 8] = [
    "access method",
    "cast",
    "domain constraint",
    "extension",
    "index",
    "text search parser",
    "text search template",
    "transform",
];

/// Classes whose objects belong to a relation, or to a part of one.
const OF_RELATION: [&str; 4] = ["table constraint", "rule", "trigger", "policy"];

/// The objects of the login that restores, and the roles that must not get everything.
#[derive(Debug)]
pub(super) struct Guard {
    made: HashMap<Named, Address>,
    relations: HashSet<(String, String)>,
    /// Schemas that were there, and may be the backup's.
    schemas: HashSet<String>,
    privileged: HashSet<String>,
}

impl Guard {
    /// Reads what the login owns. `schemas` are those that were there before.
    pub(super) async fn read(
        admin: &mut WireConnection,
        login: &str,
        schemas: &[String],
        target: &Target,
    ) -> Result<Self> {
        let sql = format!(
            "select d.classid::pg_catalog.text, d.objid::pg_catalog.text, i.type, \
               case d.classid when 1247 then pg_catalog.json_build_array(n.nspname, t.typname) \
                 else pg_catalog.array_to_json(i.object_names) end::pg_catalog.text, \
               pg_catalog.array_to_json({})::pg_catalog.text \
             from pg_catalog.pg_shdepend d \
             cross join lateral pg_catalog.pg_identify_object_as_address(d.classid, d.objid, 0) i \
             left join pg_catalog.pg_type t on d.classid = 1247 and t.oid = d.objid \
             left join pg_catalog.pg_namespace n on n.oid = t.typnamespace \
             where d.deptype = 'o' and d.refclassid = 1260 and d.objsubid = 0 \
               and d.refobjid = (select r.oid from pg_catalog.pg_roles r where r.rolname = {}) \
               and d.dbid = (select b.oid from pg_catalog.pg_database b where b.datname = pg_catalog.current_database())",
            args_sql("d.classid", "d.objid"),
            quote_literal(login)
        );
        let mut guard = Self {
            made: HashMap::new(),
            relations: HashSet::new(),
            schemas: schemas.iter().cloned().collect(),
            privileged: target
                .roles
                .iter()
                .filter(|role| role.is_privileged)
                .map(|role| role.name.clone())
                .collect(),
        };
        let names = |text: String| serde_json::from_str::<Vec<String>>(&text).unwrap_or_default();
        let number = |text: String| text.parse().unwrap_or_default();
        for row in rows(admin, &sql).await? {
            let address = Address::new(CatalogId(number(field(&row, 0))), number(field(&row, 1)));
            let named = Named {
                kind: field(&row, 2),
                names: names(field(&row, 3)),
                args: names(field(&row, 4)),
            };
            if let (CatalogId::CLASS | CatalogId::TYPE, [schema, name]) =
                (address.catalog, named.names.as_slice())
            {
                guard.relations.insert((schema.clone(), name.clone()));
            }
            guard.made.insert(named, address);
        }
        Ok(guard)
    }

    /// Fails for a statement about what the restore did not make.
    pub(super) fn check(&self, statement: &Statement) -> Result<()> {
        let Some(on) = &statement.on else {
            return Ok(());
        };
        let of_relation = || match on.names.as_slice() {
            [schema, relation, _] if on.kind.ends_with(" column") || is_one(&OF_RELATION, on) => {
                self.relations.contains(&(schema.clone(), relation.clone()))
            }
            _ => false,
        };
        let is_schema =
            || on.kind == "schema" && on.names.iter().all(|name| self.schemas.contains(name));
        let only_described = statement.action == Action::Describe && is_one(&ONLY_DESCRIBED, on);
        if self.made.contains_key(on) || of_relation() || is_schema() || only_described {
            return Ok(());
        }
        let what = format!("{on} was not made by this restore, which says nothing about it");
        Err(Error::new(ErrorKind::PermissionDenied, what)
            .with_hint("Give --trust-backup if you trust whoever could write to its source."))
    }

    /// Whether a statement gives something to a role that has more rights than to own things.
    pub(super) fn is_grave(&self, statement: &Statement) -> bool {
        if statement.action != Action::Owner {
            return false;
        }
        let role = statement
            .sql
            .rsplit_once(" OWNER TO ")
            .map(|(_, role)| role);
        let plain = role.and_then(|role| role.strip_prefix('"')?.strip_suffix('"'));
        // A name with quotes in it is not worth to be taken apart.
        plain.is_none_or(|role| role.contains('"') || self.privileged.contains(role))
    }

    /// Gives an object its owner, unless its code would get that role's rights.
    pub(super) async fn give(
        &self,
        admin: &mut WireConnection,
        statement: &Statement,
    ) -> Result<()> {
        let address = statement.on.as_ref().and_then(|on| self.made.get(on));
        if let Some(address) = address
            && code::is_one(admin, *address).await?
        {
            let what = format!(
                "code of {} would have the rights of a role that has more than to own things",
                statement.object
            );
            return Err(Error::new(ErrorKind::PermissionDenied, what)
                .with_hint("Give --trust-backup if you trust whoever could write to its source."));
        }
        admin.query_one(&statement.sql).await.map(drop)
    }
}

fn is_one(kinds: &[&str], on: &Named) -> bool {
    kinds.contains(&on.kind.as_str())
}
