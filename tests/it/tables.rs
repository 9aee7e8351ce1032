//! Tables that are odd as tables, and tables that change while they are read.

mod changing;

use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::export::parquet::ParquetOptions;
use opskit_core::postgres::export::{Export, ExportReport, ExportRequest};
use opskit_core::sink::{DirectorySink, Existing, FileFormat, FileSink};
use opskit_core::{ErrorKind, Result};
use opskit_tests::export::{
    assert_kind, assert_same_frames, copy, export, export_parquet, frames, parse, parts,
};
use opskit_tests::{TestDb, database, database_with, tables};
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The frames of a table are those of this query, with the columns that the export read.
async fn assert_exact(db: &TestDb, target: &Path, folder: &str, encoding: &str, from: &str) {
    let (row_type, ours) = frames(&target.join(folder));
    let sql = format!(
        "copy (select {} from {from}) to stdout (format binary)",
        row_type.select_list()
    );
    assert_same_frames(folder, &ours, &copy(&db.url(), encoding, &sql).await);
}

fn rows(report: &ExportReport, name: &str) -> u64 {
    report
        .tables
        .iter()
        .find(|table| table.table.name == name)
        .unwrap_or_else(|| panic!("no {name}"))
        .rows
}

#[tokio::test]
async fn tables_of_every_kind_and_name() {
    let db = database().await;
    tables::make(&db).await;
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    let request = ExportRequest::tables(["public.*", "looked_at"]).unwrap();
    let report = export_parquet(&db.url(), request, &target).await.unwrap();
    assert_eq!(report.tables.len(), tables::ROWS.len());
    for (folder, rows) in tables::ROWS {
        let table = report
            .tables
            .iter()
            .find(|table| table.table.to_path() == folder);
        assert_eq!(
            table.unwrap_or_else(|| panic!("no {folder}")).rows,
            rows,
            "{folder}"
        );
        assert!(!parts(&target.join(folder)).is_empty(), "{folder}");
    }
    assert_rows_of_odd_tables(&db, &target).await;
    // Nothing stands outside of the directory.
    let entries = std::fs::read_dir(place.path()).unwrap();
    let left: Vec<_> = entries.map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(left, ["out"]);
    let warned = |warning: &String| warning.contains("\"public.parent\"");
    assert!(report.warnings.iter().any(warned), "{:?}", report.warnings);
}

async fn assert_rows_of_odd_tables(db: &TestDb, target: &Path) {
    let odd = opskit_core::name::quote_ident(tables::ODD_NAME);
    let heaps = [
        "wide",
        "dropped",
        "generated",
        "child",
        "fast",
        "matview",
        "long",
        "twin",
        "empty",
    ];
    let mut all: Vec<(String, String)> = heaps
        .iter()
        .map(|name| {
            (
                format!("public.{name}"),
                format!("public.{name} order by ctid"),
            )
        })
        .collect();
    all.push(("public.%54win".into(), "public.\"Twin\"".into()));
    all.push(("public.parent".into(), "only public.parent".into()));
    all.push(("public.looked_at".into(), "public.looked_at".into()));
    all.push((
        "public.parted".into(),
        "public.parted order by tableoid::regclass::text".into(),
    ));
    all.push((tables::ROWS[16].0.into(), format!("public.{odd}")));
    for (folder, from) in all {
        assert_exact(db, target, &folder, "UTF8", &from).await;
    }
}

#[tokio::test]
async fn tables_without_columns_keep_their_count() {
    let db = database().await;
    tables::make(&db).await;
    let place = tempfile::tempdir().unwrap();
    for (name, format) in [
        ("parquet", FileFormat::Parquet(ParquetOptions::default())),
        ("pgcopy", FileFormat::PgCopy(0)),
        ("csv", FileFormat::Csv),
        ("jsonl", FileFormat::JsonLines),
    ] {
        let sink = DirectorySink::create(place.path().join(name), format).unwrap();
        let report = export(
            &db.url(),
            ExportRequest::tables(["zero", "zero_empty", "empty"]).unwrap(),
            Arc::new(sink),
        )
        .await
        .unwrap();
        assert_eq!(
            (
                rows(&report, "zero"),
                rows(&report, "zero_empty"),
                rows(&report, "empty")
            ),
            (3, 0, 0),
            "{name}"
        );
    }
}

/// Wide parts are cut by rows too: column numbers do not wrap, and values of all columns go aside.
#[tokio::test]
async fn tables_with_values_aside_in_the_last_column() {
    let db = database().await;
    db.psql(
        "do $$ begin execute (select 'create table wide (' || string_agg('c' || i || ' numeric(4,1)', ',') || ')' from generate_series(1, 1599) i); end $$; \
         insert into wide (c1, c1599) select 'NaN', case when i % 2 = 0 then 'NaN' else 1.5 end from generate_series(1, 500) i",
    )
    .await;
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    let report = export_parquet(&db.url(), ExportRequest::tables(["wide"]).unwrap(), &target)
        .await
        .unwrap();
    assert_eq!(report.tables[0].misfits, 750);
    assert_exact(
        &db,
        &target,
        "public.wide",
        "UTF8",
        "public.wide order by ctid",
    )
    .await;
}

#[tokio::test]
async fn tables_with_virtual_columns() {
    let db = database().await;
    let version = db.version().await;
    if version < 180_000 {
        println!("skipped: virtual generated columns came with PostgreSQL 18");
        return;
    }
    db.psql("create table v (a int, g int generated always as (a * 2) virtual); insert into v values (1), (null)").await;
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    export_parquet(&db.url(), ExportRequest::tables(["v"]).unwrap(), &target)
        .await
        .unwrap();
    let (row_type, _) = frames(&target.join("public.v"));
    assert!(row_type.columns[1].generated);
    assert_exact(&db, &target, "public.v", "UTF8", "public.v order by ctid").await;
}

#[tokio::test]
async fn tables_of_files() {
    let db = database().await;
    if db
        .psql("select count(*) from pg_available_extensions where name = 'file_fdw'")
        .await
        == "0"
    {
        println!("skipped: file_fdw is not installed");
        return;
    }
    db.psql(
        "create extension file_fdw; create server files foreign data wrapper file_fdw; \
         create foreign table version (line text) server files options (filename 'PG_VERSION', format 'text')",
    )
    .await;
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    let report = export_parquet(
        &db.url(),
        ExportRequest::tables(["version"]).unwrap(),
        &target,
    )
    .await
    .unwrap();
    assert_eq!(report.rows, 1);
    assert_exact(&db, &target, "public.version", "UTF8", "public.version").await;
}

async fn query(db: &TestDb, sql: &str, target: &Path) -> Result<ExportReport> {
    let sink = FileSink::create(
        target,
        FileFormat::Parquet(ParquetOptions::default()),
        Existing::Refuse,
    )?;
    export(&db.url(), ExportRequest::query(sql), Arc::new(sink)).await
}

#[tokio::test]
async fn queries_with_odd_columns() {
    let db = database().await;
    db.psql("create table t as select i as a, i * 2 as b from generate_series(1, 10) i")
        .await;
    let place = tempfile::tempdir().unwrap();
    let table = [
        (
            "select a, b as a, a as a, 1, 'x' from t",
            10,
            "a,a_2,a_3,?column?,?column?_2",
        ),
        ("select from t;", 10, "__opskit_row"),
        (
            "values (1, null), (2, 'x') -- comment",
            2,
            "column1,column2",
        ),
        ("table t", 10, "a,b"),
        (
            "with w as (select * from t) select * from w where a > 5 order by a desc",
            5,
            "a,b",
        ),
        ("select t, array[t] as ts, t.* from t", 10, "t,ts,a,b"),
        ("select 'pg_class'::regclass as c, null as n", 1, "c,n"),
    ];
    for (at, (sql, rows, names)) in table.into_iter().enumerate() {
        let file = place.path().join(format!("{at}.parquet"));
        let report = query(&db, sql, &file)
            .await
            .unwrap_or_else(|e| panic!("{sql}: {e:?}"));
        assert_eq!(report.rows, rows, "{sql}");
        let part = opskit_tests::export::open_part(&file);
        let batch = part.map(|batch| batch.unwrap().batch).next().unwrap();
        let found: Vec<&str> = batch
            .schema_ref()
            .fields()
            .iter()
            .map(|field| field.name().as_str())
            .collect();
        assert_eq!(found.join(","), names, "{sql}");
    }
    for sql in [
        "delete from t returning a",
        "select 1; drop table t",
        "select * from missing",
        "",
        "select 1) q; delete from t; select * from (select 1",
        "select 1) q; commit; delete from t; select * from (select 1",
    ] {
        let error = query(&db, sql, &place.path().join("no.parquet"))
            .await
            .expect_err(sql);
        assert_ne!(error.kind(), ErrorKind::Internal, "{sql}: {error:?}");
        assert!(!place.path().join("no.parquet").exists());
    }
    assert_eq!(db.psql("select count(*) from t").await, "10");
}

/// Bytes that are no text in any encoding that we know of, and an encoding that is not UTF-8.
#[tokio::test]
async fn tables_in_other_encodings() {
    let ascii = database_with("encoding 'SQL_ASCII' locale 'C' template template0").await;
    ascii.psql("create table t as select convert_from('\\xff41'::bytea, 'SQL_ASCII') as v, 'plain'::text as w union all select 'ok', convert_from('\\xc3a9'::bytea, 'SQL_ASCII')").await;
    let latin = database_with("encoding 'LATIN1' locale 'C' template template0").await;
    latin.psql("create table t as select convert_from('\\xe9'::bytea, 'LATIN1') as v, array[convert_from('\\xe9'::bytea, 'LATIN1')] as w").await;
    let place = tempfile::tempdir().unwrap();
    for (db, encoding, misfits) in [(&ascii, "SQL_ASCII", 1), (&latin, "UTF8", 0)] {
        let target = place.path().join(encoding);
        let report = export_parquet(&db.url(), ExportRequest::tables(["t"]).unwrap(), &target)
            .await
            .unwrap();
        assert_eq!(report.tables[0].misfits, misfits, "{encoding}");
        assert_exact(db, &target, "public.t", encoding, "public.t order by ctid").await;
    }
}

#[tokio::test]
async fn several_patterns_and_the_plan() {
    let db = database().await;
    db.psql("create schema a; create schema b; create table a.t (i int); create table b.t (i int); create table b.u (i int); create view b.v as select 1 as i; create table t (i int)").await;
    let open = async |patterns: &[&str]| {
        let export = Export::open(
            &OpContext::default(),
            &parse(&db.url()),
            ExportRequest::tables(patterns)?,
        )
        .await?;
        Ok(export
            .plan()
            .tables
            .iter()
            .map(|table| table.name.to_string())
            .collect::<Vec<_>>()
            .join(","))
    };
    let found: Result<String> = open(&["b.*", "a.t", "b.t", "T"]).await;
    assert_eq!(found.unwrap(), "a.t,b.t,b.u,public.t");
    assert_eq!(open(&["*.t"]).await.unwrap(), "a.t,b.t,public.t");
    assert_eq!(open(&["b.v"]).await.unwrap(), "b.v");
    let said = assert_kind(open(&["a.t", "nothing*"]).await, ErrorKind::NotFound);
    assert!(said.contains("nothing*"), "{said}");
    assert_kind(open(&["\"T\""]).await, ErrorKind::NotFound);
}

/// One file takes one part, and what it has no place for is refused before a row is read.
#[tokio::test]
async fn one_file_takes_one_part() {
    let db = database().await;
    tables::make(&db).await;
    let place = tempfile::tempdir().unwrap();
    let file = place.path().join("one.parquet");
    let sink = |name: &Path| {
        FileSink::create(
            name,
            FileFormat::Parquet(ParquetOptions::default()),
            Existing::Refuse,
        )
        .unwrap()
    };
    let request = || ExportRequest::tables(["parted"]).unwrap();
    assert_kind(
        export(
            &db.url(),
            request().with_single_part(),
            Arc::new(sink(&file)),
        )
        .await,
        ErrorKind::Unsupported,
    );
    assert_kind(
        export(&db.url(), request(), Arc::new(sink(&file))).await,
        ErrorKind::InvalidInput,
    );
    assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 0);
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let ctx = OpContext::default()
        .with_observer(move |event: &Event| seen.lock().unwrap().push(event.clone()));
    let open = Export::open(
        &ctx,
        &parse(&db.url()),
        ExportRequest::tables(["long"]).unwrap().with_single_part(),
    )
    .await
    .unwrap();
    open.run(&ctx, Arc::new(sink(&file))).await.unwrap();
    assert!(file.exists());
    let rows: u64 = events
        .lock()
        .unwrap()
        .iter()
        .map(|event| {
            if let Event::Progress { rows, .. } = event {
                *rows
            } else {
                0
            }
        })
        .sum();
    assert_eq!(rows, 1);
}
