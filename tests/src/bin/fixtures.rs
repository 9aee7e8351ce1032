//! Writes files of every type, kind of table and format into a directory, with what the server says
//! about them in `expected.json`, for readers that nobody here wrote: `opskit-test-fixtures DIRECTORY`.
//! `opskit-test-fixtures --hold` prints the URL of a database with those tables, and keeps it until its input ends.

use opskit_core::export::Exactness;
use opskit_core::export::parquet::ParquetOptions;
use opskit_core::postgres::export::{ExportReport, ExportRequest};
use opskit_core::sink::{DirectorySink, FileFormat};
use opskit_tests::export::{SETTINGS, copy, export, wire};
use opskit_tests::matrix::Matrix;
use opskit_tests::{TestDb, database, tables};
use serde_json::{Map, Value, json};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn main() {
    let place = std::env::args_os()
        .nth(1)
        .expect("usage: opskit-test-fixtures DIRECTORY | --hold");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    if place == "--hold" {
        runtime.block_on(hold());
    } else {
        runtime.block_on(write(Path::new(&place)));
    }
}

async fn hold() {
    let db = database().await;
    let _matrix = Matrix::make(&db).await;
    tables::make(&db).await;
    writeln!(std::io::stdout(), "{}", db.url()).expect("somebody reads it");
    std::io::copy(&mut std::io::stdin(), &mut std::io::sink()).expect("input");
}

async fn write(place: &Path) {
    std::fs::create_dir_all(place).expect("the directory can be made");
    let db = database().await;
    let _matrix = Matrix::make(&db).await;
    tables::make(&db).await;
    let mut expected = Map::new();
    for (name, format) in formats() {
        let report = run(&db, place.join(name), format).await;
        let tables: Map<String, Value> = report
            .tables
            .iter()
            .map(|table| {
                (
                    table.table.to_path(),
                    json!({ "rows": table.rows, "misfits": table.misfits }),
                )
            })
            .collect();
        expected.insert(name.to_owned(), tables.into());
    }
    expected.insert("text".to_owned(), texts(&db).await);
    let raw = copy(
        &db.url(),
        "UTF8",
        "copy public.m_int4 to stdout (format binary)",
    )
    .await;
    std::fs::write(place.join("m_int4.pgcopy"), raw).expect("the file can be written");
    let text = serde_json::to_vec_pretty(&expected).expect("it is JSON");
    std::fs::write(place.join("expected.json"), text).expect("the file can be written");
}

fn formats() -> [(&'static str, FileFormat); 5] {
    [
        ("parquet", FileFormat::Parquet(ParquetOptions::default())),
        ("arrow", FileFormat::Arrow(Exactness::Interop)),
        ("pgcopy", FileFormat::PgCopy(3)),
        ("csv", FileFormat::Csv),
        ("jsonl", FileFormat::JsonLines),
    ]
}

async fn run(db: &TestDb, target: PathBuf, format: FileFormat) -> ExportReport {
    let sink = DirectorySink::create(target, format).expect("the directory can be made");
    let exactness = match format {
        FileFormat::Arrow(exactness) => exactness,
        _ => Exactness::Exact,
    };
    let request = ExportRequest::tables(["public.*"])
        .expect("a pattern")
        .with_exactness(exactness);
    export(&db.url(), request, Arc::new(sink))
        .await
        .unwrap_or_else(|e| panic!("{format:?}: {e:?}"))
}

/// Per table and column, the server's text of each value, in the order of the heap.
async fn texts(db: &TestDb) -> Value {
    let mut all = Map::new();
    let columns = db
        .psql(
            "select c.relname || '|' || a.attname from pg_class c join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped \
             where c.relnamespace = 'public'::regnamespace and c.relkind = 'r' and c.relname like 'm\\_%' order by c.relname, a.attnum",
        )
        .await;
    let mut connection = wire(&db.url()).await;
    connection.execute(SETTINGS).await.expect("the settings");
    for line in columns.lines() {
        let (table, column) = line.split_once('|').expect("two columns");
        // The output function's text; a cast is another thing for some types.
        let sql = format!(
            "select case when pg_catalog.num_nulls(\"{column}\") = 0 then pg_catalog.format('%s', \"{column}\") end from public.\"{table}\" order by ctid"
        );
        // Text of "char" is not always UTF-8.
        let Ok(mut sets) = connection.query(&sql).await else {
            continue;
        };
        let values: Vec<Value> = sets
            .pop()
            .expect("an answer")
            .rows
            .into_iter()
            .map(|mut row| json!(row.remove(0)))
            .collect();
        let table = all
            .entry(format!("public.{table}"))
            .or_insert_with(|| json!({}));
        table[column] = values.into();
    }
    all.into()
}
