//! Memory does not grow with the table.

mod command;

use opskit_core::context::OpContext;
use opskit_core::export::{DecodeOptions, Decoder};
use opskit_core::postgres::export::{Export, ExportRequest};
use opskit_core::{ErrorKind, Result};
use opskit_tests::export::{assert_kind, copy, parse};
use opskit_tests::{TestDb, database, helper};
use std::process::Command;

const MIB: u64 = 1 << 20;

/// Exports a table in a process of its own; its peak memory in bytes.
fn peak(db: &TestDb, table: &str, jobs: usize, rows_expected: u64) -> u64 {
    let place = tempfile::tempdir().unwrap();
    let output = Command::new(helper("opskit-test-export"))
        .args([&db.url(), table])
        .arg(place.path().join("out"))
        .arg(jobs.to_string())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let said = String::from_utf8(output.stdout).unwrap();
    let (rows, kib) = said.trim().split_once(' ').unwrap();
    assert_eq!(rows.parse::<u64>().unwrap(), rows_expected);
    let bytes = kib.parse::<u64>().unwrap() << 10;
    println!("{table} with {jobs} jobs: {} MiB", bytes / MIB);
    bytes
}

fn sampled<T>(sample: T, full: T) -> T {
    match std::env::var_os("OPSKIT_TEST_FULL") {
        Some(_) => full,
        None => sample,
    }
}

#[tokio::test]
async fn memory_of_a_long_table() {
    let rows = sampled(500_000, 10_000_000);
    let db = database().await;
    db.psql(&format!(
        "create table t as select i as id, (i % 1000)::numeric(12,2) as n, md5(i::text) as x, timestamptz '2020-01-01' + i * interval '1 s' as ts, \
         case when i % 3 = 0 then 'NaN' else '1' end::text as s from generate_series(1, {rows}) i"
    ))
    .await;
    for jobs in [1, 2] {
        assert!(peak(&db, "t", jobs, rows) <= 256 * MIB);
    }
}

#[tokio::test]
async fn memory_of_a_wide_table() {
    let rows = sampled(16_000, 60_000);
    let db = database().await;
    db.psql(&format!(
        "do $$ begin execute (select 'create table ints as select ' || string_agg(format('(i * %s) %% 100003 as c%s', n, n), ',') || ' from generate_series(1, {rows}) i' \
           from generate_series(1, 1600) n); \
         execute (select 'create table texts as select ' || string_agg(format('chr(65 + (i * %s) %% 26) || i %% 10 as c%s', n, n), ',') || ' from generate_series(1, {rows}) i' \
           from generate_series(1, 1600) n); end $$"
    ))
    .await;
    let calls = [("ints", 1), ("texts", 2), ("ints", 2), ("texts", 1)];
    for (table, jobs) in calls.into_iter().take(sampled(2, 4)) {
        assert!(peak(&db, table, jobs, rows) <= 256 * MIB, "{table}");
    }
}

#[tokio::test]
async fn memory_of_a_large_value() {
    const VALUE: u64 = 100 * MIB;
    let db = database().await;
    db.psql(&format!(
        "create table t (id int, v bytea); alter table t alter v set storage external; \
         insert into t select i, convert_to(repeat('0123456789', {VALUE} / 10), 'UTF8') from generate_series(1, 2) i"
    ))
    .await;
    let bytes = peak(&db, "t", 1, 2);
    assert!(bytes <= 256 * MIB + 3 * VALUE, "{} MiB", bytes / MIB);
}

/// Decodes a query with batches of 1 MiB: the rows, and the bytes of the largest batch.
async fn largest_batch(db: &TestDb, query: &str) -> Result<(usize, usize)> {
    let request = ExportRequest::query(query);
    let export = Export::open(&OpContext::default(), &parse(&db.url()), request).await?;
    let row_type = &export.plan().tables[0].row_type;
    let sql = format!("copy ({query}) to stdout (format binary)");
    let stream = copy(&db.url(), "UTF8", &sql).await;
    let options = DecodeOptions::default().with_batch(65_536, MIB as usize);
    let mut decoder = Decoder::new(row_type, options);
    let (mut rest, mut batches) = (&stream[..], Vec::new());
    while !rest.is_empty() {
        rest = &rest[decoder.push(rest)?..];
        let batch = decoder.full_batch()?.map(|exact| exact.batch);
        batches.extend(batch.map(|batch| (batch.num_rows(), batch.get_array_memory_size())));
    }
    let last = decoder.finish()?.0.map(|exact| exact.batch);
    batches.extend(last.map(|batch| (batch.num_rows(), batch.get_array_memory_size())));
    let rows = batches.iter().map(|(rows, _)| rows).sum();
    Ok((
        rows,
        batches.iter().map(|(_, bytes)| *bytes).max().unwrap_or(0),
    ))
}

/// A batch ended by the bytes received alone, whatever became of them.
#[tokio::test]
async fn memory_of_values_that_grow_when_they_are_decoded() {
    let db = database().await;
    db.psql(
        "do $$ begin execute (select 'create type wide as (' || string_agg('f' || n || ' uuid', ',') || ')' \
           from generate_series(1, 200) n); end $$",
    )
    .await;
    for (query, rows) in [
        (
            "select 1e30000::numeric from generate_series(1, 2000)",
            2000,
        ),
        (
            "select array[1e30000, 1]::numeric[] from generate_series(1, 1000)",
            1000,
        ),
        (
            "select numrange(1, 1e30000::numeric) from generate_series(1, 1000)",
            1000,
        ),
        (
            "select null::public.wide from generate_series(1, 10000)",
            10_000,
        ),
        (
            "select array_fill(null::public.wide, array[100]) from generate_series(1, 200)",
            200,
        ),
        (
            "select array_fill(null::uuid, array[1000]) from generate_series(1, 2000)",
            2000,
        ),
        (
            "select repeat('1', 100000)::bit varying from generate_series(1, 200)",
            200,
        ),
    ] {
        let (found, bytes) = largest_batch(&db, query).await.unwrap();
        assert_eq!(found, rows, "{query}");
        // Twice the bound, and buffers that grow by doubling.
        assert!(bytes <= 4 * MIB as usize, "{query}: {bytes}");
    }
    let one_row = "select array_fill(1e131000::numeric, array[9000])";
    assert_kind(largest_batch(&db, one_row).await, ErrorKind::Unsupported);
}
