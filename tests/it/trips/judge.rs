//! What others say of two databases.

use super::Cluster;
use crate::roundtrip::{dumped, pretty_assert};
use std::collections::BTreeMap;

/// A database of a cluster.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub(super) cluster: &'a Cluster,
    pub(super) database: &'a str,
}

impl Place<'_> {
    fn url(self) -> String {
        self.cluster.url_of(self.cluster.superuser, self.database)
    }

    async fn ask(self, sql: &str) -> String {
        let role = self.cluster.superuser;
        self.cluster.run(role, self.database, sql).await
    }
}

/// Asserts that nobody can tell the databases apart.
pub(super) async fn assert_same_database(source: Place<'_>, target: Place<'_>) {
    assert_same_dump("pg_dump", &["--schema-only"], source, target);
    assert_same_rows(source, target).await;
}

/// Asserts that nobody can tell apart what is around the databases: roles, and what is set for them.
pub(super) fn assert_same_cluster(source: Place<'_>, target: Place<'_>) {
    let globals = ["--globals-only", "--no-role-passwords"];
    assert_same_dump("pg_dumpall", &globals, source, target);
    assert_same_dump("pg_dump", &["--schema-only", "--create"], source, target);
}

fn assert_same_dump(program: &str, args: &[&str], source: Place<'_>, target: Place<'_>) {
    let wanted = dumped(program, args, &source.url());
    if let (Some(wanted), Some(found)) = (wanted, dumped(program, args, &target.url())) {
        pretty_assert(&wanted, &found);
    }
}

const LARGE_OBJECTS: &str = "select oid, pg_get_userbyid(lomowner), lomacl, md5(lo_get(oid)), obj_description(oid, 'pg_largeobject') \
     from pg_largeobject_metadata order by 1";

/// What has rows, a sequence too, with its columns as the bytes that the server sends. A value that
/// holds OIDs of types or objects, which are others in every database, is sent as its text.
const RELATIONS: &str = "select pg_catalog.format('%I.%I', n.nspname, c.relname) as x, \
       coalesce(pg_catalog.string_agg(pg_catalog.format('coalesce(pg_catalog.encode(%s(%s%s), ''hex''), ''-'') || '' ''', \
           case when as_text then 'pg_catalog.textsend' else t.typsend::pg_catalog.text end, pg_catalog.quote_ident(a.attname), \
           case when as_text then '::pg_catalog.text' else '' end), ' || ' order by a.attnum) filter (where a.attnum is not null), '''''') as y \
     from pg_catalog.pg_class c join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
       left join pg_catalog.pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
         and (c.relkind <> 'S' or a.attname <> 'log_cnt') \
       left join pg_catalog.pg_type t on t.oid = a.atttypid \
       cross join lateral (select t.typsend = 0 or t.typname ~ '^reg' or (t.oid >= 16384 \
         and t.typsend::pg_catalog.text ~ '(array|record|range)_send$') as as_text) s \
     where c.relkind in ('r', 'm', 'S') and c.relispopulated and n.nspname !~ '^(pg_.*|information_schema)$' group by 1";

/// Asserts that every table, materialised view and sequence has the same rows, and every large object
/// the same bytes.
pub(super) async fn assert_same_rows(source: Place<'_>, target: Place<'_>) {
    let (wanted, found) = (rows(source).await, rows(target).await);
    assert!(wanted.values().any(|of| !of.ends_with(" 0")));
    for (table, wanted) in &wanted {
        assert_eq!(Some(wanted), found.get(table), "rows of {table}");
    }
    assert_eq!(wanted.len(), found.len());
    assert_eq!(
        source.ask(LARGE_OBJECTS).await,
        target.ask(LARGE_OBJECTS).await
    );
}

async fn rows(place: Place<'_>) -> BTreeMap<String, String> {
    let mut all = BTreeMap::new();
    // As a document, because names may hold line breaks.
    let sql = format!(
        "set search_path = ''; select pg_catalog.json_agg(pg_catalog.json_build_array(x, y)) from ({RELATIONS}) q"
    );
    let found: Vec<(String, String)> = serde_json::from_str(&place.ask(&sql).await).unwrap();
    for (table, row) in found {
        let sql = format!(
            "set search_path = ''; select pg_catalog.md5(coalesce(pg_catalog.string_agg(r, '' order by r collate \"C\"), '')), \
               pg_catalog.count(*) from (select {row} as r from only {table}) x"
        );
        all.insert(table, place.ask(&sql).await.replace('|', " "));
    }
    all
}
