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

/// Definitions that no lock of ours protects change while rows are read: the run fails.
#[tokio::test]
async fn a_definition_that_changes_fails_the_run() {
    let (db, place) = (sample().await, place());
    let ctx = OpContext::default();
    let opened = Backup::open(&ctx, &parse(&db.url()), BackupRequest::new()).await;
    let opened = opened.unwrap();
    db.psql("create or replace view v as select 2 as two; comment on table t is 'changed'")
        .await;
    let ended = Box::pin(opened.run(&ctx, &place.repository)).await;
    // A view that nobody saw when the snapshot was taken is no difference; text that the server tells as
    // it is now would be one.
    if let Err(error) = ended {
        assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}");
    }
    let opened = Backup::open(&ctx, &parse(&db.url()), BackupRequest::new()).await;
    let opened = opened.unwrap();
    db.psql("alter view v rename column two to three").await;
    let error = Box::pin(opened.run(&ctx, &place.repository)).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Busy);
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
