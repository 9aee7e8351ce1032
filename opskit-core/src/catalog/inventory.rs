//! The inventory of a database: what holds rows or values, to whom it belongs, and whether this role
//! sees all of it.

use super::scope::Scope;
use super::{Pattern, TextRow, flag, number, text};
use crate::error::{Error, ErrorKind, Result};
use crate::name::{QualifiedName, quote_ident, quote_literal};
use std::collections::HashSet;
use std::ops::RangeInclusive;

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ItemKind {
    /// A table that holds its rows itself.
    Table,
    /// A partitioned table, whose rows are in its partitions.
    Partitioned,
    /// A table whose rows are elsewhere.
    Foreign,
    /// A sequence.
    Sequence,
}

/// One item of the inventory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Item {
    pub(crate) oid: u32,
    pub(crate) name: QualifiedName,
    pub(crate) kind: ItemKind,
    /// Whether a crash empties it, and a standby has no rows of it.
    pub(crate) unlogged: bool,
    /// The partitioned tables above it.
    pub(crate) ancestors: Vec<u32>,
    /// Whether this role may read it.
    pub(crate) readable: bool,
    /// Whether row-level security would hide rows from this role.
    pub(crate) filtered: bool,
    /// For a configuration table of an extension.
    pub(crate) extension: Option<OfExtension>,
    /// The table that a sequence goes with.
    pub(crate) owner: Option<u32>,
    /// Whether it is a table of the platform's, whose rows are the user's.
    pub(crate) platform: bool,
}

/// A table of an extension whose rows are the user's, in part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OfExtension {
    /// The extension.
    pub(crate) name: String,
    /// Which rows: a `WHERE` clause of the extension's author, or nothing for all.
    pub(crate) condition: String,
}

/// The query for the inventory.
///
/// What an extension made is not in it, except for the tables that it declares to hold data of the
/// user's (`pg_extension_config_dump`); of a platform's, only tables with rows of the user's.
pub(crate) fn inventory_sql(scope: &Scope) -> String {
    format!(
        "select c.oid::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.relkind::pg_catalog.text, \
           c.relpersistence = 'u', \
           case when c.relispartition then coalesce((select pg_catalog.string_agg(a.relid::pg_catalog.oid::pg_catalog.text, ',') \
             from pg_catalog.pg_partition_ancestors(c.oid) a(relid) where a.relid <> c.oid), '') else '' end, \
           pg_catalog.has_schema_privilege(n.oid, 'USAGE') and pg_catalog.has_table_privilege(c.oid, 'SELECT'), \
           pg_catalog.row_security_active(c.oid), \
           x.extname::pg_catalog.text, x.condition, \
           case when c.relkind = 'S' then (select d.refobjid::pg_catalog.text from pg_catalog.pg_depend d \
             where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass and d.objid = c.oid and d.objsubid = 0 \
               and d.refclassid = d.classid and d.refobjsubid > 0 and d.deptype in ('a', 'i') limit 1) end, \
           x.relation is null and {platform} \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
           left join (select e.extname, e.extowner, t.relation, t.condition \
             from pg_catalog.pg_extension e cross join lateral rows from \
               (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) t(relation, condition)) x \
             on x.relation = c.oid \
         where c.relkind in ('r','p','f','S') and c.relpersistence <> 't' and \
           case when x.relation is not null then {of_extension} else ({own} or {platform} and c.relkind in ('r','p')) and not exists ( \
             select from pg_catalog.pg_depend d where d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass \
               and d.objid = c.oid and d.objsubid = 0 and d.deptype = 'e') end \
         order by n.nspname collate \"C\", c.relname collate \"C\"",
        of_extension = scope.owner_condition("x.extowner"),
        own = scope.condition("n"),
        platform = scope.platform_data_condition("n"),
    )
}

/// Folds the answer to [`inventory_sql`].
pub(crate) fn inventory_from(rows: &[TextRow]) -> Result<Vec<Item>> {
    let item = |row: &TextRow| {
        let ancestors = text(row, 5)?.split(',');
        let extension = row[8].as_ref().map(|name| OfExtension {
            name: name.clone(),
            condition: row[9].clone().unwrap_or_default(),
        });
        Ok(Item {
            oid: number(row, 0)?,
            name: QualifiedName::new(text(row, 1)?, text(row, 2)?),
            kind: kind(text(row, 3)?)?,
            unlogged: flag(row, 4)?,
            ancestors: ancestors.filter_map(|oid| oid.parse().ok()).collect(),
            readable: flag(row, 6)?,
            filtered: flag(row, 7)?,
            extension,
            owner: row[10].as_deref().and_then(|oid| oid.parse().ok()),
            platform: flag(row, 11)?,
        })
    };
    rows.iter().map(item).collect()
}

fn kind(relkind: &str) -> Result<ItemKind> {
    Ok(match relkind {
        "r" => ItemKind::Table,
        "p" => ItemKind::Partitioned,
        "f" => ItemKind::Foreign,
        "S" => ItemKind::Sequence,
        other => {
            return Err(Error::new(
                ErrorKind::Internal,
                format!("unknown kind of relation {other:?}"),
            ));
        }
    })
}

/// The query for the OIDs of everything of the inventory's kinds that a pattern finds, in scope or not.
pub(crate) fn matching_sql(pattern: &Pattern) -> String {
    format!(
        "select c.oid::pg_catalog.text from pg_catalog.pg_class c \
           join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where c.relkind in ('r','p','f','S') and {}",
        pattern.condition()
    )
}

/// Folds the answer to [`matching_sql`].
pub(crate) fn matching_from(rows: &[TextRow]) -> Result<HashSet<u32>> {
    rows.iter().map(|row| number(row, 0)).collect()
}

/// The query for the schemas that do not belong to the user, the server's own apart.
pub(crate) fn outside_sql(scope: &Scope) -> String {
    format!(
        "select n.nspname::pg_catalog.text from pg_catalog.pg_namespace n \
         where n.nspname operator(pg_catalog.!~) '^(pg_.*|information_schema)$' and not {} \
         order by n.nspname collate \"C\"",
        scope.condition("n")
    )
}

/// The query for the values of sequences, which are the current ones whatever the snapshot.
pub(crate) fn sequences_sql(names: &[QualifiedName]) -> String {
    let selects: Vec<String> = names
        .iter()
        .map(|name| {
            format!(
                "select {}, {}, s.last_value::pg_catalog.text, s.is_called from {} s",
                quote_literal(&name.schema),
                quote_literal(&name.name),
                name.to_sql()
            )
        })
        .collect();
    selects.join(" union all ")
}

/// Folds a row of the answer to [`sequences_sql`]: name, last value, whether it was given.
pub(crate) fn sequence_from(row: &TextRow) -> Result<(QualifiedName, i64, bool)> {
    let name = QualifiedName::new(text(row, 0)?, text(row, 1)?);
    Ok((name, number(row, 2)?, flag(row, 3)?))
}

/// The query that reads those rows of a table of an extension that are the user's.
///
/// The condition is text of the extension's author; whoever runs this looks first whether it parses as
/// one statement.
pub(crate) fn extension_rows_sql(table: &QualifiedName, of: &OfExtension) -> String {
    format!("SELECT * FROM ONLY {} {}", table.to_sql(), of.condition)
}

/// The name under which large objects are kept.
pub(crate) fn large_objects_name() -> QualifiedName {
    QualifiedName::new("pg_catalog", "pg_largeobject")
}

/// The query that counts the large objects, and tells how much room they take.
pub(crate) const LARGE_OBJECTS_SQL: &str = "select pg_catalog.count(*)::pg_catalog.text, \
     pg_catalog.pg_relation_size('pg_catalog.pg_largeobject')::pg_catalog.text \
     from pg_catalog.pg_largeobject_metadata";

/// The query for the large objects that this role may not read: how many, and the first of them. Not even
/// `pg_read_all_data` reaches them.
pub(crate) const UNREADABLE_LARGE_OBJECTS_SQL: &str = "select pg_catalog.count(*)::pg_catalog.text, \
     pg_catalog.array_to_string((pg_catalog.array_agg(m.oid order by m.oid))[1:3], ', ') \
     from pg_catalog.pg_largeobject_metadata m where pg_catalog.current_setting('lo_compat_privileges') = 'off' \
       and not (select r.rolsuper from pg_catalog.pg_roles r where r.rolname = current_user) and not exists (select \
         from pg_catalog.aclexplode(coalesce(m.lomacl, pg_catalog.acldefault('L', m.lomowner))) a \
         where a.privilege_type = 'SELECT' and (a.grantee = 0 or pg_catalog.pg_has_role(a.grantee, 'USAGE')))";

/// The query for the first OID of each of `parts` equal shares of the large objects.
pub(crate) fn large_object_bounds_sql(parts: u64) -> String {
    format!(
        "select pg_catalog.min(m.oid)::pg_catalog.text from ( \
           select o.oid, pg_catalog.ntile({parts}::pg_catalog.int4) over (order by o.oid) as share \
           from pg_catalog.pg_largeobject_metadata o) m group by m.share order by m.share"
    )
}

/// The query that reads the pages of the large objects from one OID up to another, but for some, by functions
/// that every owner may call. Columns: `loid`, `page`, `data`.
///
/// The size is one expression for each object, so that its descriptor is closed before the next is
/// opened; the planner caches joins on descriptors, which are the same number again and again.
pub(crate) fn large_object_pages_sql(
    oids: RangeInclusive<u32>,
    but_for: &[u32],
    page_bytes: u32,
) -> String {
    let (first, last) = oids.into_inner();
    let but_for: Vec<String> = but_for.iter().map(u32::to_string).collect();
    let but_for = match but_for.as_slice() {
        [] => String::new(),
        some => format!(" and m.oid not in ({})", some.join(", ")),
    };
    format!(
        "SELECT o.oid, p.page, pg_catalog.lo_get(o.oid, p.page::pg_catalog.int8 * {page_bytes}, {page_bytes}) \
         FROM (SELECT m.oid, (SELECT CASE WHEN pg_catalog.lo_close(t.fd) = 0 THEN t.bytes END \
             FROM (SELECT f.fd, pg_catalog.lo_lseek64(f.fd, 0, 2) AS bytes \
               FROM (SELECT pg_catalog.lo_open(m.oid, 262144) AS fd OFFSET 0) f OFFSET 0) t) AS bytes \
           FROM pg_catalog.pg_largeobject_metadata m WHERE m.oid between {first} and {last}{but_for} ORDER BY m.oid OFFSET 0) o \
         CROSS JOIN LATERAL pg_catalog.generate_series(0, ((greatest(o.bytes, 1) - 1) / {page_bytes})::pg_catalog.int4) p(page)"
    )
}

/// A tool that writes down in the database which migrations ran.
#[derive(Debug)]
pub(crate) struct MigrationTable {
    /// Schema and name; a name without a schema is looked for in `public`.
    table: (&'static str, &'static str),
    /// The expression for the latest version.
    version: &'static str,
}

/// The history tables that we know.
pub(crate) const MIGRATION_TABLES: &[MigrationTable] = &[
    known(
        "supabase_migrations",
        "schema_migrations",
        "pg_catalog.max(version)",
    ),
    known(
        "public",
        "_sqlx_migrations",
        "pg_catalog.max(version) filter (where success)",
    ),
    known("public", "schema_migrations", "pg_catalog.max(version)"),
    known("public", "alembic_version", "pg_catalog.max(version_num)"),
    known(
        "public",
        "flyway_schema_history",
        "(pg_catalog.array_agg(version order by installed_rank desc) filter (where success and version is not null))[1]",
    ),
    known(
        "public",
        "_prisma_migrations",
        "(pg_catalog.array_agg(migration_name order by finished_at desc) filter (where finished_at is not null))[1]",
    ),
    known(
        "public",
        "django_migrations",
        "(pg_catalog.array_agg(app || '.' || name order by id desc))[1]",
    ),
    known(
        "public",
        "knex_migrations",
        "(pg_catalog.array_agg(name order by id desc))[1]",
    ),
    known(
        "drizzle",
        "__drizzle_migrations",
        "(pg_catalog.array_agg(hash order by created_at desc))[1]",
    ),
];

const fn known(schema: &'static str, name: &'static str, version: &'static str) -> MigrationTable {
    MigrationTable {
        table: (schema, name),
        version,
    }
}

impl MigrationTable {
    pub(crate) fn name(&self) -> QualifiedName {
        QualifiedName::new(self.table.0, self.table.1)
    }

    /// The query for the latest version. It fails where the table has other columns.
    pub(crate) fn version_sql(&self) -> String {
        format!(
            "select ({})::pg_catalog.text from {}.{}",
            self.version,
            quote_ident(self.table.0),
            quote_ident(self.table.1)
        )
    }
}
