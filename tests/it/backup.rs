//! Backups of real databases: what they hold, what they refuse, what is left when they die.

mod attacked;
mod consistency;
mod damage;
mod encrypted;
mod fan_out;
mod hostile;
mod killed;
mod refusals;
mod signed;
mod values;

use opskit_core::backup::{BackupReport, BackupRequest, backup};
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupReader, Repository};
use opskit_core::{ErrorKind, Result};
use opskit_tests::TestDb;
use opskit_tests::export::parse;
use opskit_tests::secrets::{assert_files_keep, looked_at};
use tempfile::TempDir;

/// A repository that goes away.
struct Place {
    repository: Repository,
    dir: TempDir,
}

fn place() -> Place {
    let dir = tempfile::tempdir().unwrap();
    Place {
        repository: Repository::create(dir.path().join("backups")).unwrap(),
        dir,
    }
}

impl Place {
    async fn back_up(&self, db: &TestDb, request: BackupRequest) -> Result<BackupReport> {
        self.back_up_as(&db.url(), request).await
    }

    async fn back_up_as(&self, url: &str, request: BackupRequest) -> Result<BackupReport> {
        let ctx = OpContext::default();
        let done = Box::pin(backup(&ctx, &parse(url), &self.repository, request)).await;
        assert_files_keep(self.dir.path());
        looked_at(done)
    }

    fn latest(&self) -> BackupReader {
        let id = self.repository.find("latest").unwrap();
        self.repository.read(&id).unwrap()
    }
}

/// Tables of every kind that holds rows, sequences, and odd names.
async fn sample() -> TestDb {
    let db = opskit_tests::database().await;
    db.psql(
        "create table t (id int primary key, amount numeric(12,2), name text, tags text[], grid int[]); \
         insert into t select i, case when i % 7 = 0 then 'NaN' else i / 4.0 end, 'n' || i, array['x', null, i::text], \
           case when i % 5 = 0 then '{{1,2},{3,4}}'::int[] end from generate_series(1, 5000) i; \
         create table empty (); \
         create table \"a/../b\" (\"x\ny\" int generated always as identity); \
         insert into \"a/../b\" default values; \
         create schema \"Ödd \"\"s\"\"\"; \
         create table \"Ödd \"\"s\"\"\".\"é%s'\" (i int); \
         insert into \"Ödd \"\"s\"\"\".\"é%s'\" values (1); \
         create table p (k int, v text) partition by range (k); \
         create table p1 partition of p for values from (0) to (10); \
         create table p2 partition of p for values from (10) to (20) partition by list (v); \
         create table p2a partition of p2 for values in ('a'); \
         insert into p values (1, 'x'), (11, 'a'), (12, 'a'); \
         create table parent (i int); create table child (j int) inherits (parent); \
         insert into parent values (1); insert into child values (2, 3); \
         create unlogged table u (i int); insert into u values (1); \
         create materialized view m as select count(*) from t; \
         create sequence s start 5; create sequence called; select nextval('called'); select nextval('called'); \
         select setval('s', 42, false);",
    )
    .await;
    db
}

#[tokio::test]
async fn a_backup_holds_every_row_once() {
    let (db, place) = (sample().await, place());
    let report = place.back_up(&db, BackupRequest::new()).await.unwrap();
    let rows: Vec<(String, u64)> = report
        .tables
        .iter()
        .map(|table| (table.table.to_string(), table.rows))
        .collect();
    let expected = [
        ("public.a/../b", 1),
        ("public.child", 1),
        ("public.empty", 0),
        ("public.p1", 1),
        ("public.p2a", 2),
        ("public.parent", 1),
        ("public.t", 5000),
        ("public.u", 1),
        ("Ödd \"s\".é%s'", 1),
    ];
    let mut rows: Vec<(&str, u64)> = rows.iter().map(|(name, n)| (name.as_str(), *n)).collect();
    rows.sort_unstable();
    assert_eq!(rows, expected);
    let reader = place.latest();
    let contents = reader.contents().unwrap();
    let values: Vec<(&str, i64, bool)> = contents
        .sequences
        .iter()
        .map(|s| (s.name.name.as_str(), s.last_value, s.is_called))
        .collect();
    assert_eq!(
        values,
        [
            ("a/../b_x\ny_seq", 1, true),
            ("called", 2, true),
            ("s", 42, false)
        ]
    );
    assert_eq!(contents.facts_digest.unwrap().len(), 64);
    assert!(contents.marker.is_some());
    let history = place.repository.history().unwrap();
    assert_eq!(history.len(), 1);
    assert_eq!(history[0].rows, report.rows);
    assert_eq!(history[0].manifest_sha256, Some(report.manifest_sha256));
}

#[tokio::test]
async fn both_formats_verify_and_agree() {
    use opskit_core::repository::{DataFormat, VerifyLevel};
    let (db, place) = (sample().await, place());
    let mut prints = Vec::new();
    for format in [DataFormat::Parquet, DataFormat::Pgcopy] {
        let request = BackupRequest::new()
            .with_format(format)
            .with_part_bytes(64 << 10);
        let report = place.back_up(&db, request).await.unwrap();
        let ctx = OpContext::default();
        let verified = place
            .repository
            .verify(&ctx, &report.id, VerifyLevel::Decode)
            .unwrap();
        assert_eq!(verified.faults, []);
        assert_eq!(verified.rows, report.rows);
        let of = |table: &opskit_core::backup::BackedUpTable| (table.rows, table.fingerprint);
        prints.push(report.tables.iter().map(of).collect::<Vec<_>>());
    }
    assert_eq!(prints[0], prints[1]);
    assert_eq!(place.repository.backups().unwrap().len(), 2);
}

#[tokio::test]
async fn patterns_choose_rows_and_the_rest_is_named() {
    let (db, place) = (sample().await, place());
    let request = BackupRequest::new().only(["p", "t"]).unwrap();
    let request = request.excluding(["p1"]).unwrap();
    let report = place.back_up(&db, request).await.unwrap();
    let tables: Vec<&str> = report
        .tables
        .iter()
        .map(|t| t.table.name.as_str())
        .collect();
    assert_eq!(tables, ["p2a", "t"]);
    let named = |object: &str| report.excluded.iter().any(|e| e.object == object);
    assert!(named("rows of table public.p1") && named("rows of table public.u"));
    assert!(named("large objects"));
    let missing = BackupRequest::new().only(["nothing_like_it"]).unwrap();
    let error = place.back_up(&db, missing).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let schema = place.back_up(&db, BackupRequest::new().schema_only()).await;
    let schema = schema.unwrap();
    assert_eq!((schema.rows, schema.tables.len()), (0, 0));
}
