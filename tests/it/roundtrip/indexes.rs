//! Indexes and extended statistics.

use super::{assert_round_trip, model_of, server_version};
use opskit_core::catalog::ddl::{DdlOptions, Script};
use opskit_tests::database;

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
