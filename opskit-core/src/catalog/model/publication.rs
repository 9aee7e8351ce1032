//! Publications, what they publish, and subscriptions.

use super::read::{ReadContext, Reading, not_of_extension};
use super::{CatalogId, Definition};
use serde::{Deserialize, Serialize};

/// A publication.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Publication {
    /// What is published beside the tables and schemas that name it.
    pub covers: Covers,
    /// `insert`, `update`, `delete`, `truncate`.
    pub operations: Vec<String>,
    /// Under which table changes of partitions appear.
    pub partitions_as: PartitionsAs,
    /// Whether stored generated columns are published (from 18 on).
    pub generated_columns: GeneratedColumns,
}

/// What a publication publishes of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Covers {
    /// Only what is added to it.
    Listed,
    /// `FOR ALL TABLES`, which only a superuser may say.
    AllTables,
}

/// Under which table changes of partitions appear.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PartitionsAs {
    /// The partition.
    Themselves,
    /// The topmost published parent.
    Root,
}

/// Which generated columns are published.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GeneratedColumns {
    /// None.
    None,
    /// Those that are stored.
    Stored,
}

/// A table in a publication. The object's name is the publication's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublicationTable {
    /// The table, in the schema of the object.
    pub table: String,
    /// The columns; none means all.
    pub columns: Vec<String>,
    /// The row filter.
    pub filter: Option<String>,
}

/// All tables of a schema in a publication, which only a superuser may add. The object's name is the
/// publication's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PublicationSchema {
    /// The schema.
    pub published: String,
}

/// A subscription. It is named and not carried: its connection string is a secret, and a copy that
/// subscribes would take changes from the original.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Subscription {
    /// The publications it subscribes to.
    pub publications: Vec<String>,
    /// Its replication slot on the other side.
    pub slot: Option<String>,
}

/// The queries for publications, their contents, and subscriptions.
pub(super) fn readings(cx: &ReadContext<'_>) -> Vec<Reading> {
    let mut all = vec![publications(cx), tables(cx), subscriptions(cx)];
    if cx.server_version >= 150_000 {
        all.push(schemas(cx));
    }
    all
}

fn publications(cx: &ReadContext<'_>) -> Reading {
    let generated = cx.since(
        180_000,
        "case p.pubgencols when 's' then 'stored' else 'none' end",
        "'none'",
    );
    let sql = format!(
        "select p.oid, null::pg_catalog.text, p.pubname, pg_catalog.pg_get_userbyid(p.pubowner), \
         pg_catalog.json_build_object( \
           'covers', case when p.puballtables then 'all_tables' else 'listed' end, \
           'operations', pg_catalog.array_remove(array[case when p.pubinsert then 'insert' end, \
              case when p.pubupdate then 'update' end, case when p.pubdelete then 'delete' end, \
              case when p.pubtruncate then 'truncate' end], null), \
           'partitions_as', case when p.pubviaroot then 'root' else 'themselves' end, \
           'generated_columns', {generated}) \
         from pg_catalog.pg_publication p where {} and {}",
        cx.scope.owner_condition("p.pubowner"),
        not_of_extension(CatalogId::PUBLICATION, "p.oid"),
    );
    Reading {
        what: "the publications",
        catalog: CatalogId::PUBLICATION,
        sql,
        definition: |json| Ok(Definition::Publication(serde_json::from_str(json)?)),
    }
}

/// A user's table in a platform's publication is the user's doing.
fn tables(cx: &ReadContext<'_>) -> Reading {
    let columns = cx.since(
        150_000,
        "coalesce((select pg_catalog.json_agg(a.attname order by o.at) \
           from pg_catalog.unnest(pr.prattrs::pg_catalog.int2[]) with ordinality o (attnum, at) \
           join pg_catalog.pg_attribute a on a.attrelid = pr.prrelid and a.attnum = o.attnum), '[]')",
        "'[]'::pg_catalog.json",
    );
    let filter = cx.since(
        150_000,
        "pg_catalog.pg_get_expr(pr.prqual, pr.prrelid)",
        "null::pg_catalog.text",
    );
    let sql = format!(
        "select pr.oid, n.nspname, p.pubname, null::pg_catalog.text, \
         pg_catalog.json_build_object('table', c.relname, 'columns', {columns}, 'filter', {filter}) \
         from pg_catalog.pg_publication_rel pr join pg_catalog.pg_publication p on p.oid = pr.prpubid \
         join pg_catalog.pg_class c on c.oid = pr.prrelid \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where {} and {}",
        cx.in_scope("n"),
        not_of_extension(CatalogId::PUBLICATION, "p.oid"),
    );
    Reading {
        what: "the tables of publications",
        catalog: CatalogId::PUBLICATION_TABLE,
        sql,
        definition: |json| Ok(Definition::PublicationTable(serde_json::from_str(json)?)),
    }
}

fn schemas(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select pn.oid, null::pg_catalog.text, p.pubname, null::pg_catalog.text, \
         pg_catalog.json_build_object('published', n.nspname) \
         from pg_catalog.pg_publication_namespace pn \
         join pg_catalog.pg_publication p on p.oid = pn.pnpubid \
         join pg_catalog.pg_namespace n on n.oid = pn.pnnspid where {} and {}",
        cx.in_scope("n"),
        not_of_extension(CatalogId::PUBLICATION, "p.oid"),
    );
    Reading {
        what: "the schemas of publications",
        catalog: CatalogId::PUBLICATION_SCHEMA,
        sql,
        definition: |json| Ok(Definition::PublicationSchema(serde_json::from_str(json)?)),
    }
}

/// Everyone may read the catalog of subscriptions but for the connection string, which is not asked for, and before
/// this version the OID, which a view gives to everyone.
const OPEN_OIDS: u32 = 140_000;

fn subscriptions(cx: &ReadContext<'_>) -> Reading {
    let (oid, of) = match cx.server_version >= OPEN_OIDS {
        true => ("s.oid", ""),
        false => (
            "v.subid",
            "join pg_catalog.pg_stat_subscription v on v.subname = s.subname and v.relid is null ",
        ),
    };
    let sql = format!(
        "select {oid}, null::pg_catalog.text, s.subname, pg_catalog.pg_get_userbyid(s.subowner), \
         pg_catalog.json_build_object('publications', s.subpublications, 'slot', s.subslotname) \
         from pg_catalog.pg_subscription s join pg_catalog.pg_database d on d.oid = s.subdbid {of}\
         where d.datname = pg_catalog.current_database() and {}",
        cx.scope.owner_condition("s.subowner"),
    );
    Reading {
        what: "the subscriptions",
        catalog: CatalogId::SUBSCRIPTION,
        sql,
        definition: |json| Ok(Definition::Subscription(serde_json::from_str(json)?)),
    }
}
