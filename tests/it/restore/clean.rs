//! `--clean` drops what comes back, and nothing else.

use super::{Stored, assert_same, restore, shop};
use opskit_core::ErrorKind;
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{Difference, Existing, RestoreRequest, Trust};
use opskit_tests::database;
use sqlx::{Connection as _, PgConnection};
use std::time::Duration;

fn clean() -> RestoreRequest {
    RestoreRequest::default().with_existing(Existing::Drop)
}

#[tokio::test]
async fn of_one_table_it_drops_that_one() {
    let db = shop().await;
    let stored = Stored::of(&db, &db.url(), BackupRequest::new()).await;
    db.psql("insert into shop.customers (name) values ('newer'); delete from shop.orders where id > 7; create table shop.newer (i int)").await;
    let only = || clean().only(["shop.orders"]).unwrap();
    // The views would go too, and were not asked for.
    let refused = restore(&stored, &db.url(), only()).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported, "{refused}");
    let told = refused.to_string();
    assert!(told.contains("view shop.sums"), "{told}");
    assert_eq!(db.psql("select count(*) from shop.orders").await, "7");
    db.psql("drop view shop.sums cascade").await;
    let report = restore(&stored, &db.url(), only()).await;
    assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
    assert_eq!(db.psql("select count(*) from shop.orders").await, "5000");
    let stands = "select count(*) from shop.customers union all select count(*) from pg_class where relname in ('newer', 'log_1')";
    assert_eq!(db.psql(stands).await, "201\n2");
    let next = "insert into shop.orders (customer, total) values (1, 1) returning id";
    assert_eq!(db.psql(next).await, "5001");
}

#[tokio::test]
async fn a_table_that_comes_back_goes_on_counting() {
    let (source, target) = (database().await, database().await);
    source
        .psql(
            "create table t (id int generated always as identity primary key, v text); \
             insert into t (v) select 'x' from generate_series(1, 42)",
        )
        .await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let only = RestoreRequest::default().only(["public.t"]).unwrap();
    let report = restore(&stored, &target.url(), only).await.unwrap();
    assert_same(&report);
    let compared = "the values of 1 sequences".to_owned();
    assert!(report.compared.contains(&compared), "{:?}", report.compared);
    let next = "insert into t (v) values ('y') returning id";
    assert_eq!(target.psql(next).await, "43");
}

#[tokio::test]
async fn rows_that_the_backup_does_not_have_stay() {
    let (source, target) = (shop().await, database().await);
    let request = BackupRequest::new().excluding(["shop.orders"]).unwrap();
    let stored = Stored::of(&source, &source.url(), request).await;
    let refused = restore(&stored, &source.url(), clean()).await.unwrap_err();
    let told = refused.to_string();
    assert!(
        told.contains("has no rows of these") && told.contains("table shop.orders"),
        "{told}"
    );
    assert_eq!(
        source.psql("select count(*) from shop.orders").await,
        "5000"
    );
    let report = restore(&stored, &target.url(), RestoreRequest::default()).await;
    let report = report.unwrap_or_else(|e| panic!("{}", e.chain().join(": ")));
    let named = report.skipped.iter().any(|it| it.contains("shop.orders"));
    assert!(named, "{:?}", report.skipped);
}

#[tokio::test]
async fn what_lies_elsewhere_is_never_taken_along() {
    let (source, target) = (database().await, database().await);
    source
        .psql("create type mood as enum ('fine'); create table t (m mood)")
        .await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    target
        .psql(
            "create type mood as enum ('fine'); create schema other; create table other.kept (i int, m mood); \
             insert into other.kept values (1, 'fine')",
        )
        .await;
    let refused = restore(&stored, &target.url(), clean()).await.unwrap_err();
    let told = refused.to_string();
    assert!(told.contains("table column other.kept.m"), "{told}");
    assert_eq!(target.psql("select m from other.kept").await, "fine");
    target.psql("alter table other.kept drop column m; create table other.part (i int primary key); create table t (i int references other.part)").await;
    let report = restore(&stored, &target.url(), clean()).await.unwrap();
    let told = |it: &Difference| format!("{it:?}").contains("is not in the backup");
    assert!(report.failures.is_empty() && report.differences.iter().all(told));
    assert_eq!(target.psql("select i from other.kept").await, "1");
    let keys = "select count(*) from pg_constraint where contype = 'f'";
    assert_eq!(target.psql(keys).await, "0");
}

#[tokio::test]
async fn what_is_in_no_schema_comes_back_too() {
    let source = database().await;
    source
        .psql(
            "create foreign data wrapper w; create server s foreign data wrapper w; create foreign table f (i int) server s; \
             create function told() returns event_trigger language plpgsql as 'begin end'; \
             create event trigger e on ddl_command_end execute function told(); \
             create aggregate counted(*) (sfunc = int8inc, stype = int8, initcond = '0')",
        )
        .await;
    let request = BackupRequest::new();
    let stored = Stored::of(&source, &source.url(), request).await;
    let request = || clean().with_trust(Trust::Backup);
    for _ in 0..2 {
        let report = restore(&stored, &source.url(), request()).await;
        assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
    }
    // No backup has the options of a mapping.
    source
        .psql("create user mapping for public server s options (password 'x')")
        .await;
    let refused = restore(&stored, &source.url(), request())
        .await
        .unwrap_err();
    let told = refused.to_string();
    assert!(told.contains("user mapping"), "{told}");
}

#[tokio::test]
async fn nothing_is_dropped_for_a_backup_that_is_damaged() {
    let db = shop().await;
    let stored = Stored::of(&db, &db.url(), BackupRequest::new()).await;
    let path = stored.data().pop().unwrap();
    let mut bytes = std::fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
    let error = restore(&stored, &db.url(), clean()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Damaged, "{error:?}");
    assert_eq!(db.psql("select count(*) from shop.orders").await, "5000");
}

#[tokio::test]
async fn it_waits_for_others_no_longer_than_it_may() {
    let db = shop().await;
    let stored = Stored::of(&db, &db.url(), BackupRequest::new()).await;
    let mut other = PgConnection::connect(&db.url()).await.unwrap();
    sqlx::raw_sql("begin; select count(*) from shop.orders")
        .execute(&mut other)
        .await
        .unwrap();
    let mut request = clean();
    request.lock_timeout = Duration::from_millis(100);
    let error = restore(&stored, &db.url(), request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
    drop(other);
}
