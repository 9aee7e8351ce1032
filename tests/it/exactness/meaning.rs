//! What the main columns say, against the server's own text.

use super::text::{float, text};
use arrow::array::Array;
use opskit_core::export::Exactness;
use opskit_core::postgres::export::ExportRequest;
use opskit_tests::export::{SETTINGS, export_parquet, open_part, parts, wire};
use opskit_tests::matrix::Matrix;
use opskit_tests::{TestDb, database};
use std::path::Path;

/// What was compared.
#[derive(Debug, Default)]
struct Seen {
    compared: usize,
    aside: usize,
    wrong: Vec<String>,
}

/// The server's text of a column, in the order of the heap.
async fn servers_text(db: &TestDb, table: &str, column: &str) -> Vec<Option<String>> {
    let mut connection = wire(&db.url()).await;
    connection.execute(SETTINGS).await.unwrap();
    let sql = format!(
        "select case when pg_catalog.num_nulls(\"{column}\") = 0 then pg_catalog.format('%s', \"{column}\") end from public.{table} order by ctid"
    );
    let set = connection.query(&sql).await.unwrap().pop().unwrap();
    set.rows.into_iter().map(|mut row| row.remove(0)).collect()
}

/// Compares every column of a table that has a simple text.
async fn compare(db: &TestDb, target: &Path, table: &str, seen: &mut Seen) {
    let folder = target.join(format!("public.{table}"));
    let mut columns: Vec<(String, String, Vec<Option<String>>)> = Vec::new();
    let mut at = 0;
    for path in parts(&folder) {
        let part = open_part(&path);
        if columns.is_empty() {
            for column in &part.row_type().columns {
                columns.push((
                    column.name.clone(),
                    column.sql_type.clone(),
                    servers_text(db, table, &column.name).await,
                ));
            }
        }
        for batch in part {
            let batch = batch.unwrap().batch;
            for (array, (name, sql_type, servers)) in batch.columns().iter().zip(&columns) {
                for row in 0..batch.num_rows() {
                    let server = servers[at + row].as_deref();
                    match (array.is_null(row), server) {
                        (true, None) => {}
                        (true, Some(_)) => seen.aside += 1,
                        (false, None) => seen
                            .wrong
                            .push(format!("{table}.{name}: a value where the server has NULL")),
                        (false, Some(server)) => {
                            let Some(ours) = text(sql_type, array, row) else {
                                continue;
                            };
                            seen.compared += 1;
                            if ours != server && !same_float(&ours, server, sql_type) {
                                seen.wrong.push(format!("{table}.{name} ({sql_type}): {ours:?} where the server says {server:?}"));
                            }
                        }
                    }
                }
            }
            at += batch.num_rows();
        }
    }
}

fn same_float(ours: &str, server: &str, sql_type: &str) -> bool {
    match sql_type {
        "real" => server.parse().is_ok_and(|value: f32| float(value) == ours),
        "double precision" => server.parse().is_ok_and(|value: f64| float(value) == ours),
        _ => false,
    }
}

#[tokio::test]
async fn exactness_of_meaning_in_the_matrix() {
    let db = database().await;
    let matrix = Matrix::make(&db).await;
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    let request = ExportRequest::tables(["public.m_*"])
        .unwrap()
        .with_exactness(Exactness::Exact);
    export_parquet(&db.url(), request, &target).await.unwrap();
    let mut seen = Seen::default();
    for case in &matrix.cases {
        compare(&db, &target, &case.table(), &mut seen).await;
    }
    println!(
        "{} values compared, {} in side files",
        seen.compared, seen.aside
    );
    assert!(seen.wrong.is_empty(), "{}", seen.wrong.join("\n"));
    assert!(
        seen.compared > 400,
        "only {} values have a simple text",
        seen.compared
    );
}

/// Random values, the same in every run: the seed is fixed.
#[tokio::test]
async fn exactness_of_random_values() {
    let rows = if std::env::var_os("OPSKIT_TEST_FULL").is_some() {
        300_000
    } else {
        20_000
    };
    let db = database().await;
    db.psql(&format!(
        "create function r(lo float8, hi float8) returns float8 language sql volatile as 'select lo + random() * (hi - lo)'; \
         create function digits(n int) returns text language sql volatile as \
           $$ select string_agg(floor(random() * 10)::int::text, '') from generate_series(1, greatest(n, 1)) $$; \
         create function sign() returns text language sql volatile as $$ select case when random() < 0.5 then '-' else '' end $$; \
         create table wild (i2 int2, i4 int4, i8 int8, o oid, f4 float4, f8 float8, n numeric, n9 numeric(9,2), n18 numeric(18,5), \
           n38 numeric(38,11), n4 numeric(4,4), d date, ts timestamp, tz timestamptz, t time, u uuid, ip inet, c text, b bytea, v varbit); \
         do $$ begin perform setseed(0.4242); end $$; \
         insert into wild select r(-32768, 32767), r(-2147483648, 2147483647), (r(-4294967295, 4294967295)::int8 << 31) + r(0, 2147483647)::int8, \
           r(0, 4294967295)::int8::oid, \
           case when random() < 0.9 then (sign() || digits(1) || '.' || digits(8) || 'e' || r(-37, 37)::int)::float4 else 'NaN' end, \
           (sign() || digits(1) || '.' || digits(17) || 'e' || r(-306, 306)::int)::float8, \
           (sign() || digits(r(0, 40)::int) || case when random() < 0.8 then '.' || digits(r(1, 40)::int) else '' end || 'e' || r(-20, 20)::int)::numeric, \
           (sign() || digits(r(0, 7)::int) || '.' || digits(2))::numeric, (sign() || digits(r(0, 13)::int) || '.' || digits(r(0, 5)::int))::numeric, \
           (sign() || digits(r(0, 27)::int) || '.' || digits(r(0, 11)::int))::numeric, (sign() || '0.' || digits(4))::numeric, \
           date '2000-01-01' + r(-2451545, 2145031948)::int, \
           timestamp '2000-01-01' + r(-2400000, 106700000) * interval '1 day', timestamptz '2000-01-01 00:00:00+00' + r(-800000, 800000) * interval '1 day', \
           time '00:00' + r(0, 86399) * interval '1 second', md5(random()::text)::uuid, \
           case when random() < 0.3 then (r(0, 255)::int || '.' || r(0, 255)::int || '.0.' || r(0, 255)::int || '/' || r(0, 32)::int) \
             else (select string_agg(case when random() < 0.5 then '0' else to_hex(r(0, 65535)::int) end, ':') from generate_series(1, 8 + i * 0)) || '/' || r(0, 128)::int end::inet, \
           (select string_agg(chr(case when random() < 0.5 then r(1, 126)::int when random() < 0.5 then r(161, 55000)::int else r(65536, 1114111)::int end), '') \
              from generate_series(1, r(0, 12)::int + i * 0)), \
           decode(md5(random()::text), 'hex'), r(0, 1000000)::int::bit(21)::varbit \
         from generate_series(1, {rows}) i"
    ))
    .await;
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    export_parquet(&db.url(), ExportRequest::tables(["wild"]).unwrap(), &target)
        .await
        .unwrap();
    let mut seen = Seen::default();
    compare(&db, &target, "wild", &mut seen).await;
    println!(
        "{} values compared, {} in side files",
        seen.compared, seen.aside
    );
    seen.wrong.truncate(50);
    assert!(seen.wrong.is_empty(), "{}", seen.wrong.join("\n"));
    assert!(
        seen.compared + seen.aside > rows * 19,
        "only {} compared",
        seen.compared
    );
    assert!(
        seen.aside < rows / 5,
        "{} values have no standard form",
        seen.aside
    );
}
