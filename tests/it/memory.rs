//! Memory does not grow with the table.

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

fn rows(sample: u64, full: u64) -> u64 {
    if std::env::var_os("OPSKIT_TEST_FULL").is_some() {
        full
    } else {
        sample
    }
}

#[tokio::test]
async fn memory_of_a_long_table() {
    let rows = rows(500_000, 10_000_000);
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
    let rows = rows(16_000, 60_000);
    let db = database().await;
    db.psql(&format!(
        "do $$ begin execute (select 'create table ints as select ' || string_agg(format('(i * %s) %% 100003 as c%s', n, n), ',') || ' from generate_series(1, {rows}) i' \
           from generate_series(1, 1600) n); \
         execute (select 'create table texts as select ' || string_agg(format('chr(65 + (i * %s) %% 26) || i %% 10 as c%s', n, n), ',') || ' from generate_series(1, {rows}) i' \
           from generate_series(1, 1600) n); end $$"
    ))
    .await;
    for table in ["ints", "texts"] {
        for jobs in [1, 2] {
            assert!(peak(&db, table, jobs, rows) <= 256 * MIB, "{table}");
        }
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
