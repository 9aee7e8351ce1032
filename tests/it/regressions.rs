//! What went wrong once.

use opskit_core::context::OpContext;
use opskit_core::export::parquet::{ParquetOptions, ParquetPart};
use opskit_core::export::{ExactBatch, ExactValue, RowEncoder};
use opskit_core::name::QualifiedName;
use opskit_core::postgres::export::{Export, ExportReport, ExportRequest};
use opskit_core::sink::{
    BackupSink, DirectorySink, Existing, FileFormat, FileSink, PartHeader, Rows,
};
use opskit_core::{ErrorKind, Result};
use opskit_tests::export::{assert_kind, export, export_parquet, open_part, parse, parts, wire};
use opskit_tests::{TestDb, database};
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

async fn export_as(
    db: &TestDb,
    request: ExportRequest,
    format: FileFormat,
    to: &Path,
) -> Result<ExportReport> {
    export(
        &db.url(),
        request,
        Arc::new(DirectorySink::create(to, format)?),
    )
    .await
}

/// The text files below a directory, in order.
fn texts(folder: &Path) -> Vec<String> {
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.is_dir())
        .flat_map(|path| std::fs::read_dir(path).unwrap())
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    paths
        .iter()
        .map(|path| std::fs::read_to_string(path).unwrap())
        .collect()
}

/// A column named like the row took its place.
#[tokio::test]
async fn json_lines_hold_the_row_whatever_its_columns_are_called() {
    let db = database().await;
    db.psql(
        "create table t (id int, r int, q int, c0 text); insert into t values (1, 10, 5, null)",
    )
    .await;
    let place = tempfile::tempdir().unwrap();
    let request = ExportRequest::tables(["t"]).unwrap();
    export_as(&db, request, FileFormat::JsonLines, &place.path().join("t"))
        .await
        .unwrap();
    assert_eq!(
        texts(&place.path().join("t")),
        ["{\"id\":1,\"r\":10,\"q\":5,\"c0\":null}\n"]
    );
    let request = ExportRequest::query("select null::text as r -- a comment at the end");
    export_as(&db, request, FileFormat::JsonLines, &place.path().join("q"))
        .await
        .unwrap();
    assert_eq!(texts(&place.path().join("q")), ["{\"r\":null}\n"]);
}

/// Only the first of several files had a header, and readers lost a row of each other one.
#[tokio::test]
async fn every_csv_file_has_a_header() {
    let db = database().await;
    db.psql("create table t as select i as k, md5(i::text) as v from generate_series(1, 5000) i")
        .await;
    let place = tempfile::tempdir().unwrap();
    let request = ExportRequest::tables(["t"])
        .unwrap()
        .with_part_bytes(64 << 10);
    let report = export_as(&db, request, FileFormat::Csv, &place.path().join("t"))
        .await
        .unwrap();
    let files = texts(&place.path().join("t"));
    assert_eq!(files.len() > 1, db.has_parts().await);
    assert!(files.iter().all(|text| text.starts_with("k,v\n")));
    assert_eq!(
        files
            .iter()
            .map(|text| text.lines().count() - 1)
            .sum::<usize>(),
        5000
    );
    assert_eq!(report.rows, 5000);
}

/// A TRUNCATE that commits between our snapshot and our lock empties the table for that snapshot; so the
/// locks of a query and of a view must come first.
#[tokio::test(flavor = "multi_thread")]
async fn a_query_and_a_view_wait_before_they_take_their_snapshot() {
    let db = database().await;
    db.psql("create table t as select generate_series(1, 10) n; create view v as select * from t")
        .await;
    let requests = [
        ExportRequest::query("select * from t"),
        ExportRequest::query("select * from v"),
        ExportRequest::tables(["v"]).unwrap(),
    ];
    for (at, request) in requests.into_iter().enumerate() {
        let mut other = wire(&db.url()).await;
        other
            .execute("begin; truncate t; insert into t select generate_series(1, 2000)")
            .await
            .unwrap();
        let place = tempfile::tempdir().unwrap();
        let url = db.url();
        let to = place.path().join("out");
        let export = tokio::spawn(async move { export_parquet(&url, request, &to).await });
        let waits = "select count(*) from pg_stat_activity \
            where datname = current_database() and wait_event_type = 'Lock'";
        while db.psql(waits).await == "0" {
            tokio::task::yield_now().await;
        }
        other.execute("commit").await.unwrap();
        let report = export.await.unwrap().unwrap();
        assert_eq!(report.rows, 2000, "request {at}");
    }
}

/// The owner of a type can say what `::text` of it gives.
#[tokio::test]
async fn a_cast_of_the_owner_does_not_change_what_is_exported() {
    let db = database().await;
    db.psql(
        "create type doc as (x regclass, note text); \
         create function lie(doc) returns text language sql immutable as $$select 'LIE'$$; \
         create cast (doc as text) with function lie(doc); \
         create table t as select row('pg_class'::regclass, 'hey')::doc d union all select null",
    )
    .await;
    let place = tempfile::tempdir().unwrap();
    let request = ExportRequest::tables(["t"]).unwrap();
    export_as(
        &db,
        request.clone(),
        FileFormat::Csv,
        &place.path().join("csv"),
    )
    .await
    .unwrap();
    export_parquet(&db.url(), request, &place.path().join("out"))
        .await
        .unwrap();
    let part = open_part(&parts(&place.path().join("out/public.t"))[0]);
    let batch = part.into_iter().next().unwrap().unwrap().batch;
    let texts = batch.column(0);
    assert_eq!(
        format!("{texts:?}"),
        "StringArray\n[\n  \"(pg_class,hey)\",\n  null,\n]"
    );
}

/// A side file that was left from another run was read with the new file.
#[tokio::test]
async fn the_side_file_of_another_run_is_never_taken() {
    let db = database().await;
    db.psql("create table t as select 1::numeric(9,2) as n")
        .await;
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("t.parquet");
    std::fs::write(place.path().join("t.parquet.exact"), "old").unwrap();
    let format = FileFormat::Parquet(ParquetOptions::default());
    assert_kind(
        FileSink::create(&target, format, Existing::Refuse),
        ErrorKind::Storage,
    );

    let request = ExportRequest::tables(["t"]).unwrap();
    export_parquet(&db.url(), request, &place.path().join("out"))
        .await
        .unwrap();
    let part = open_part(&parts(&place.path().join("out/public.t"))[0]);
    let row_type = part.row_type().clone();
    let batch = part.into_iter().next().unwrap().unwrap().batch;
    let exact = vec![ExactValue {
        row: 0,
        column: 0,
        bytes: Box::new([0; 8]),
    }];
    let encoded = RowEncoder::new(row_type).encode(&ExactBatch { batch, exact }, &mut Vec::new());
    assert_kind(encoded, ErrorKind::Damaged);
}

/// A side file that was swapped, lost or left by a crash between two renames was believed.
#[tokio::test]
async fn a_side_file_belongs_to_one_main_file() {
    let db = database().await;
    db.psql(
        "create table a as select 'NaN'::numeric(9,2) as n; create table b as table a; \
         create table plain as select 1::numeric(9,2) as n; \
         do $$ begin execute (select 'create table wide as select ''NaN''::numeric(9,2) as n' || string_agg(', 1 as c' || i, '') \
           from generate_series(1, 200) i); end $$",
    )
    .await;
    let place = tempfile::tempdir().unwrap();
    let request = ExportRequest::tables(["public.*"]).unwrap();
    export_parquet(&db.url(), request, &place.path().join("out"))
        .await
        .unwrap();
    let open = |main: &str, side: Option<&str>| {
        let open = |table: &str, suffix: &str| {
            let name = format!("out/public.{table}/part-00000.{suffix}");
            File::open(place.path().join(name)).unwrap()
        };
        let side = side.map(|table| open(table, "exact"));
        ParquetPart::open(open(main, "parquet"), side)
    };
    for table in ["a", "b", "wide"] {
        let read: Vec<_> = open(table, Some(table)).unwrap().collect();
        assert_eq!(read[0].as_ref().unwrap().exact.len(), 1, "{table}");
    }
    for (main, side) in [
        ("a", Some("b")),
        ("wide", Some("a")),
        ("a", None),
        ("plain", Some("a")),
    ] {
        assert_kind(open(main, side), ErrorKind::Damaged);
    }
    assert!(open("plain", None).is_ok());
}

/// The side file kept its name when the main file could not get its own.
#[tokio::test]
async fn a_file_that_cannot_get_its_name_leaves_no_side_file() {
    let db = database().await;
    db.psql("create table t as select 'NaN'::numeric(9,2) as n")
        .await;
    let place = tempfile::tempdir().unwrap();
    let request = ExportRequest::tables(["t"]).unwrap();
    export_parquet(&db.url(), request, &place.path().join("out"))
        .await
        .unwrap();
    let part = open_part(&parts(&place.path().join("out/public.t"))[0]);
    let header = PartHeader {
        table: QualifiedName::new("public", "t"),
        part: 0,
        parts: 1,
        row_type: Arc::new(part.row_type().clone()),
    };
    let batch = part.into_iter().next().unwrap().unwrap();
    let target = place.path().join("t.parquet");
    let format = FileFormat::Parquet(ParquetOptions::default());
    let sink = FileSink::create(&target, format, Existing::Refuse).unwrap();
    let mut writer = sink.open_part(header).await.unwrap();
    writer.write(Rows::Batch(batch)).await.unwrap();
    writer.finish().await.unwrap();
    std::fs::write(&target, "mine").unwrap();
    assert_kind(sink.commit(b"{}").await, ErrorKind::Storage);
    drop(sink);
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 2);
    assert_eq!(std::fs::read_to_string(&target).unwrap(), "mine");
}

/// What was put around a name for a while made it too long.
#[tokio::test]
async fn names_may_be_as_long_as_the_file_system_takes() {
    let db = database().await;
    db.psql("create table t as select 'NaN'::numeric(9,2) as n")
        .await;
    let place = tempfile::tempdir().unwrap();
    // Two bytes for a letter, so that the cut falls within one; the side file has 255 bytes.
    let stem = "ö".repeat(120) + "x";
    let file = place.path().join(format!("{stem}.parquet"));
    let directory = place.path().join(format!("{stem}.directory.dir"));
    let format = FileFormat::Parquet(ParquetOptions::default());
    let sinks: [Arc<dyn BackupSink>; 2] = [
        Arc::new(FileSink::create(&file, format, Existing::Refuse).unwrap()),
        Arc::new(DirectorySink::create(&directory, format).unwrap()),
    ];
    for sink in sinks {
        let request = ExportRequest::tables(["t"]).unwrap();
        export(&db.url(), request, sink).await.unwrap();
    }
    assert!(file.exists() && directory.join("manifest.json").exists());
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 3);
}

/// A role's own limit ended the wait for a lock before ours.
#[tokio::test]
async fn the_statement_timeout_of_a_role_does_not_end_the_wait() {
    let db = database().await;
    db.psql("create table t (n int)").await;
    let mut other = wire(&db.url()).await;
    other.execute("begin; lock table t").await.unwrap();
    let url = format!("{}&options=-cstatement_timeout%3D100", db.url());
    let request = ExportRequest::tables(["t"])
        .unwrap()
        .with_lock_timeout(std::time::Duration::from_millis(600));
    let opened = Export::open(&OpContext::default(), &parse(&url), request).await;
    assert_kind(opened, ErrorKind::Busy);
}

/// Before version 14 a server notices only after the wait that nobody waits any more; and the role that
/// the options choose may not cancel what the role of the login does.
#[tokio::test]
async fn a_wait_for_a_lock_that_is_dropped_ends_on_the_server() {
    let db = database().await;
    let role = format!("reader_{}", db.name());
    db.psql(&format!(
        "create table t (n int); create role {role}; grant select on t to {role}"
    ))
    .await;
    let mut other = wire(&db.url()).await;
    other.execute("begin; lock table t").await.unwrap();
    let url = parse(&format!("{}&options=-crole%3D{role}", db.url()));
    let request = ExportRequest::tables(["t"])
        .unwrap()
        .with_lock_timeout(std::time::Duration::from_secs(3600));
    let ctx = OpContext::default();
    let waiting = async || {
        db.psql("select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'")
            .await
    };
    tokio::select! {
        opened = Export::open(&ctx, &url, request) => panic!("{opened:?}"),
        () = async { while waiting().await == "0" {} } => {}
    }
    let start = std::time::Instant::now();
    while waiting().await != "0" {
        assert!(start.elapsed().as_secs() < 10, "it still waits");
    }
}

/// A field is public, so it can be set past the method that keeps it above zero.
#[tokio::test]
async fn no_jobs_are_one_job() {
    let db = database().await;
    db.psql("create table t as select 1 as n").await;
    let place = tempfile::tempdir().unwrap();
    let mut request = ExportRequest::tables(["t"]).unwrap();
    request.jobs = 0;
    let report = export_parquet(&db.url(), request, &place.path().join("out"))
        .await
        .unwrap();
    assert_eq!(report.rows, 1);
}
