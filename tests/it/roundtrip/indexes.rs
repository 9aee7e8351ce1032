//! Indexes and extended statistics.

use super::{assert_round_trip, model_of};
use opskit_core::catalog::ddl::{DdlOptions, Script};
use opskit_core::catalog::model::Definition;
use opskit_tests::{TestDb, database};
use std::collections::HashMap;

#[tokio::test]
async fn indexes_of_every_kind() {
    assert_round_trip(
        "create table t (a int not null, b text, c int4range, d tsvector, e int[], f point, gone int, g int);
         alter table t drop column gone;
         create unique index \"u 1\" on t (a desc nulls last) include (b, g);
         create index partial on t (b text_pattern_ops) where a > 0 and b <> 'it''s';
         create index expr on t (lower(b), (a + g)) with (fillfactor = 60, deduplicate_items = off);
         alter index expr alter column 1 set statistics 300; alter index expr alter column 2 set statistics 0;
         create index gi on t using gist (c range_ops, f); create index gg on t using gist (d tsvector_ops (siglen = 100));
         create index gn on t using gin (e) with (fastupdate = off); create index ha on t using hash (b);
         create index br on t using brin (a) with (pages_per_range = 16); create index co on t (b collate \"C\");
         alter table t cluster on expr; alter table t replica identity using index \"u 1\";
         create table k (a int, b int, constraint k_pk primary key (a) include (b) with (fillfactor = 55));
         alter table k cluster on k_pk; alter table k replica identity using index k_pk;
         create materialized view m as select 1 as x;
         drop materialized view m",
    )
    .await;
    if database().await.version().await >= 150_000 {
        assert_round_trip(
            "create table t (a int, b int, unique nulls not distinct (a)); create unique index on t (b) nulls not distinct",
        )
        .await;
    }
}

/// Plain indexes are not spelled out one by one by the server, which takes long. The text is the same.
#[tokio::test]
async fn plain_indexes_read_as_the_server_spells_them() {
    let db = database().await;
    db.psql(
        r#"create schema "say ""hi"" there"; create type mood as enum ('a'); create domain name_ as varchar;
           create table "say ""hi"" there"."Mixed" ("select" int, "two
lines" varchar(9), c text collate "C", d name_, e mood, f int[], g int4range);
           create index "a b" on "say ""hi"" there"."Mixed" ("select" desc, "two
lines" desc nulls last, c nulls first);
           create unique index "order" on "say ""hi"" there"."Mixed" ("two
lines"); create index on "say ""hi"" there"."Mixed" (c collate "POSIX"); create index on "say ""hi"" there"."Mixed" (d);
           create index on "say ""hi"" there"."Mixed" (e); create index on "say ""hi"" there"."Mixed" (f, g);
           create index on "say ""hi"" there"."Mixed" ("two
lines" varchar_pattern_ops); create index on "say ""hi"" there"."Mixed" ("select") include (c);
           create index on "say ""hi"" there"."Mixed" ("select") with (fillfactor = 50);
           create table p (a int, b text) partition by list (a); create table p1 partition of p for values in (1); create index on p (b, a);
           create materialized view m as select 1::int as x; create unique index on m (x);
           do $$ declare t text; begin for t in select oid::regtype from pg_type where typtype in ('b', 'r') and oid < 16384 and typelem = 0 loop
             begin execute format('create table %I (a %s)', 'of ' || t, t); execute format('create index on %I (a)', 'of ' || t);
             exception when others then null; end; end loop; end $$"#,
    )
    .await;
    assert_spelled_as_by_the_server(&db).await;
    // What has the class by default depends on what else there is.
    db.psql(
        "create operator family own using btree; create operator class own default for type varchar using btree family own as \
         operator 3 =(text, text), function 1 bttextcmp(text, text)",
    )
    .await;
    assert_spelled_as_by_the_server(&db).await;
}

async fn assert_spelled_as_by_the_server(db: &TestDb) {
    let spelled = db
        .psql(
            "select set_config('search_path', '', false); \
             select json_object_agg(indexrelid::int8::text, pg_catalog.pg_get_indexdef(indexrelid)) from pg_catalog.pg_index where indexrelid >= 16384",
        )
        .await;
    let spelled: HashMap<String, String> = serde_json::from_str(spelled.trim()).unwrap();
    let mut compared = 0;
    for object in model_of(db).await.objects {
        if let Definition::Index(index) = object.definition {
            let wanted = &spelled[&object.address.oid.to_string()];
            assert_eq!(&index.definition, wanted);
            compared += 1;
        }
    }
    assert!(compared > 30, "{compared}");
}

#[tokio::test]
async fn invalid_indexes_are_named() {
    let db = database().await;
    db.psql("create table t (a int); insert into t values (1), (1)")
        .await;
    let failed = db
        .try_psql("create unique index concurrently broken on t (a)")
        .await;
    assert!(failed.is_err());
    let model = model_of(&db).await;
    let script = Script::of(&model, &DdlOptions::new(model.server_version)).unwrap();
    let refused: Vec<&str> = script.refused.iter().map(|r| r.object.as_str()).collect();
    assert_eq!(refused, ["index public.broken"]);
    assert!(!script.explained().contains(&script.refused[0].about));
}

#[tokio::test]
async fn partitioned_indexes() {
    assert_round_trip(
        "create table p (a int not null, b text) partition by range (a); create table p1 partition of p for values from (0) to (9) partition by range (a);
         create table p2 (b text, a int not null); alter table p attach partition p2 for values from (9) to (19);
         create table p11 partition of p1 for values from (0) to (5);
         alter table p add constraint \"P key\" primary key (a); create index \"on b\" on p (lower(b)) where a > 1;
         create index half on only p (b); create index half1 on p2 (b); alter index half attach partition half1;
         create index alone on only p (a, b); alter table p11 replica identity using index p11_pkey",
    )
    .await;
}

#[tokio::test]
async fn extended_statistics() {
    let version = database().await.version().await;
    assert_round_trip(
        "create schema s; create table t (a int, b int, c text);
         create statistics \"All Kinds\" on a, b from t; create statistics s.dep (dependencies) on a, c from t;
         create statistics two (ndistinct, mcv) on a, b, c from t; alter statistics two set statistics 77; alter statistics s.dep set statistics 0",
    )
    .await;
    if version >= 140_000 {
        assert_round_trip(
            "create table t (a int, b int); create statistics e (mcv) on (a + b), (a % 3), b from t; create statistics one on (a * 2) from t",
        )
        .await;
    }
}
