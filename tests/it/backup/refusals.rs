//! What a backup refuses, and how it does not mix two states.

use super::{Place, place, sample};
use crate::faults::becomes;
use opskit_core::backup::{ADVISORY_LOCK_KEY, Backup, BackupReport, BackupRequest};
use opskit_core::context::OpContext;
use opskit_core::repository::RunStatus;
use opskit_core::{ErrorKind, Result};
use opskit_tests::export::{parse, wire};
use opskit_tests::{TestDb, folder_of};
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
    // Whether a definition that was read stays locked is the server's affair.
    if let Err(said) = db.try_psql(waits).await {
        assert!(said.contains("lock timeout"), "{said}");
    }
    db.psql("create or replace function f() returns int language sql as 'select 2'")
        .await;
    match Box::pin(opened.run(&ctx, &place.repository)).await {
        Err(error) => assert_eq!(error.kind(), ErrorKind::Busy, "{error:?}"),
        Ok(report) => {
            let stored = folder_of(&place.repository, &report.id).join("schema/pre-data.sql");
            let sql = std::fs::read_to_string(stored).unwrap();
            assert!(
                sql.contains("select 1") && !sql.contains("select 2"),
                "{sql}"
            );
            assert!(!sql.contains("renamed"), "{sql}");
        }
    }
}

/// A backup of which `sql` runs while it reads definitions: the snapshot is taken, and the sequences' catalog,
/// which is read before functions and views, is held.
async fn with_change(db: &TestDb, place: &Place, sql: &str) -> Result<BackupReport> {
    const WAITS: &str = "select count(*) from pg_locks where relation = 'pg_catalog.pg_sequence'::regclass and not granted \
        and database = (select oid from pg_database where datname = current_database())";
    let mut holder = wire(&db.url()).await;
    holder
        .execute("begin; lock table pg_catalog.pg_sequence in access exclusive mode")
        .await
        .unwrap();
    let change = async {
        becomes(db, WAITS, "1").await;
        db.psql(sql).await;
        holder.execute("commit").await.unwrap();
    };
    tokio::join!(place.back_up(db, BackupRequest::new()), change).0
}

/// The server spells definitions out as they are now. One that changed after the snapshot and before it was
/// read is noticed, whether its rows tell or its text alone.
#[tokio::test]
async fn a_definition_that_changed_before_it_was_read_is_busy() {
    let (db, place) = (opskit_tests::database().await, place());
    db.psql(
        "create table t (i int); create view v as select 1 as one; \
         create function f() returns int language sql as 'select 1'; create domain d as int default 1; \
         create function doomed() returns int language sql as 'select 1'",
    )
    .await;
    for (sql, words) in [
        (
            "create or replace function f() returns int language sql as 'select 2'",
            "function public.f",
        ),
        ("create or replace view v as select 2 as one", "public.v"),
        ("alter domain d set default 2", "public.d"),
        ("drop function doomed()", "the functions changed"),
    ] {
        let error = with_change(&db, &place, sql).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Busy, "{sql}: {error:?}");
        assert!(error.to_string().contains(words), "{sql}: {error}");
    }
    assert_eq!(place.repository.backups().unwrap(), []);
    // What comes new is not in the snapshot, and no reason to fail.
    let new = "create table fresh (i int); create index on fresh (i); create function g() returns int language sql as 'select 1'; \
        create view w as select i from fresh; create temp table mine (i int); create index on t (i); analyze t";
    let report = with_change(&db, &place, new).await.unwrap();
    assert_eq!(report.tables.len(), 1, "{:?}", report.tables);
}

/// Values are sent with the labels of the moment.
#[tokio::test]
async fn a_label_that_changed_while_rows_were_read_is_busy() {
    let (db, place, ctx) = (
        opskit_tests::database().await,
        place(),
        OpContext::default(),
    );
    db.psql("create type mood as enum ('sad', 'glad'); create table t (m mood); insert into t values ('sad')")
        .await;
    for (sql, refused) in [
        ("alter type mood add value 'wild'", false),
        ("alter type mood rename value 'sad' to 'blue'", true),
    ] {
        let opened = Backup::open(&ctx, &parse(&db.url()), BackupRequest::new()).await;
        db.psql(sql).await;
        let done = Box::pin(opened.unwrap().run(&ctx, &place.repository)).await;
        let error = done.err().map(|error| (error.kind(), error.to_string()));
        let said = "the definition of enum public.mood changed while the database was read";
        let wanted = refused.then(|| (ErrorKind::Busy, said.to_owned()));
        assert_eq!(error, wanted, "{sql}");
    }
}

/// Each pattern chooses something, or is a mistake.
#[tokio::test]
async fn a_pattern_that_chooses_nothing_is_named() {
    let (db, place) = (sample().await, place());
    db.psql("create view seen as select 1 as one").await;
    for (patterns, named) in [(["t", "typo"], "typo"), (["seen", "t"], "seen")] {
        let request = BackupRequest::new().only(patterns).unwrap();
        let error = place.back_up(&db, request).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::NotFound, "{error:?}");
        assert_eq!(error.to_string(), format!("no table matches {named}"));
    }
}

/// What the role may not read and is not wanted does not stand in the way: sequences of tables that are
/// left out, sequences by name, large objects.
#[tokio::test]
async fn what_is_left_out_need_not_be_readable() {
    let (db, place) = (opskit_tests::database().await, place());
    let role = format!("r_{}", db.name());
    db.psql(&format!(
        "create role {role} login; create table mine (i int); create table theirs (i serial); create sequence hidden; \
         grant select on mine to {role}; select lo_create(20001); select lo_create(20002); select lo_create(20003); \
         grant select on large object 20003 to {role};"
    ))
    .await;
    let url = db.url_for(&role);
    let missing = async |request: BackupRequest| -> Vec<String> {
        let opened = Backup::open(&OpContext::default(), &parse(&url), request).await;
        let missing = opened.unwrap().plan().missing.clone();
        missing.into_iter().map(|missing| missing.object).collect()
    };
    let without_theirs = || BackupRequest::new().excluding(["theirs"]).unwrap();
    assert_eq!(
        missing(without_theirs()).await,
        [
            "sequence public.hidden",
            "2 large objects (20001, 20002, …)"
        ]
    );
    let request = BackupRequest::new()
        .excluding(["theirs", "hidden"])
        .unwrap();
    let report = place
        .back_up_as(&url, request.without_large_objects())
        .await;
    let excluded = report.unwrap().excluded.into_iter().map(|it| it.object);
    assert_eq!(
        excluded.collect::<Vec<_>>(),
        [
            "value of sequence public.hidden",
            "rows of table public.theirs",
            "value of sequence public.theirs_i_seq",
            "large objects"
        ]
    );
    let only = BackupRequest::new().only(["mine"]).unwrap();
    assert_eq!(missing(only).await, ["sequence public.hidden"]);
    db.psql(&format!("drop owned by {role}; drop role {role}"))
        .await;
}

/// What would be too large to be read again is not written.
#[tokio::test]
async fn tags_that_fit_no_record_are_refused() {
    let (db, place) = (sample().await, place());
    let mut request = BackupRequest::new();
    request.tags.insert("note".into(), "x".repeat(1 << 20));
    let error = place.back_up(&db, request).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    assert!(error.to_string().contains("the record of the run"));
    assert_eq!(place.repository.backups().unwrap(), []);
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
