//! The whole loop of the command, each step a process of its own whose peak is watched.

use super::{MIB, sampled};
use opskit_tests::stores::StoreServer;
use opskit_tests::{TestDb, database, helper};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

/// Promised for every step; a single value comes on top.
const BOUND: u64 = 300 * MIB;

/// The peak of a process so far, in bytes.
fn peak(id: u32) -> Option<u64> {
    let status = fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let line = status
        .lines()
        .find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().trim_end_matches(" kB").trim().parse().ok()?;
    Some(kib << 10)
}

/// Runs the command to its end; its peak in bytes.
fn step(args: &[&str], repository: &Path) -> u64 {
    step_in(args, &repository.display().to_string(), &[])
}

/// The same for a repository wherever it is, with what it takes to reach it.
fn step_in(args: &[&str], repository: &str, vars: &[(&str, String)]) -> u64 {
    let program = std::env::var_os("OPSKIT_BIN").map_or_else(|| helper("opskit"), PathBuf::from);
    let said = tempfile::NamedTempFile::new().unwrap();
    let mut child = Command::new(program)
        .args(args)
        .arg("--repo")
        .arg(repository)
        .envs(vars.iter().map(|(name, value)| (name, value)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(said.reopen().unwrap())
        .spawn()
        .unwrap();
    let mut most = 0;
    let status = loop {
        // The mark only rises, so the last look misses little.
        most = most.max(peak(child.id()).unwrap_or_default());
        match child.try_wait().unwrap() {
            Some(status) => break status,
            None => std::thread::sleep(Duration::from_millis(2)),
        }
    };
    let said = fs::read_to_string(said.path()).unwrap();
    assert!(status.success(), "{args:?}: {said}");
    assert!(most > 0, "nothing was seen of {args:?}");
    most
}

/// Backs up, verifies, restores and drills; no step may take more than `bound`.
async fn whole_loop(what: &str, db: &TestDb, bound: u64) {
    let place = tempfile::tempdir().unwrap();
    let repository = place.path().join("repo");
    let mut over = Vec::new();
    for format in ["parquet", "pgcopy"] {
        let copy = database().await;
        let (url, to) = (db.url(), copy.url());
        let steps: [&[&str]; 4] = [
            &["backup", "--format", format, "--jobs", "4", "--db", &url],
            &["verify", "latest", "--level", "decode"],
            &["restore", "latest", "--jobs", "4", "--to", &to],
            &["drill", "latest", "--jobs", "4"],
        ];
        for args in steps {
            let bytes = step(args, &repository);
            println!("{what} as {format}: {} {} MiB", args[0], bytes / MIB);
            if bytes > bound {
                over.push(format!("{} as {format}: {} MiB", args[0], bytes / MIB));
            }
        }
    }
    assert!(over.is_empty(), "{what}: {over:?}");
}

#[tokio::test]
async fn memory_of_the_loop_with_a_long_table() {
    let db = database().await;
    let rows: u64 = sampled(150_000, 4_000_000);
    db.psql(&format!(
        "create table t as select i as id, (i % 1000)::numeric(12,2) as n, md5(i::text) as x, timestamptz '2020-01-01' + i * interval '1 s' as ts, \
           case when i % 3 = 0 then 'NaN' else '1' end::text as s, case when i % 9 = 0 then 'NaN' else i / 7.0 end::numeric(20,5) as odd, array[i, i + 1] as a \
           from generate_series(1, {rows}) i; create index on t (id)"
    ))
    .await;
    whole_loop("a long table", &db, BOUND).await;
}

#[tokio::test]
async fn memory_of_the_loop_with_a_wide_table() {
    let db = database().await;
    let rows: u64 = sampled(3000, 30_000);
    for (table, value) in [
        ("ints", "(i * %s) %% 100003"),
        ("texts", "chr(65 + (i * %s) %% 26) || i %% 10"),
        ("nulls", "case when (i + %s) %% 97 = 0 then i end"),
    ] {
        db.psql(&format!(
            "do $$ begin execute (select 'create table {table} as select ' || string_agg(format('{value} as c%s', n, n), ',') || ' from generate_series(1, {rows}) i' \
               from generate_series(1, 1600) n); end $$"
        ))
        .await;
    }
    whole_loop("wide tables", &db, BOUND).await;
}

/// What is small in a file, and large when it is read: values that repeat, and hardly any values.
#[tokio::test]
async fn memory_of_the_loop_with_values_that_repeat() {
    let db = database().await;
    let rows: u64 = sampled(1500, 6000);
    db.psql(&format!(
        "create table t as select i, repeat('x', 400000) as a, array_fill('y'::text, array[2000]) as b from generate_series(1, {rows}) i; \
         do $$ begin execute (select 'create table empty as select ' || string_agg(format('null::uuid as c%s', n), ',') || ' from generate_series(1, 10 * {rows}) i' \
           from generate_series(1, 1600) n); end $$"
    ))
    .await;
    whole_loop("values that repeat", &db, BOUND).await;
}

#[tokio::test]
async fn memory_of_the_loop_with_a_large_value() {
    const VALUE: u64 = 100 * MIB;
    let db = database().await;
    db.psql(&format!(
        "create table t (id int, v bytea); alter table t alter v set storage external; \
         insert into t select i, convert_to(repeat('0123456789', {VALUE} / 10), 'UTF8') from generate_series(1, 2) i; \
         select lo_from_bytea(0, v) from t where id = 1"
    ))
    .await;
    whole_loop("a large value", &db, BOUND + 3 * VALUE).await;
}

/// One stream that nothing makes smaller, to a server that takes it in parts, in the clear and sealed.
#[tokio::test]
async fn memory_of_an_upload() {
    let Some(server) = StoreServer::rclone() else {
        return;
    };
    let (db, megabytes) = (database().await, sampled(192, 10 << 10));
    // Values that repeat farther away than any window reaches.
    db.psql(&format!(
        "create unlogged table t (v text); alter table t alter v set storage external; \
         create temp table noise as select string_agg(md5(i::text), '') as v from generate_series(1, 16 * 2048) i; \
         insert into t select n.v from generate_series(1, {megabytes}) i, noise n"
    ))
    .await;
    let (_, key) = opskit_core::seal::Identity::generate();
    let place = tempfile::tempdir().unwrap();
    fs::write(place.path().join("key"), key.expose()).unwrap();
    let recipient = opskit_core::seal::Identity::parse_file(key.expose()).unwrap()[0]
        .recipient()
        .to_string();
    for more in [&[][..], &["--recipient", &recipient]] {
        let url = db.url();
        let args = [
            "backup", "--format", "pgcopy", "--memory", "256MiB", "--db", &url,
        ];
        let peak = step_in(
            &[&args[..], more].concat(),
            &server.text("memory"),
            server.vars(),
        );
        println!("{megabytes} MiB uploaded, {more:?}: {} MiB", peak / MIB);
        assert!(peak < 256 * MIB, "{} MiB", peak / MIB);
    }
}
