//! Typed tables, children and partitions.

use super::assert_round_trip;
use opskit_tests::{TestDb, database};

#[tokio::test]
async fn children() {
    assert_round_trip(
        "create table p (a int not null, b text default 'p', constraint positive check (a > 0), constraint \"only P\" check (a < 9) no inherit);
         create table c1 (c int) inherits (p);
         create table c2 (b text default 'c2', a int not null) inherits (p);
         create table c3 (constraint mine check (b <> '')) inherits (p);
         alter table c3 alter b set default 'c3';
         create table c4 () inherits (p); alter table c4 alter b drop default;
         create table c5 (a int not null, b text, constraint positive check (a > 0)); alter table c5 inherit p;
         create table grand () inherits (c1)",
    )
    .await;
}

#[tokio::test]
async fn children_whose_columns_stand_otherwise() {
    assert_round_trip(
        "create table p (a int not null); create table c (x int, y text) inherits (p);
         alter table p add column late text default 'l' collate \"C\"; alter table p add constraint late_check check (late <> '');
         alter table p add column g int generated always as (a * 2) stored;
         create table turned (b text, a int); create table q (a int, b text); alter table turned inherit q;
         create table m1 (a int default 1, b text); create table m2 (b text, a int default 2, z int);
         create table m (a int default 3, own int) inherits (m1, m2);
         alter table m alter b set storage external;
         create table s (t text); alter table s alter t set storage main; create table sc () inherits (s);
         alter table sc alter t set storage extended",
    )
    .await;
}

/// `pg_dump` prints the columns of a child in its own order, but does not make them so.
#[tokio::test]
async fn columns_keep_their_places() {
    let (source, target) = (database().await, database().await);
    source
        .psql("create table p (a int); create table c (x int) inherits (p); alter table p add late int, add last int")
        .await;
    super::carry(&source, &target).await;
    let columns = async |db: &TestDb| {
        db.psql(
            "select attname, attislocal, attinhcount from pg_attribute \
             where attrelid = 'c'::regclass and attnum > 0 order by attnum",
        )
        .await
    };
    assert_eq!(columns(&source).await, columns(&target).await);
    let left = target
        .psql("select count(*) from pg_class where relname ~ 'opskit'")
        .await;
    assert_eq!(left.trim(), "0");
}

#[tokio::test]
async fn partitions_of_every_kind() {
    assert_round_trip(
        "create table r (id int, at timestamptz not null, \"Name\" text collate \"C\", primary key (id, at)) partition by range (at);
         create table r1 partition of r for values from (minvalue) to ('2024-01-01 00:00:00+00');
         create table r2 partition of r for values from ('2024-01-01 00:00:00+00') to ('2025-01-01 00:00:00+00') partition by hash (id);
         create table r2a partition of r2 for values with (modulus 2, remainder 0) with (fillfactor = 50);
         create table r2b partition of r2 for values with (modulus 2, remainder 1);
         create table r3 partition of r (\"Name\" default 'none' check (\"Name\" <> 'x')) default;
         create table l (k text, n numeric) partition by list (k);
         create table l1 partition of l for values in ('a', 'it''s', null);
         create table l2 (n numeric, gone int, k text); alter table l2 drop column gone; alter table l attach partition l2 for values in ('b');
         create unlogged table l3 partition of l for values in ('c');
         create table e (a int, b text) partition by range ((a % 10), lower(b) collate \"C\" text_pattern_ops);
         create table e1 partition of e for values from (0, minvalue) to (5, maxvalue);
         create table h (a int) partition by hash (a);
         create index on r (\"Name\"); create index special on only l (n); create index l1_n on l1 (n); alter index special attach partition l1_n;
         create unique index h_u on h (a);
         create table h0 partition of h for values with (modulus 1, remainder 0)",
    )
    .await;
}

#[tokio::test]
async fn partitions_with_identity_and_generated_columns() {
    assert_round_trip(
        "create table g (a int, b int generated always as (a + 1) stored) partition by list (a); create table g1 partition of g for values in (1)",
    )
    .await;
    if database().await.version().await >= 170_000 {
        assert_round_trip(
            "create table i (a int generated always as identity, b int) partition by list (b);
             create table i1 partition of i for values in (1);
             create table x (a int4range, exclude using gist (a with &&), b int) ; create table y (b int, exclude using btree (b with =)) partition by list (b);
             create table y1 partition of y for values in (1)",
        )
        .await;
    }
}
