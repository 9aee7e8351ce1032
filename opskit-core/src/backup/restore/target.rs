//! What there is to restore into.

use crate::catalog::TextRow;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{QualifiedName, quote_ident, quote_literal};
use crate::postgres::wire::WireConnection;
use std::collections::HashSet;

/// The target's role and server, and what its database has already.
#[derive(Debug)]
pub(super) struct Target {
    pub(super) version: u32,
    pub(super) role: String,
    pub(super) database: String,
    pub(super) database_oid: String,
    pub(super) encoding: String,
    pub(super) is_superuser: bool,
    pub(super) is_standby: bool,
    /// Whether the role may create schemas.
    pub(super) may_create: bool,
    pub(super) locks: u64,
    /// Roles, and whether this one may act for them.
    pub(super) roles: Vec<(String, bool)>,
    /// Extensions that could be created or exist.
    pub(super) extensions: HashSet<String>,
    /// Extensions that exist.
    pub(super) installed: HashSet<String>,
    pub(super) schemas: HashSet<String>,
    /// Large objects, by their numbers.
    pub(super) large_objects: HashSet<u32>,
    /// Relations, as schema and name.
    pub(super) relations: HashSet<(String, String)>,
}

impl Target {
    pub(super) async fn read(connection: &mut WireConnection) -> Result<Self> {
        let row = one(connection, IDENTITY).await?;
        let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        let roles = rows(
            connection,
            "select rolname::pg_catalog.text, pg_catalog.pg_has_role(current_user, oid, 'MEMBER')::pg_catalog.text from pg_catalog.pg_roles",
        )
        .await?;
        let extensions = rows(
            connection,
            "select name::pg_catalog.text from pg_catalog.pg_available_extensions union select extname from pg_catalog.pg_extension",
        )
        .await?;
        let installed = rows(
            connection,
            "select extname::pg_catalog.text from pg_catalog.pg_extension",
        )
        .await?;
        let schemas = rows(
            connection,
            "select nspname::pg_catalog.text from pg_catalog.pg_namespace",
        )
        .await?;
        let large = rows(
            connection,
            "select oid::pg_catalog.text from pg_catalog.pg_largeobject_metadata",
        )
        .await?;
        let relations = rows(connection, RELATIONS).await?;
        Ok(Self {
            version: connection.server_version_num(),
            role: text(0),
            database: text(1),
            database_oid: text(2),
            encoding: text(3),
            is_superuser: text(4) == "true",
            is_standby: text(5) == "true",
            may_create: text(6) == "true",
            locks: text(7).parse().unwrap_or(u64::MAX),
            roles: roles
                .into_iter()
                .map(|row| (field(&row, 0), field(&row, 1) == "true"))
                .collect(),
            extensions: extensions.iter().map(|row| field(row, 0)).collect(),
            installed: installed.iter().map(|row| field(row, 0)).collect(),
            schemas: schemas.iter().map(|row| field(row, 0)).collect(),
            large_objects: large
                .iter()
                .filter_map(|row| field(row, 0).parse().ok())
                .collect(),
            relations: relations
                .iter()
                .map(|row| (field(row, 0), field(row, 1)))
                .collect(),
        })
    }

    /// Whether a role exists, and if so whether this one may act for it.
    pub(super) fn may_act_for(&self, role: &str) -> Option<bool> {
        let mut roles = self.roles.iter();
        roles.find(|(name, _)| name == role).map(|(_, may)| *may)
    }
}

const IDENTITY: &str = "select current_user::pg_catalog.text, pg_catalog.current_database()::pg_catalog.text, \
   d.oid::pg_catalog.text, pg_catalog.pg_encoding_to_char(d.encoding)::pg_catalog.text, \
   r.rolsuper::pg_catalog.text, pg_catalog.pg_is_in_recovery()::pg_catalog.text, \
   pg_catalog.has_database_privilege(d.oid, 'CREATE')::pg_catalog.text, \
   (pg_catalog.current_setting('max_locks_per_transaction')::pg_catalog.int8 * \
     (pg_catalog.current_setting('max_connections')::pg_catalog.int8 + \
      pg_catalog.current_setting('max_prepared_transactions')::pg_catalog.int8))::pg_catalog.text \
 from pg_catalog.pg_database d, pg_catalog.pg_roles r \
 where d.datname = pg_catalog.current_database() and r.rolname = current_user";

const RELATIONS: &str = "select n.nspname::pg_catalog.text, c.relname::pg_catalog.text \
 from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
 where c.relkind in ('r', 'p', 'v', 'm', 'f', 'S', 'c') and n.nspname operator(pg_catalog.!~) '^(pg_.*|information_schema)$' \
   and not exists (select from pg_catalog.pg_depend e where e.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
     and e.objid = c.oid and e.objsubid = 0 and e.deptype = 'e')";

/// The statements that drop what these schemas hold, each with what it drops.
pub(super) async fn drops(
    connection: &mut WireConnection,
    schemas: &[String],
) -> Result<Vec<(String, String)>> {
    if schemas.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = schemas.iter().map(|name| quote_literal(name)).collect();
    // Pieces of other objects and what extensions made go with those.
    let sql = format!(
        "select distinct i.type, i.identity from pg_catalog.pg_depend d \
           join pg_catalog.pg_namespace n on n.oid = d.refobjid and n.nspname in ({}) \
           cross join lateral pg_catalog.pg_identify_object(d.classid, d.objid, 0) i \
         where d.refclassid = 'pg_catalog.pg_namespace'::pg_catalog.regclass and d.deptype = 'n' \
           and d.classid <> 'pg_catalog.pg_extension'::pg_catalog.regclass \
           and i.type not in ('composite type', 'default acl', 'publication namespace') \
           and not exists (select from pg_catalog.pg_depend e where e.classid = d.classid and e.objid = d.objid and e.objsubid = 0 and e.deptype in ('e', 'i')) \
         order by 1, 2",
        names.join(", ")
    );
    let found = rows(connection, &sql).await?;
    Ok(found
        .iter()
        .map(|row| {
            let (kind, identity) = (field(row, 0), field(row, 1));
            (
                format!("{kind} {identity}"),
                format!("DROP {} IF EXISTS {identity} CASCADE", kind.to_uppercase()),
            )
        })
        .collect())
}

/// The statements that drop large objects, each with what it drops.
pub(super) fn large_object_drops(numbers: impl Iterator<Item = u32>) -> Vec<(String, String)> {
    let drop = |number: u32| {
        (
            format!("large object {number}"),
            format!("SELECT pg_catalog.lo_unlink({number})"),
        )
    };
    numbers.map(drop).collect()
}

/// What stands in the way of rows in tables that exist: foreign keys, which know no order, and triggers.
#[derive(Debug, Clone)]
pub(super) struct Bracket {
    pub(super) object: String,
    /// Takes it away.
    pub(super) before: String,
    /// Puts it back as it was.
    pub(super) after: String,
}

/// The foreign keys to and from these tables, and their triggers.
pub(super) async fn brackets(
    connection: &mut WireConnection,
    tables: impl Iterator<Item = &QualifiedName>,
) -> Result<Vec<Bracket>> {
    let names: Vec<String> = tables
        .map(|name| {
            format!(
                "({}, {})",
                quote_literal(&name.schema),
                quote_literal(&name.name)
            )
        })
        .collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let sql = format!(
        "with t(oid) as (select c.oid from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
           where (n.nspname, c.relname) in ({})) \
         select pg_catalog.format('foreign key %s on %s', k.conname, k.conrelid::pg_catalog.regclass), \
           pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT %I', k.conrelid::pg_catalog.regclass, k.conname), \
           pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.conrelid::pg_catalog.regclass, k.conname, pg_catalog.pg_get_constraintdef(k.oid)) \
         from pg_catalog.pg_constraint k where k.contype = 'f' and k.conparentid = 0 \
           and (k.conrelid in (select oid from t) or k.confrelid in (select oid from t)) \
         union all \
         select pg_catalog.format('trigger %s on %s', g.tgname, g.tgrelid::pg_catalog.regclass), \
           pg_catalog.format('ALTER TABLE %s DISABLE TRIGGER %I', g.tgrelid::pg_catalog.regclass, g.tgname), \
           pg_catalog.format('ALTER TABLE %s ENABLE %sTRIGGER %I', g.tgrelid::pg_catalog.regclass, \
             case g.tgenabled when 'A' then 'ALWAYS ' when 'R' then 'REPLICA ' else '' end, g.tgname) \
         from pg_catalog.pg_trigger g where not g.tgisinternal and g.tgenabled <> 'D' and g.tgrelid in (select oid from t) \
         order by 1",
        names.join(", ")
    );
    let found = rows(connection, &sql).await?;
    let bracket = |row: &TextRow| Bracket {
        object: field(row, 0),
        before: field(row, 1),
        after: field(row, 2),
    };
    Ok(found.iter().map(bracket).collect())
}

/// The names among `tables` that a pattern finds, asked of the server because patterns are its
/// regular expressions.
pub(super) async fn matching(
    connection: &mut WireConnection,
    tables: &[(String, String)],
    condition: &str,
) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for some in tables.chunks(1000) {
        let values: Vec<String> = some
            .iter()
            .map(|(schema, name)| format!("({}, {})", quote_literal(schema), quote_literal(name)))
            .collect();
        let sql = format!(
            "select v.nspname, v.relname from (values {}) v(nspname, relname) where {condition}",
            values.join(", ")
        );
        let answer = rows(connection, &sql).await?;
        found.extend(answer.iter().map(|row| (field(row, 0), field(row, 1))));
    }
    Ok(found)
}

/// Gives `role` what it needs to work in a schema that was there before.
pub(super) fn grant_schema(schema: &str, role: &str) -> String {
    format!(
        "GRANT USAGE, CREATE ON SCHEMA {} TO {}",
        quote_ident(schema),
        quote_ident(role)
    )
}

pub(super) async fn rows(connection: &mut WireConnection, sql: &str) -> Result<Vec<TextRow>> {
    let answer = connection.query_one(sql).await;
    Ok(answer
        .map_err(|error| error.while_doing("cannot look at the target"))?
        .rows)
}

async fn one(connection: &mut WireConnection, sql: &str) -> Result<TextRow> {
    let found = rows(connection, sql).await?.into_iter().next();
    found.ok_or_else(|| Error::new(ErrorKind::Internal, "the target does not tell what it is"))
}

pub(super) fn field(row: &TextRow, at: usize) -> String {
    row.get(at).cloned().flatten().unwrap_or_default()
}
