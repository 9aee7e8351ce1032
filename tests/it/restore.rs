//! A backup that is restored is the same database; and nobody's code gains anything by it.

mod again;
mod around;
mod beside;
mod between;
mod checks;
mod clean;
mod drills;
mod forged;
mod grants;
mod hostile;
mod into;
mod names;

use crate::roundtrip::pg_dump;
use opskit_core::backup::restore::{
    Existing, Part, Restore, RestoreReport, RestoreRequest, SessionKind, Transactions, Trust,
};
use opskit_core::backup::{BackupRequest, backup};
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupReader, DataFormat, Repository};
use opskit_core::{ErrorKind, Result};
use opskit_tests::export::parse;
use opskit_tests::secrets::looked_at;
use opskit_tests::{TestDb, database};
use std::path::Path;
use tempfile::TempDir;

/// Tables that need each other, and what belongs to them.
const SHOP: &str = "create type mood as enum ('sad', 'fine', 'glad'); \
    create schema shop; \
    create table shop.customers (id int generated always as identity primary key, name text not null unique, mood mood default 'fine', \
      tags mood[] default array['glad'::mood], parent int references shop.customers); \
    create table shop.orders (id bigserial primary key, customer int not null references shop.customers on delete cascade, \
      total numeric(12,2) check (total >= 0), made timestamptz default now(), doc jsonb, double numeric generated always as (total * 2) stored); \
    create index on shop.orders (customer); create index on shop.orders ((doc ->> 'a')) where total > 1; \
    create table shop.log (at date not null, what text, kind regclass) partition by range (at); \
    create table shop.log_1 partition of shop.log for values from ('2026-01-01') to ('2026-07-01'); \
    create table shop.log_2 partition of shop.log for values from ('2026-07-01') to ('2027-01-01'); \
    create index on shop.log (what); \
    create function shop.note() returns trigger language plpgsql as $$ begin insert into shop.log values ('2026-02-03', 'order ' || new.id, 'shop.orders'); return new; end $$; \
    create view shop.sums as select customer, sum(total) from shop.orders group by customer; \
    create materialized view shop.big as select * from shop.sums where sum > 100; create unique index on shop.big (customer); \
    insert into shop.customers (name, parent) select 'c' || i, case when i > 1 then 1 end from generate_series(1, 200) i; \
    insert into shop.orders (customer, total, doc) select 1 + i % 200, i, jsonb_build_object('a', i, 'b', array[i]) from generate_series(1, 5000) i; \
    insert into shop.log select date '2026-01-01' + i % 360, 'x' || i, 'shop.log' from generate_series(1, 1000) i; \
    refresh materialized view shop.big; \
    create trigger noted after insert on shop.orders for each row execute function shop.note(); \
    alter table shop.customers enable row level security; create policy mine on shop.customers using (name = current_user); \
    comment on table shop.orders is 'what was ordered'; \
    select lo_from_bytea(0, repeat('large ', 5000)::bytea);";

/// A database with [`SHOP`], all of which belongs to an ordinary role that is named as the database.
async fn shop() -> TestDb {
    let db = database().await;
    let owner = db.name();
    db.psql(&format!(
        "create role \"{owner}\" login; grant create on database {owner} to \"{owner}\"; \
         grant create on schema public to \"{owner}\"; set role \"{owner}\"; {SHOP}"
    ))
    .await;
    db
}

/// A backup of a database, in a place of its own.
struct Stored {
    place: TempDir,
}

impl Stored {
    async fn of(db: &TestDb, url: &str, request: BackupRequest) -> Self {
        let place = tempfile::tempdir().unwrap();
        let repository = Repository::create(place.path().join("repo")).unwrap();
        let made = backup(&OpContext::default(), &parse(url), &repository, request).await;
        made.unwrap_or_else(|e| panic!("{}: {}", db.name(), e.chain().join(": ")));
        Self { place }
    }

    fn repository(&self) -> Repository {
        Repository::open(self.place.path().join("repo")).unwrap()
    }

    fn reader(&self) -> BackupReader {
        let repository = self.repository();
        repository
            .read(&repository.find("latest").unwrap())
            .unwrap()
    }

    /// Every file of rows.
    fn data(&self) -> Vec<std::path::PathBuf> {
        let id = self.repository().find("latest").unwrap();
        let folder = self
            .place
            .path()
            .join("repo/backups")
            .join(id.as_str())
            .join("data");
        files(&folder)
    }
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else {
            found.push(path);
        }
    }
    found.sort();
    found
}

async fn restore(stored: &Stored, url: &str, request: RestoreRequest) -> Result<RestoreReport> {
    let ctx = OpContext::default();
    let restore = looked_at(Restore::open(&ctx, stored.reader(), &parse(url), request).await)?;
    looked_at(restore.run(&ctx).await)
}

fn assert_same(report: &RestoreReport) {
    assert!(
        report.is_same(),
        "{:#?}\n{:#?}",
        report.failures,
        report.differences
    );
}

async fn assert_no_login_is_left(db: &TestDb) {
    let oid = db
        .psql("select oid from pg_database where datname = current_database()")
        .await;
    let left = format!("select count(*) from pg_roles where rolname like 'opskit_restore_{oid}_%'");
    assert_eq!(db.psql(&left).await, "0");
}

#[tokio::test]
async fn what_is_restored_is_the_same() {
    let (source, target) = (shop().await, database().await);
    for format in [DataFormat::Parquet, DataFormat::Pgcopy] {
        let request = BackupRequest::new().with_format(format);
        let stored = Stored::of(&source, &source.url(), request).await;
        let request = RestoreRequest::default().with_existing(Existing::Drop);
        let report = restore(&stored, &target.url(), request).await;
        let report = report.unwrap_or_else(|e| panic!("{}", e.chain().join(": ")));
        assert_same(&report);
        assert!(report.compared.len() == 4, "{:?}", report.compared);
        if let (Some(wanted), Some(found)) = (pg_dump(&source), pg_dump(&target)) {
            assert_eq!(wanted, found);
        }
        for sql in [
            "select count(*), sum(hashtextextended(o::text, 0)) from shop.orders o",
            "select count(*), sum(sum) from shop.big",
            "select last_value, is_called from shop.orders_id_seq",
            "select count(*), sum(length(lo_get(oid))) from pg_largeobject_metadata",
        ] {
            assert_eq!(source.psql(sql).await, target.psql(sql).await, "{sql}");
        }
        assert_no_login_is_left(&target).await;
    }
}

#[tokio::test]
async fn a_table_of_many_parts_is_one_transaction_unless_it_would_keep_the_others_waiting() {
    let (source, target) = (database().await, database().await);
    source.psql(SHOP).await;
    let request = BackupRequest::new().with_part_bytes(16 << 10);
    let stored = Stored::of(&source, &source.url(), request).await;
    // Ranges of a table are read from 14 on.
    let many = match source.version().await >= 140_000 {
        true => "many",
        false => "1",
    };
    for (jobs, transactions) in [(1, "1"), (8, many)] {
        let request = RestoreRequest::default()
            .with_existing(Existing::Drop)
            .with_trust(Trust::Backup)
            .with_jobs(jobs);
        let report = restore(&stored, &target.url(), request).await;
        assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
        let sql = "select case count(distinct xmin::text) when 1 then '1' else 'many' end from";
        let orders = target.psql(&format!("{sql} shop.orders")).await;
        assert_eq!(orders, transactions, "{jobs} jobs");
        // Its rows go through a temporary table, one for each part.
        assert_eq!(target.psql(&format!("{sql} shop.log_1")).await, "1");
    }
}

#[tokio::test]
async fn an_owner_without_rights_restores_over_its_own_session() {
    let (source, target) = (database().await, database().await);
    let owner = source.name().to_owned();
    source.psql(&format!("create role \"{owner}\" login; grant create on database {owner} to \"{owner}\"; grant create on schema public to \"{owner}\"")).await;
    target.psql(&format!("grant create on database {} to \"{owner}\"; grant create on schema public to \"{owner}\"", target.name())).await;
    let as_owner = format!("set role \"{owner}\"; {SHOP}");
    source.psql(&as_owner).await;
    let stored = Stored::of(&source, &source.url_for(&owner), BackupRequest::new()).await;
    let ctx = OpContext::default();
    let request = RestoreRequest::default().with_transactions(Transactions::One);
    let opened = Restore::open(
        &ctx,
        stored.reader(),
        &parse(&target.url_for(&owner)),
        request,
    )
    .await;
    let opened = opened.unwrap();
    assert_eq!(opened.plan().session, SessionKind::Own);
    let report = opened.run(&ctx).await;
    assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
}

#[tokio::test]
async fn a_target_that_is_not_empty_is_refused_by_name() {
    let (source, target) = (database().await, database().await);
    source
        .psql("create table t (i int); create table u (i int)")
        .await;
    target.psql("create table u (i int)").await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let refused = restore(&stored, &target.url(), RestoreRequest::default())
        .await
        .unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    assert!(
        refused.to_string().contains("has already table public.u"),
        "{refused}"
    );
    assert_eq!(
        target
            .psql("select count(*) from pg_class where relname = 't'")
            .await,
        "0"
    );
}

#[tokio::test]
async fn one_table_comes_with_what_it_needs() {
    let (source, target) = (shop().await, database().await);
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let request = RestoreRequest::default().only(["shop.customers"]).unwrap();
    let report = restore(&stored, &target.url(), request).await;
    let report = report.unwrap_or_else(|e| panic!("{}", e.chain().join(": ")));
    assert_same(&report);
    assert_eq!(report.rows, 200);
    let tables = "select string_agg(relname, ' ' order by relname) from pg_class where relnamespace = 'shop'::regnamespace and relkind = 'r'";
    assert_eq!(target.psql(tables).await, "customers");
    assert_eq!(target.psql("select count(*) from pg_policy").await, "1");
    assert_eq!(
        target
            .psql("select count(*) from pg_constraint where contype = 'f'")
            .await,
        "1"
    );
}

#[tokio::test]
async fn objects_first_and_rows_later() {
    let (source, target) = (shop().await, database().await);
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let objects = RestoreRequest::default().with_part(Part::Schema);
    assert_same(&restore(&stored, &target.url(), objects).await.unwrap());
    assert_eq!(target.psql("select count(*) from shop.orders").await, "0");
}

#[tokio::test]
async fn a_damaged_object_is_named_and_its_rows_are_not_loaded() {
    let (source, target) = (database().await, database().await);
    source
        .psql("create table t as select i from generate_series(1, 1000) i")
        .await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let path = &stored.data()[0];
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let error = restore(&stored, &target.url(), RestoreRequest::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error:?}");
    let told = error.chain().join(": ");
    assert!(told.contains("data/public.t/part-00000.parquet"), "{told}");
    assert_eq!(target.psql("select count(*) from t").await, "0");
    assert_no_login_is_left(&target).await;
}

#[tokio::test]
async fn rows_only_into_tables_that_refer_to_each_other() {
    let (source, target) = (shop().await, database().await);
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let objects = RestoreRequest::default().with_part(Part::Schema);
    assert_same(&restore(&stored, &target.url(), objects).await.unwrap());
    let rows = RestoreRequest::default().with_part(Part::Data);
    let report = restore(&stored, &target.url(), rows).await;
    assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
    let state = "select count(*) from pg_constraint where contype = 'f' union all select count(*) from pg_trigger where tgenabled = 'O' and not tgisinternal";
    assert_eq!(target.psql(state).await, source.psql(state).await);
}

#[tokio::test]
async fn a_drill_restores_compares_and_leaves_a_record() {
    use opskit_core::backup::drill::{DrillRequest, Outcome, drill};
    let source = shop().await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let repository = stored.repository();
    let id = repository.find("latest").unwrap();
    let mut request = DrillRequest::default();
    request
        .checks
        .push("select 'orders', count(*) = 5000, count(*)::text from shop.orders;".to_owned());
    let report = drill(&OpContext::default(), &repository, &id, request).await;
    let report = report.unwrap_or_else(|e| panic!("{}", e.chain().join(": ")));
    assert_same(&report.restore);
    assert_eq!(
        report.outcome,
        Outcome::Passed,
        "{:#?} {:?}",
        report.checks,
        report.unproven
    );
    assert_eq!(report.checks.len(), 3, "{:?}", report.checks);
    let history = std::fs::read_dir(repository.directory().unwrap().join("history")).unwrap();
    let names: Vec<String> = history
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    assert!(
        names
            .iter()
            .any(|name| name.starts_with("drill-") && name.contains(id.as_str())),
        "{names:?}"
    );
    // The runs of backups are still read.
    assert_eq!(repository.history().unwrap().len(), 1);
}

/// What only a superuser may make is named before anything of the target is dropped.
#[tokio::test]
async fn what_needs_a_superuser_is_named_first() {
    let (source, target) = (database().await, database().await);
    source
        .psql(
            "create type state as enum ('a'); \
             create operator class by_state for type state using hash as function 1 hashenum(anyenum); \
             create function watch() returns event_trigger language plpgsql as 'begin end'; \
             create event trigger watcher on ddl_command_end execute function watch()",
        )
        .await;
    target.psql("create table kept (i int)").await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let request = RestoreRequest::default().with_existing(Existing::Drop);
    let error = restore(&stored, &target.url(), request.clone()).await;
    let said = error.unwrap_err().to_string();
    for words in ["operator class", "event trigger watcher", "--trust-backup"] {
        assert!(said.contains(words), "{words}: {said}");
    }
    assert_eq!(target.psql("select count(*) from kept").await, "0");
    let report = restore(&stored, &target.url(), request.with_trust(Trust::Backup)).await;
    assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
}
