//! Fingerprints: equal for the same rows wherever they are, different for different rows.

use opskit_core::export::Fingerprint;
use opskit_core::postgres::export::ExportRequest;
use opskit_core::sink::{NullSink, RowForm};
use opskit_tests::export::export;
use opskit_tests::{TestDb, database};
use std::collections::BTreeMap;
use std::sync::Arc;

/// Types that hold types, in every way there is.
const TYPES: &str = "create schema app; \
    create type app.mood as enum ('sad', 'ok'); create domain app.price as numeric(12,2); create domain app.ints as int[]; \
    create type app.pair as (a int, b app.mood); create type app.span as range (subtype = app.price); \
    create type app.pairs as range (subtype = app.pair); \
    create type app.deep as (p app.pair, ps app.pair[], m app.mood[], s app.span, x app.price); \
    create type app.deeper as (ds app.deep[], i app.ints, r app.pairs); create domain app.alias as app.deep";

/// A table per type: its column and two different values.
const TABLES: [(&str, &str, &str, &str); 12] = [
    ("t_mood", "app.mood", "'sad'", "'ok'"),
    (
        "t_moods",
        "app.mood[]",
        "'{sad,ok,NULL}'",
        "'{sad,sad,NULL}'",
    ),
    ("t_price", "app.price", "1.10", "1.11"),
    (
        "t_prices",
        "app.price[]",
        "'{{1.10,2},{3,4}}'",
        "'{1.10,2,3,4}'",
    ),
    (
        "t_ints",
        "app.ints[]",
        "array_fill('{1}'::app.ints, array[1])",
        "array_fill('{2}'::app.ints, array[1])",
    ),
    ("t_pair", "app.pair", "'(1,ok)'", "'(1,)'"),
    (
        "t_pairs",
        "app.pair[]",
        "'{\"(1,ok)\",NULL}'",
        "'{\"(1,ok)\",\"(,)\"}'",
    ),
    ("t_span", "app.span", "'[1.10,2)'", "'[1.10,2]'"),
    (
        "t_range",
        "app.pairs",
        "'[\"(1,ok)\",)'",
        "'[\"(1,sad)\",)'",
    ),
    (
        "t_deep",
        "app.deep",
        "row('(1,ok)', '{\"(2,sad)\"}', '{ok}', '[1,2)', 3)",
        "row('(1,ok)', '{\"(2,ok)\"}', '{ok}', '[1,2)', 3)",
    ),
    (
        "t_deeper",
        "app.deeper[]",
        "array[row(array[row('(1,ok)', null, '{ok}', 'empty', 3)::app.deep], '{1,2}', '[\"(1,ok)\",)')::app.deeper]",
        "array[row(array[row('(1,ok)', null, '{sad}', 'empty', 3)::app.deep], '{1,2}', '[\"(1,ok)\",)')::app.deeper]",
    ),
    (
        "t_alias",
        "app.alias",
        "row('(1,ok)', null, null, null, null)",
        "row('(2,ok)', null, null, null, null)",
    ),
];

/// Makes the tables; `first` or second value of each.
async fn make(db: &TestDb, before: &str, second: &[&str]) {
    db.psql(&format!("{before}; {TYPES}")).await;
    for (table, sql_type, one, other) in TABLES {
        let value = if second.contains(&table) { other } else { one };
        db.psql(&format!("create table {table} (id int, v {sql_type}); insert into {table} values (1, {value}), (2, null), (3, {one})")).await;
    }
}

async fn fingerprints(
    db: &TestDb,
    request: ExportRequest,
    form: RowForm,
) -> BTreeMap<String, Fingerprint> {
    let report = export(&db.url(), request, Arc::new(NullSink::new(form)))
        .await
        .unwrap();
    report
        .tables
        .into_iter()
        .map(|table| (table.table.name, table.fingerprint.unwrap()))
        .collect()
}

fn all() -> ExportRequest {
    ExportRequest::tables(["public.t_*"]).unwrap()
}

#[tokio::test]
async fn fingerprints_do_not_know_oids() {
    let (one, other, changed) = (database().await, database().await, database().await);
    make(&one, "", &[]).await;
    let dummies = "do $$ begin for i in 1..50 loop execute format('create type dummy_%s as (a int)', i); end loop; end $$; \
                   create table used (a int)";
    make(&other, dummies, &[]).await;
    let changes: Vec<&str> = TABLES.iter().map(|table| table.0).collect();
    make(&changed, dummies, &changes).await;
    let oid = "select 'app.pair'::regtype::oid";
    assert_ne!(one.psql(oid).await, other.psql(oid).await);
    for form in [RowForm::Batches, RowForm::Frames] {
        let here = fingerprints(&one, all(), form).await;
        assert_eq!(here.len(), TABLES.len());
        assert_eq!(here, fingerprints(&other, all(), form).await);
        for (table, different) in fingerprints(&changed, all(), form).await {
            assert_ne!(here[&table], different, "{table}");
        }
    }
    let decoded = fingerprints(&one, all(), RowForm::Batches).await;
    assert_eq!(decoded, fingerprints(&one, all(), RowForm::Frames).await);
}

/// Types of the same shape with another name are other types.
#[tokio::test]
async fn fingerprints_know_the_names_of_types() {
    let db = database().await;
    db.psql(
        "create type a as (x int); create type b as (x int); create table t_a as select array[row(1)::a] as v; \
         create table t_b as select array[row(1)::b] as v; create table t_c as select array[row(1)::a] as v",
    )
    .await;
    let found = fingerprints(&db, all(), RowForm::Batches).await;
    assert_ne!(found["t_a"], found["t_b"]);
    assert_eq!(found["t_a"], found["t_c"]);
}

#[tokio::test]
async fn fingerprints_do_not_know_order_and_parts() {
    let db = database().await;
    let rows = "select i, repeat('x', i % 100) as t, array[i, i + 1] as a, row(i, 't')::pair as p from generate_series(1, 30000) i";
    db.psql(&format!(
        "create type pair as (a int, b text); create table t_up as {rows} order by i; create table t_down as {rows} order by i desc; \
         create table t_mixed as {rows} order by md5(i::text); create table t_twice as {rows} union all {rows}; \
         create table t_flipped as {rows} order by i; update t_flipped set a[2] = 5 where i = 17000; \
         create table t_missing as {rows} offset 1; create table t_double as {rows}; update t_double set i = 2, t = 'xx', a = '{{2,3}}', p = row(2, 't') where i = 1"
    ))
    .await;
    let found = fingerprints(&db, all(), RowForm::Batches).await;
    let up = found["t_up"];
    assert_eq!(up, found["t_down"]);
    assert_eq!(up, found["t_mixed"]);
    assert_eq!(found["t_twice"], up.plus(up));
    for other in ["t_flipped", "t_missing", "t_double", "t_twice"] {
        assert_ne!(up, found[other], "{other}");
    }
    let in_parts = all()
        .with_part_bytes(100 << 10)
        .with_jobs(3)
        .with_batch(100, 1000);
    assert_eq!(found, fingerprints(&db, in_parts, RowForm::Batches).await);
}

/// Two rows that swap a value are two other rows; sums must see it.
#[tokio::test]
async fn fingerprints_see_values_that_change_places() {
    let db = database().await;
    db.psql(
        "create table t_a as values (1, 'x'), (2, 'y'); create table t_b as values (1, 'y'), (2, 'x'); \
         create table t_c as values (1, null::text); create table t_d as values (1, ''); create table t_e as values ('1', 'x'), ('2', 'y')",
    )
    .await;
    let found = fingerprints(&db, all(), RowForm::Batches).await;
    let mut different: Vec<String> = found.values().map(ToString::to_string).collect();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 5, "{found:?}");
}
