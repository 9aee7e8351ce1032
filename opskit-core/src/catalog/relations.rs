//! Tables and what else holds rows: which ones, their columns, and the heaps below them.

use super::{Pattern, TextRow, flag, number, text};
use crate::error::{Error, ErrorKind, Result};
use crate::name::QualifiedName;
use crate::pgtype::{ColumnType, Form, Leaf, Node, RowType, TypeCatalog, TypeName};
use serde::{Deserialize, Serialize};

/// Ranges of `ctid` are scanned without reading the rest from this version on.
const TID_RANGE_VERSION: u32 = 140_000;

/// What kind of relation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum RelationKind {
    /// An ordinary table.
    Table,
    /// A partitioned table: its rows are in its partitions.
    Partitioned,
    /// A materialised view.
    MaterializedView,
    /// A view.
    View,
    /// A foreign table.
    Foreign,
}

impl RelationKind {
    fn parse(relkind: &str) -> Result<Self> {
        Ok(match relkind {
            "r" => Self::Table,
            "p" => Self::Partitioned,
            "m" => Self::MaterializedView,
            "v" => Self::View,
            "f" => Self::Foreign,
            other => {
                return Err(Error::new(
                    ErrorKind::Internal,
                    format!("unknown kind of relation {other:?}"),
                ));
            }
        })
    }

    /// Whether `LOCK TABLE` takes it.
    #[must_use]
    pub fn is_lockable(self) -> bool {
        // Locking a view locks the tables below it.
        matches!(self, Self::Table | Self::Partitioned | Self::View)
    }
}

/// A heap that can be read, as the catalog tells it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heap {
    /// The relation that holds the rows: the table itself or one of its partitions.
    pub name: QualifiedName,
    /// Its size in blocks. 0 where there are none to count (foreign tables, views).
    pub blocks: u64,
    /// The size of a block in bytes.
    pub block_bytes: u64,
    /// Whether rows have a `ctid` whose ranges the server can scan without reading the rest.
    pub has_ranges: bool,
    /// Whether children that inherit from it must be left out (`ONLY`).
    pub only: bool,
}

/// A relation that a pattern found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Relation {
    /// Its OID.
    pub oid: u32,
    /// Schema and name.
    pub name: QualifiedName,
    /// Its kind.
    pub kind: RelationKind,
    /// The partitioned tables above it.
    pub ancestors: Vec<u32>,
    /// Whether other tables inherit from it; their rows are not read with it.
    pub has_children: bool,
}

/// The query for what a pattern finds. Views and foreign tables are found by their exact names only:
/// they hold no rows of their own.
#[must_use]
pub fn relations_by_pattern(pattern: &Pattern) -> String {
    let kinds = if pattern.is_wild() {
        "'r','p','m'"
    } else {
        "'r','p','m','v','f'"
    };
    let scope = if pattern.is_wild() {
        // No wildcard reaches into what belongs to the server.
        "and n.nspname operator(pg_catalog.!~) '^(pg_.*|information_schema)$'"
    } else {
        ""
    };
    format!(
        "select c.oid::pg_catalog.text, n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.relkind::pg_catalog.text, \
           coalesce((select pg_catalog.string_agg(a.relid::pg_catalog.oid::pg_catalog.text, ',') \
             from pg_catalog.pg_partition_ancestors(c.oid) a(relid) where a.relid <> c.oid), ''), \
           (c.relkind = 'r' and exists (select from pg_catalog.pg_inherits i where i.inhparent = c.oid))::pg_catalog.text \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where c.relkind in ({kinds}) and c.relpersistence <> 't' and {} {scope} order by 2, 3",
        pattern.condition()
    )
}

/// Folds the answer to [`relations_by_pattern`].
///
/// # Errors
/// [`ErrorKind::Internal`] when the answer is not one.
pub fn relations_from(rows: &[TextRow]) -> Result<Vec<Relation>> {
    rows.iter()
        .map(|row| {
            let ancestors = text(row, 4)?
                .split(',')
                .filter_map(|oid| oid.parse().ok())
                .collect();
            Ok(Relation {
                oid: number(row, 0)?,
                name: QualifiedName::new(text(row, 1)?, text(row, 2)?),
                kind: RelationKind::parse(text(row, 3)?)?,
                ancestors,
                has_children: text(row, 5)? == "true",
            })
        })
        .collect()
}

/// The query for the heaps below a relation: itself, or the leaves of a partitioned table, as the
/// snapshot has them (`pg_partition_tree` would tell what is attached now). Their last
/// column says whether the heap is still the one that the snapshot knows.
pub(crate) fn heaps_sql(relation: u32) -> String {
    let tree = format!(
        "with recursive tree(oid) as (select {relation}::pg_catalog.oid union all \
           select i.inhrelid from tree join pg_catalog.pg_class p on p.oid = tree.oid and p.relkind = 'p' \
             join pg_catalog.pg_inherits i on i.inhparent = tree.oid) "
    );
    tree + &heaps_in("select oid from tree")
}

/// The query for the heaps of many tables at once, none of them partitioned. Folded like the answer to
/// [`heaps_sql`]; a last column has the OID of the table.
pub(crate) fn heaps_of_sql(tables: &[u32]) -> String {
    heaps_in(&oids(tables))
}

fn heaps_in(tables: &str) -> String {
    format!(
        "select n.nspname::pg_catalog.text, c.relname::pg_catalog.text, c.relkind::pg_catalog.text, \
           case when c.relkind in ('r','m') then (pg_catalog.pg_relation_size(c.oid) / b.bytes)::pg_catalog.text else '0' end, \
           b.bytes::pg_catalog.text, \
           (c.relkind in ('r','m') and a.amname is not distinct from 'heap')::pg_catalog.text, \
           (c.relkind not in ('r','m') or c.relfilenode = 0 or \
             c.relfilenode is not distinct from pg_catalog.pg_relation_filenode(c.oid))::pg_catalog.text, \
           c.oid::pg_catalog.text \
         from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
           left join pg_catalog.pg_am a on a.oid = c.relam \
           cross join (select pg_catalog.current_setting('block_size')::pg_catalog.int8) b(bytes) \
         where c.oid in ({tables}) \
           and c.relkind <> 'p' order by 1, 2"
    )
}

/// A query that gives these OIDs.
fn oids(oids: &[u32]) -> String {
    let list: Vec<String> = oids.iter().map(u32::to_string).collect();
    format!(
        "select pg_catalog.unnest('{{{}}}'::pg_catalog.oid[])",
        list.join(",")
    )
}

/// Folds the answer to [`heaps_sql`]: the heaps, and those that were rewritten since the snapshot.
pub(crate) fn heaps_from(
    rows: &[TextRow],
    server_version: u32,
) -> Result<(Vec<Heap>, Vec<QualifiedName>)> {
    let mut heaps = Vec::new();
    let mut rewritten = Vec::new();
    for row in rows {
        let name = QualifiedName::new(text(row, 0)?, text(row, 1)?);
        if text(row, 6)? != "true" {
            rewritten.push(name.clone());
        }
        heaps.push(Heap {
            only: matches!(text(row, 2)?, "r"),
            blocks: number(row, 3)?,
            block_bytes: number(row, 4)?,
            has_ranges: server_version >= TID_RANGE_VERSION && text(row, 5)? == "true",
            name,
        });
    }
    Ok((heaps, rewritten))
}

/// The query for the columns of relations, one relation after the other. A last column has the OID of
/// the relation.
pub(crate) fn columns_sql(relations: &[u32]) -> String {
    format!(
        "select a.attname::pg_catalog.text, a.atttypid::pg_catalog.oid::pg_catalog.text, a.atttypmod::pg_catalog.text, \
           pg_catalog.format_type(a.atttypid, a.atttypmod), a.attnotnull, a.attgenerated <> '', \
           (select pg_catalog.json_agg(e.enumlabel order by e.enumsortorder)::pg_catalog.text \
              from pg_catalog.pg_enum e where e.enumtypid = a.atttypid), \
           a.attrelid::pg_catalog.text \
         from pg_catalog.pg_attribute a \
         where a.attrelid in ({}) and a.attnum > 0 and not a.attisdropped order by a.attrelid, a.attnum",
        oids(relations)
    )
}

/// Folds the answer to [`columns_sql`], with the types in it.
pub(crate) fn columns_from(rows: &[TextRow], types: &TypeCatalog) -> Result<RowType> {
    let columns = rows.iter().map(|row| {
        let node = types.resolve(number(row, 1)?, number(row, 2)?)?;
        let labels = row
            .get(6)
            .and_then(Option::as_deref)
            .map(serde_json::from_str)
            .transpose();
        Ok(ColumnType {
            name: text(row, 0)?.to_owned(),
            sql_type: text(row, 3)?.to_owned(),
            as_text: node.is_none(),
            by_output: node.is_none() && !types.has_own_cast(number(row, 1)?)?,
            node: node.unwrap_or_else(text_node),
            not_null: flag(row, 4)?,
            generated: flag(row, 5)?,
            enum_labels: labels.ok().flatten().unwrap_or_default(),
        })
    });
    Ok(RowType {
        columns: columns.collect::<Result<_>>()?,
    })
}

/// What a column is read as that has no portable binary form.
fn text_node() -> Node {
    /// `TEXTOID`, fixed in `pg_type.dat`.
    const TEXT_OID: u32 = 25;
    Node {
        id: TypeName {
            oid: TEXT_OID,
            name: QualifiedName::new("pg_catalog", "text"),
        },
        form: Form::Leaf(Leaf::Text),
    }
}
