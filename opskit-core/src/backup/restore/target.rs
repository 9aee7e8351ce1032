//! What there is to restore into.

use super::mark::{self, Found};
use super::present::{self, Present};
use crate::catalog::{Address, CatalogId, TextRow};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{QualifiedName, quote_ident, quote_literal};
use crate::postgres::wire::WireConnection;
use std::collections::{HashMap, HashSet};

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
    pub(super) roles: Vec<RoleHere>,
    /// Extensions that could be created or exist.
    pub(super) extensions: HashSet<String>,
    /// Extensions that exist.
    pub(super) installed: HashSet<String>,
    pub(super) schemas: HashSet<String>,
    /// The default version of each extension.
    pub(super) default_versions: HashMap<String, String>,
    /// Extensions whose creation the server leaves to others than superusers.
    pub(super) trusted: HashSet<String>,
    /// Objects that are no extension's and not the server's.
    pub(super) present: Vec<Present>,
    /// What an earlier restore left.
    pub(super) found: Found,
}

/// A role of the target.
#[derive(Debug)]
pub(super) struct RoleHere {
    pub(super) name: String,
    /// Whether the target's role may act for it.
    pub(super) may_act: bool,
    /// It has more rights than to own things, or can become somebody who has.
    pub(super) is_privileged: bool,
}

impl Target {
    pub(super) async fn read(connection: &mut WireConnection) -> Result<Self> {
        let row = one(connection, IDENTITY).await?;
        let text = |at: usize| row.get(at).cloned().flatten().unwrap_or_default();
        let roles = rows(connection, ROLES).await?;
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
        let versions = rows(connection, VERSIONS).await?;
        let trusted = rows(connection, TRUSTED).await?;
        let found = mark::find(connection).await?;
        let present = present::read(connection, &found).await?;
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
                .iter()
                .map(|row| RoleHere {
                    name: field(row, 0),
                    may_act: field(row, 1) == "true",
                    is_privileged: field(row, 2) == "true",
                })
                .collect(),
            extensions: extensions.iter().map(|row| field(row, 0)).collect(),
            installed: installed.iter().map(|row| field(row, 0)).collect(),
            schemas: schemas.iter().map(|row| field(row, 0)).collect(),
            default_versions: versions
                .iter()
                .map(|row| (field(row, 0), field(row, 1)))
                .collect(),
            trusted: trusted.iter().map(|row| field(row, 0)).collect(),
            present,
            found,
        })
    }

    /// Whether a role exists, and if so whether this one may act for it.
    pub(super) fn may_act_for(&self, role: &str) -> Option<bool> {
        self.role(role).map(|role| role.may_act)
    }

    /// Whether a role has more rights than to own things.
    pub(super) fn is_privileged(&self, role: &str) -> bool {
        self.role(role).is_some_and(|role| role.is_privileged)
    }

    fn role(&self, name: &str) -> Option<&RoleHere> {
        self.roles.iter().find(|role| role.name == name)
    }

    /// Whether the target has this relation.
    pub(super) fn has_relation(&self, name: &QualifiedName) -> bool {
        self.present.iter().any(|it| {
            it.address.catalog == CatalogId::CLASS
                && it.schema.as_deref() == Some(&name.schema)
                && it.name == name.name
        })
    }

    /// Forgets what is dropped before anything is made.
    pub(super) fn without(&mut self, gone: &[Present]) {
        let gone: HashSet<Address> = gone.iter().map(|it| it.address).collect();
        let (left, stays): (Vec<_>, Vec<_>) = std::mem::take(&mut self.present)
            .into_iter()
            .partition(|it| gone.contains(&it.address));
        self.present = stays;
        for it in left {
            match it.address.catalog {
                CatalogId::NAMESPACE => drop(self.schemas.remove(&it.name)),
                CatalogId::EXTENSION => drop(self.installed.remove(&it.name)),
                _ => {}
            }
        }
    }
}

/// A role that can become one with more rights than to own things is one itself.
const ROLES: &str = "with p as (select oid from pg_catalog.pg_roles \
     where rolsuper or rolcreaterole or rolreplication or rolbypassrls \
       or rolname operator(pg_catalog.~) '^pg_' and rolname not in ('pg_database_owner', 'pg_monitor', \
         'pg_read_all_settings', 'pg_read_all_stats', 'pg_stat_scan_tables')) \
   select r.rolname::pg_catalog.text, pg_catalog.pg_has_role(current_user, r.oid, 'MEMBER')::pg_catalog.text, \
     (exists (select from p where pg_catalog.pg_has_role(r.oid, p.oid, 'MEMBER')))::pg_catalog.text \
   from pg_catalog.pg_roles r";

const VERSIONS: &str =
    "select name::pg_catalog.text, default_version from pg_catalog.pg_available_extensions";

const TRUSTED: &str = "select v.name::pg_catalog.text from pg_catalog.pg_available_extension_versions v \
   join pg_catalog.pg_available_extensions x on x.name = v.name and x.default_version = v.version \
   where v.trusted or not v.superuser";

const IDENTITY: &str = "select current_user::pg_catalog.text, pg_catalog.current_database()::pg_catalog.text, \
   d.oid::pg_catalog.text, pg_catalog.pg_encoding_to_char(d.encoding)::pg_catalog.text, \
   r.rolsuper::pg_catalog.text, pg_catalog.pg_is_in_recovery()::pg_catalog.text, \
   pg_catalog.has_database_privilege(d.oid, 'CREATE')::pg_catalog.text, \
   (pg_catalog.current_setting('max_locks_per_transaction')::pg_catalog.int8 * \
     (pg_catalog.current_setting('max_connections')::pg_catalog.int8 + \
      pg_catalog.current_setting('max_prepared_transactions')::pg_catalog.int8))::pg_catalog.text \
 from pg_catalog.pg_database d, pg_catalog.pg_roles r \
 where d.datname = pg_catalog.current_database() and r.rolname = current_user";

/// What stands in the way of rows in tables that exist: foreign keys, which know no order, and triggers.
#[derive(Debug, Clone)]
pub(super) struct Bracket {
    pub(super) object: String,
    /// Takes it away.
    pub(super) before: String,
    /// Puts it back, without looking at rows. Nothing where the server cannot put that off, as for a key of a
    /// partitioned table before 18.
    pub(super) after: String,
    /// The owner of its table.
    pub(super) owner: String,
    /// Looks at the rows then, or puts back what had to wait for that. To plan it, the server runs functions of the
    /// table's indexes.
    pub(super) check: Option<String>,
}

impl Bracket {
    /// The statement that does nothing.
    pub(super) const NOTHING: &str = "SELECT";

    /// Whether it is put back only when all rows are there.
    pub(super) fn is_last(&self) -> bool {
        self.after == Self::NOTHING
    }

    /// From the fields `object`, `before`, `after`, `owner` and `check` of a row, the last empty for none.
    pub(super) fn from_row(row: &TextRow) -> Self {
        let check = field(row, 4);
        Self {
            object: field(row, 0),
            before: field(row, 1),
            after: field(row, 2),
            owner: field(row, 3),
            check: (!check.is_empty()).then_some(check),
        }
    }
}

/// What a trigger `g` of a user's is: the server calls those of partitions its own up to version 14.
const USERS_TRIGGER: &str = "(not g.tgisinternal or g.tgparentid <> 0 and not exists (select from pg_catalog.pg_constraint u \
     where u.oid = g.tgconstraint and u.contype <> 't'))";

/// The foreign keys to and from these tables and those whose partitions they are, and their triggers. The comment
/// of a key goes with it, and comes back after it.
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
           where (n.nspname, c.relname) in ({names})), \
           k as (select k.*, pg_catalog.format('foreign key %s on %s', k.conname, k.conrelid::pg_catalog.regclass) as object, \
             pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text as owner, \
             k.conrelid::pg_catalog.regclass::pg_catalog.text as place, pg_catalog.pg_get_constraintdef(k.oid) as definition, \
             pg_catalog.obj_description(k.oid, 'pg_constraint') as said, \
             case when not k.convalidated then 'as it was' when c.relkind = 'r' \
               or pg_catalog.current_setting('server_version_num')::pg_catalog.int4 >= 180000 then 'in two steps' else 'at last' end as how \
             from pg_catalog.pg_constraint k join pg_catalog.pg_class c on c.oid = k.conrelid where k.contype = 'f' and k.conparentid = 0 \
             and exists (select from (select t.oid from t union all \
               select a.relid from t cross join lateral pg_catalog.pg_partition_ancestors(t.oid) a) a \
               where a.oid in (k.conrelid, k.confrelid))), \
           s as (select k.*, pg_catalog.format('ALTER TABLE %s ADD CONSTRAINT %I %s', k.place, k.conname, k.definition) as make, \
             pg_catalog.format('COMMENT ON CONSTRAINT %I ON %s IS %L', k.conname, k.place, k.said) as say from k) \
         select s.object, pg_catalog.format('ALTER TABLE %s DROP CONSTRAINT IF EXISTS %I', s.place, s.conname), \
           case s.how when 'as it was' then s.make when 'in two steps' then s.make operator(pg_catalog.||) ' NOT VALID' else '{nothing}' end, s.owner, \
           case s.how when 'at last' then s.make when 'in two steps' then \
             pg_catalog.format('ALTER TABLE %s VALIDATE CONSTRAINT %I', s.place, s.conname) end from s \
         union all \
         select pg_catalog.format('%s: its comment', s.object), '{nothing}', case s.how when 'at last' then '{nothing}' else s.say end, s.owner, \
           case s.how when 'at last' then s.say end from s where s.said is not null \
         union all \
         select pg_catalog.format('trigger %s on %s', g.tgname, g.tgrelid::pg_catalog.regclass), \
           pg_catalog.format('ALTER TABLE %s DISABLE TRIGGER %I', g.tgrelid::pg_catalog.regclass, g.tgname), \
           pg_catalog.format('ALTER TABLE %s ENABLE %sTRIGGER %I', g.tgrelid::pg_catalog.regclass, \
             case g.tgenabled when 'A' then 'ALWAYS ' when 'R' then 'REPLICA ' else '' end, g.tgname), pg_catalog.pg_get_userbyid(c.relowner)::pg_catalog.text, null \
         from pg_catalog.pg_trigger g join pg_catalog.pg_class c on c.oid = g.tgrelid \
         where {users} and g.tgenabled <> 'D' and g.tgrelid in (select oid from t) \
         order by 1",
        names = names.join(", "),
        users = USERS_TRIGGER,
        nothing = Bracket::NOTHING
    );
    let found = rows(connection, &sql).await?;
    Ok(found.iter().map(Bracket::from_row).collect())
}

/// All relations of a kind, by the letter of the catalog.
pub(super) async fn relations(
    connection: &mut WireConnection,
    kind: char,
) -> Result<HashSet<QualifiedName>> {
    let sql = format!(
        "select n.nspname::pg_catalog.text, c.relname::pg_catalog.text from pg_catalog.pg_class c \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace where c.relkind = '{kind}'"
    );
    let found = rows(connection, &sql).await?;
    let names = found.iter();
    let names = names.map(|row| QualifiedName::new(field(row, 0), field(row, 1)));
    Ok(names.collect())
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
