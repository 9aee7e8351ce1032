//! Tables that change while they are read.

use opskit_core::ErrorKind;
use opskit_core::context::OpContext;
use opskit_core::export::parquet::ParquetOptions;
use opskit_core::postgres::export::{Export, ExportRequest};
use opskit_core::sink::{DirectorySink, FileFormat};
use opskit_tests::database;
use opskit_tests::export::{assert_kind, assert_same_frames, copy, frames, parse, parts, wire};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// What the writers do.
const FIRES: [&str; 3] = [
    "update t set n = n + 1, big = big || 'x' where id % 7 = (random() * 6)::int",
    "insert into t select max(id) + g, 1, repeat('new', 1000) from t, generate_series(1, 500) g group by g",
    "delete from t where id % 11 = (random() * 10)::int; vacuum t",
];

/// Runs statements again and again; how often.
async fn fire(url: String, sql: &str, stop: Arc<AtomicBool>) -> u32 {
    let mut connection = wire(&url).await;
    let mut times = 0;
    while !stop.load(Ordering::Relaxed) {
        for statement in sql.split(';') {
            // Writers may get into each other's way.
            let _ = connection.execute(statement).await;
        }
        times += 1;
    }
    times
}

/// Writers change, add, delete and vacuum all the time; the rows are those of the snapshot.
#[tokio::test(flavor = "multi_thread", worker_threads = 3)]
async fn a_table_under_fire_is_exported_as_it_was() {
    let db = database().await;
    db.psql(
        "create table t (id int primary key, n int, big text); \
         alter table t alter big set storage external; \
         insert into t select i, 0, case when i % 10 = 0 then repeat(md5(i::text), 400) else 'small' end from generate_series(1, 20000) i; \
         create table was as select * from t",
    )
    .await;
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    let request = ExportRequest::tables(["t"])
        .unwrap()
        .with_part_bytes(64 << 10)
        .with_jobs(3);
    let ctx = OpContext::default();
    let export = Export::open(&ctx, &parse(&db.url()), request)
        .await
        .unwrap();
    let stop = Arc::new(AtomicBool::new(false));
    let fires = FIRES.map(|sql| tokio::spawn(fire(db.url(), sql, Arc::clone(&stop))));
    while db.psql("select count(*) from t where n > 0").await == "0" {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let sink =
        DirectorySink::create(&target, FileFormat::Parquet(ParquetOptions::default())).unwrap();
    let report = export.run(&ctx, Arc::new(sink)).await.unwrap();
    stop.store(true, Ordering::Relaxed);
    for fire in fires {
        assert!(fire.await.unwrap() > 0);
    }
    assert_eq!(report.rows, 20_000);
    let folder = target.join("public.t");
    println!("{} parts", parts(&folder).len());
    let (_, ours) = frames(&folder);
    let servers = copy(
        &db.url(),
        "UTF8",
        "copy (select * from public.was order by ctid) to stdout (format binary)",
    )
    .await;
    assert_same_frames("t", &ours, &servers);
}

/// From the moment that the snapshot is taken, TRUNCATE and DROP wait.
#[tokio::test]
async fn truncate_and_drop_wait_for_the_export() {
    let db = database().await;
    db.psql("create table t as select i from generate_series(1, 1000) i")
        .await;
    let ctx = OpContext::default();
    let export = Export::open(
        &ctx,
        &parse(&db.url()),
        ExportRequest::tables(["t"]).unwrap(),
    )
    .await
    .unwrap();
    for sql in [
        "truncate t",
        "drop table t",
        "alter table t add column x int",
        "vacuum full t",
    ] {
        let refused = db
            .try_psql(&format!("set lock_timeout = '200ms'; {sql}"))
            .await;
        let refused = if sql.starts_with("vacuum") {
            wire(&db.url())
                .await
                .query("set lock_timeout = '200ms'")
                .await
                .unwrap();
            let mut connection = wire(&db.url()).await;
            connection
                .execute("set lock_timeout = '200ms'")
                .await
                .unwrap();
            connection
                .execute(sql)
                .await
                .map_err(|e| e.to_string())
                .map(|()| String::new())
        } else {
            refused
        };
        assert!(
            refused.as_ref().is_err_and(|e| e.contains("lock timeout")),
            "{sql}: {refused:?}"
        );
    }
    let place = tempfile::tempdir().unwrap();
    let sink = DirectorySink::create(place.path().join("out"), FileFormat::PgCopy(0)).unwrap();
    assert_eq!(export.run(&ctx, Arc::new(sink)).await.unwrap().rows, 1000);
    db.psql("truncate t").await;
}

/// A materialised view takes no lock; when it was refreshed meanwhile the run must not succeed with
/// other rows than the snapshot's.
#[tokio::test]
async fn a_view_that_is_refreshed_meanwhile() {
    let db = database().await;
    db.psql("create table t as select 1 as i; create materialized view m as select i from t")
        .await;
    let place = tempfile::tempdir().unwrap();
    let ctx = OpContext::default();
    let export = Export::open(
        &ctx,
        &parse(&db.url()),
        ExportRequest::tables(["m"]).unwrap(),
    )
    .await
    .unwrap();
    db.psql("update t set i = 2; refresh materialized view m")
        .await;
    let target = place.path().join("out");
    let sink = DirectorySink::create(&target, FileFormat::Csv).unwrap();
    let said = assert_kind(export.run(&ctx, Arc::new(sink)).await, ErrorKind::Busy);
    assert!(said.contains("\"public.m\""), "{said}");
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
}
