//! Stored parts, loaded into a database with other OIDs, are the same rows.

use opskit_core::context::OpContext;
use opskit_core::export::ColumnMap;
use opskit_core::export::parquet::{ParquetOptions, ParquetPart};
use opskit_core::pgtype::RowType;
use opskit_core::postgres::export::{ExportReport, ExportRequest, TableReport};
use opskit_core::postgres::load::{
    LoadTable, PartJob, PartRows, RestoreSettings, Transaction, load_part, open,
};
use opskit_core::postgres::wire::WireConnection;
use opskit_core::sink::{DirectorySink, FileFormat, NullSink, RowForm};
use opskit_core::{ErrorKind, Result};
use opskit_tests::export::{export, open_part, wire};
use opskit_tests::matrix::Matrix;
use opskit_tests::{TestDb, database};
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The rows of one part, and their columns.
fn rows_of(place: &Path, row_type: &RowType, main: &str) -> (RowType, PartRows) {
    let path = place.join(main);
    if path.extension().is_some_and(|ext| ext == "parquet") {
        let part: ParquetPart = open_part(&path);
        (part.row_type().clone(), PartRows::Parquet(Box::new(part)))
    } else {
        (
            row_type.clone(),
            PartRows::Frames(Box::new(File::open(path).unwrap())),
        )
    }
}

/// Sessions that tables are looked up and loaded over.
struct Sessions {
    source: WireConnection,
    /// None after a failure, which closes it.
    target: Option<WireConnection>,
    url: String,
}

impl Sessions {
    async fn open(source: &TestDb, target: &TestDb) -> Self {
        let mut connection = wire(&source.url()).await;
        let ready = open(&mut connection, &RestoreSettings::default()).await;
        ready.unwrap();
        Self {
            source: connection,
            target: None,
            url: target.url(),
        }
    }

    /// Loads all parts of a table.
    async fn load(
        &mut self,
        place: &Path,
        table: &TableReport,
        transaction: Transaction,
    ) -> Result<()> {
        let found = LoadTable::find(&mut self.source, &table.table).await?;
        let row_type = found.row_type();
        let ctx = OpContext::default();
        let mut connection = match self.target.take() {
            Some(connection) => connection,
            None => {
                let mut connection = wire(&self.url).await;
                open(&mut connection, &RestoreSettings::default()).await?;
                connection
            }
        };
        let target = LoadTable::find(&mut connection, &table.table).await?;
        for part in &table.parts {
            let (source, rows) = rows_of(place, row_type, &part.objects[0].name);
            let job = PartJob {
                part: part.part,
                map: ColumnMap::new(&source, target.row_type())?,
                rows: part.rows,
                transaction,
                committing: Arc::default(),
            };
            connection = load_part(&ctx, connection, &target, &job, rows).await?;
        }
        self.target = Some(connection);
        Ok(())
    }
}

/// Exports tables into files.
async fn stored(db: &TestDb, pattern: &str, format: FileFormat, to: PathBuf) -> ExportReport {
    let sink = DirectorySink::create(to, format).unwrap();
    let request = ExportRequest::tables([pattern]).unwrap();
    export(&db.url(), request, Arc::new(sink)).await.unwrap()
}

/// The tables as they are, with their fingerprints.
async fn fingerprints(db: &TestDb, pattern: &str) -> Vec<String> {
    let sink = Arc::new(NullSink::new(RowForm::Frames));
    let request = ExportRequest::tables([pattern]).unwrap();
    let report = export(&db.url(), request, sink).await.unwrap();
    let tables = report.tables.iter();
    tables
        .map(|table| format!("{} {} {:?}", table.table, table.rows, table.fingerprint))
        .collect()
}

#[tokio::test]
async fn every_type_is_loaded_into_a_database_with_other_oids() {
    let (source, target) = (database().await, database().await);
    target.psql("create type shift as (a int, b int)").await;
    let matrix = Matrix::make(&source).await;
    Matrix::make(&target).await;
    let wanted = fingerprints(&source, "public.m_*").await;
    assert_eq!(wanted.len(), matrix.cases.len());
    for format in [
        FileFormat::Parquet(ParquetOptions::default()),
        FileFormat::PgCopy(0),
    ] {
        let place = tempfile::tempdir().unwrap();
        let out = place.path().join("out");
        let report = stored(&source, "public.m_*", format, out.clone()).await;
        let mut refused = Vec::new();
        let names: Vec<String> = report.tables.iter().map(|t| t.table.to_sql()).collect();
        target.psql(&format!("truncate {}", names.join(", "))).await;
        let mut sessions = Sessions::open(&source, &target).await;
        for table in &report.tables {
            if let Err(e) = sessions.load(&out, table, Transaction::Own).await {
                refused.push(format!("{}: {}", table.table, e.chain().join(": ")));
            }
        }
        assert!(refused.is_empty(), "{format:?}: {}", refused.join("\n"));
        assert_eq!(
            fingerprints(&target, "public.m_*").await,
            wanted,
            "{format:?}"
        );
    }
}

#[tokio::test]
async fn generated_columns_are_left_out_and_rows_are_frozen() {
    let (source, target) = (database().await, database().await);
    for db in [&source, &target] {
        db.psql(
            "create table t (gone int, a int, g int generated always as (a * 2) stored, b text, \
               i int generated always as identity); alter table t drop column gone; \
             create table empty ()",
        )
        .await;
    }
    source
        .psql(
            "insert into t (a, b) select i, repeat('x', i) from generate_series(1, 1000) i; \
             insert into empty select from generate_series(1, 7)",
        )
        .await;
    // The order of columns may differ.
    target
        .psql("alter table t drop column b; alter table t add column b text")
        .await;
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let format = FileFormat::Parquet(ParquetOptions::default());
    let report = stored(&source, "public.*", format, out.clone()).await;
    let mut sessions = Sessions::open(&source, &target).await;
    for table in &report.tables {
        let loaded = sessions.load(&out, table, Transaction::Truncating).await;
        loaded.unwrap();
    }
    let sum = "select count(*), sum(g), sum(length(b)), sum(i) from t";
    assert_eq!(target.psql(sum).await, source.psql(sum).await);
    assert_eq!(target.psql("select count(*) from empty").await, "7");
    // Frozen rows are visible to all without a look at the log of commits.
    target
        .psql("create extension if not exists pageinspect")
        .await;
    let frozen =
        "select bool_and(t_infomask & 768 = 768) from heap_page_items(get_raw_page('t', 0))";
    assert_eq!(target.psql(frozen).await, "t");
}

#[tokio::test]
async fn a_part_with_another_count_loads_nothing() {
    let (source, target) = (database().await, database().await);
    source
        .psql("create table t as select i from generate_series(1, 100) i")
        .await;
    target.psql("create table t (i int)").await;
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let mut report = stored(&source, "t", FileFormat::PgCopy(0), out.clone()).await;
    report.tables[0].parts[0].rows = 101;
    let mut sessions = Sessions::open(&source, &target).await;
    let refused = sessions
        .load(&out, &report.tables[0], Transaction::Own)
        .await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Damaged);
    assert_eq!(target.psql("select count(*) from t").await, "0");
}

#[tokio::test]
async fn a_column_of_another_type_is_refused() {
    let (source, target) = (database().await, database().await);
    source.psql("create table t as select 1 as i").await;
    target.psql("create table t (i bigint)").await;
    let place = tempfile::tempdir().unwrap();
    let out = place.path().join("out");
    let report = stored(&source, "t", FileFormat::PgCopy(0), out.clone()).await;
    let mut sessions = Sessions::open(&source, &target).await;
    let refused = sessions
        .load(&out, &report.tables[0], Transaction::Own)
        .await;
    let error = refused.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
    assert_eq!(
        error.to_string(),
        "column \"i\" is of type bigint in the table and integer in the backup"
    );
}

#[tokio::test]
async fn text_of_somebody_elses_brings_no_second_statement() {
    let db = database().await;
    let mut connection = wire(&db.url()).await;
    let refused = connection
        .query_one("create table a (); create table b ()")
        .await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::InvalidInput);
    // The connection goes on.
    let answer = connection.query_one("select 1 as one").await.unwrap();
    assert_eq!(answer.rows, [[Some("1".to_owned())]]);
    assert_eq!(answer.columns[0].name, "one");
    let none = connection.query_one("create table a ()").await.unwrap();
    assert_eq!((none.rows.len(), none.tag.as_str()), (0, "CREATE TABLE"));
}
