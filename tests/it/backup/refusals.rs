//! What a backup refuses, and how it does not mix two states.

use super::{place, sample};
use opskit_core::ErrorKind;
use opskit_core::backup::{ADVISORY_LOCK_KEY, Backup, BackupRequest};
use opskit_core::context::OpContext;
use opskit_core::repository::RunStatus;
use opskit_tests::export::{parse, wire};
use std::time::Duration;

/// A role that row-level security would filter, or that may not read, fails before a row is read; the
/// plan names everything that is missing.
#[tokio::test]
async fn a_filtered_role_fails_before_it_reads() {
    let (db, place) = (opskit_tests::database().await, place());
    let role = format!("r_{}", db.name());
    db.psql(&format!(
        "create role {role} login; create table mine (i int); create table secret (i int); \
         create table theirs (i int); create sequence hidden; \
         grant select on mine, secret to {role}; alter table secret enable row level security;"
    ))
    .await;
    let url = db.url_for(&role);
    let opened = Backup::open(&OpContext::default(), &parse(&url), BackupRequest::new()).await;
    let missing: Vec<String> = opened
        .unwrap()
        .plan()
        .missing
        .iter()
        .map(|missing| missing.object.clone())
        .collect();
    assert_eq!(
        missing,
        [
            "sequence public.hidden",
            "table public.secret",
            "table public.theirs"
        ]
    );
    let error = place.back_up_as(&url, BackupRequest::new()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::PermissionDenied);
    assert_eq!(place.repository.backups().unwrap(), []);
    let history = place.repository.history().unwrap();
    assert_eq!(history[0].status, RunStatus::Failed);
    assert_eq!(history[0].error.as_ref().unwrap().kind, "permission-denied");
    db.psql(&format!("drop owned by {role}; drop role {role}"))
        .await;
}

/// Another backup or a migration holds the lock: the run waits, then says so.
#[tokio::test]
async fn two_backups_are_kept_apart() {
    let (db, place) = (sample().await, place());
    let mut other = wire(&db.url()).await;
    let lock = format!("select pg_advisory_lock({ADVISORY_LOCK_KEY})");
    other.execute(&lock).await.unwrap();
    let request = || BackupRequest::new().with_lock_timeout(Duration::from_millis(200));
    let error = place.back_up(&db, request()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
    assert!(error.to_string().contains("another backup or migration"));
    other.close().await;
    place.back_up(&db, request()).await.unwrap();
}

/// A migration that holds a table makes it wait, and fail when it takes too long; the table is named.
#[tokio::test]
async fn a_table_under_migration_is_named() {
    let (db, place) = (sample().await, place());
    let mut other = wire(&db.url()).await;
    other
        .execute("begin; alter table t add column more int")
        .await
        .unwrap();
    let request = BackupRequest::new().with_lock_timeout(Duration::from_millis(200));
    let error = place.back_up(&db, request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
    assert!(error.to_string().contains("public.t"), "{error}");
}

/// What changes while a backup runs waits, fails the run, or is not in it: never half.
#[tokio::test]
async fn definitions_that_change_are_never_mixed() {
    let (db, place) = (sample().await, place());
    db.psql("create view v as select 1 as one; create function f() returns int language sql as 'select 1'")
        .await;
    let ctx = OpContext::default();
    let opened = Backup::open(&ctx, &parse(&db.url()), BackupRequest::new()).await;
    let opened = opened.unwrap();
    let waits = "set lock_timeout = '300ms'; alter view v rename to renamed";
    let waited = db.try_psql(waits).await;
    assert!(waited.unwrap_err().contains("lock timeout"));
    db.psql("create or replace function f() returns int language sql as 'select 2'")
        .await;
    match Box::pin(opened.run(&ctx, &place.repository)).await {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}"),
        Ok(report) => {
            let stored = place
                .repository
                .location(&report.id)
                .join("schema/pre-data.sql");
            let sql = std::fs::read_to_string(stored).unwrap();
            assert!(
                sql.contains("select 1") && !sql.contains("select 2"),
                "{sql}"
            );
        }
    }
}

/// A loss that is accepted must be one.
#[tokio::test]
async fn only_a_loss_can_be_accepted() {
    let (db, place) = (sample().await, place());
    let mut request = BackupRequest::new();
    request.accept_losses.push("table public.nothing".into());
    let error = place.back_up(&db, request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}
