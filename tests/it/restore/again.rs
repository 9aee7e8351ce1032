//! A restore that was stopped, by whatever, is run again as it was.

use super::{Stored, assert_no_login_is_left, assert_same, parse, restore, shop};
use opskit_core::ErrorKind;
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{Part, Restore, RestoreRequest};
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_tests::{TestDb, database};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::task::AbortHandle;

/// What is there before, and must stay: in a schema of the backup too.
const BEFORE: &str = "create schema shop; create table shop.kept (i int); insert into shop.kept values (7); \
    create function shop.keep() returns int language sql as 'select 1'; \
    create extension hstore; create table public.kept (i int); create event trigger kept on sql_drop execute function public.quiet(); \
    select lo_create(4711);";

async fn assert_kept(target: &TestDb) {
    let kept = "select (select i from shop.kept), shop.keep(), (select count(*) from pg_class where oid = 'public.kept'::regclass), \
        (select count(*) from pg_extension where extname = 'hstore'), (select count(*) from pg_largeobject_metadata where oid = 4711), \
        (select count(*) from pg_event_trigger where evtname = 'kept')";
    assert_eq!(target.psql(kept).await, "7|1|1|1|1|1");
}

async fn assert_no_mark(target: &TestDb) {
    let mark = "select count(*) from pg_namespace where nspname = 'opskit_restore'";
    assert_eq!(target.psql(mark).await, "0");
}

/// Starts a restore that ends at its `at`-th event as if its process was killed: no one says goodbye. Tells
/// whether it came so far.
async fn kill_at(stored: &Stored, url: &str, at: usize) -> bool {
    let handle: Arc<Mutex<Option<AbortHandle>>> = Arc::default();
    let (seen, killer) = (AtomicUsize::new(0), Arc::clone(&handle));
    let ctx = OpContext::default().with_observer(move |_: &Event| {
        if seen.fetch_add(1, Ordering::Relaxed) + 1 == at
            && let Some(task) = &*killer.lock().unwrap()
        {
            task.abort();
        }
    });
    let (reader, url) = (stored.reader(), parse(url));
    let task = tokio::spawn(async move {
        let restore = Restore::open(&ctx, reader, &url, RestoreRequest::default()).await?;
        Box::pin(restore.run(&ctx)).await
    });
    *handle.lock().unwrap() = Some(task.abort_handle());
    match task.await {
        Err(stopped) => {
            assert!(stopped.is_cancelled(), "{stopped}");
            true
        }
        Ok(done) => {
            assert_same(&done.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
            false
        }
    }
}

/// As [`kill_at`], after a time. One that was killed when all was done finds what it made itself.
async fn kill_after(stored: &Stored, url: &str, wait: Duration, request: RestoreRequest) -> bool {
    let (reader, url) = (stored.reader(), parse(url));
    let task = tokio::spawn(async move {
        let ctx = OpContext::default();
        let restore = Restore::open(&ctx, reader, &url, request).await?;
        Box::pin(restore.run(&ctx)).await
    });
    let handle = task.abort_handle();
    tokio::time::sleep(wait).await;
    handle.abort();
    match task.await {
        Err(stopped) => stopped.is_cancelled(),
        Ok(Ok(report)) => {
            assert_same(&report);
            false
        }
        Ok(Err(error)) => {
            let said = error.chain().join(": ");
            assert!(said.contains("has already"), "{said}");
            false
        }
    }
}

async fn again(stored: &Stored, url: &str, request: RestoreRequest) {
    let report = restore(stored, url, request).await;
    assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
}

#[tokio::test]
async fn after_an_error_it_is_run_again_and_what_was_there_stays() {
    let (source, target) = (shop().await, database().await);
    target
        .psql(
            "create function public.quiet() returns event_trigger language plpgsql as 'begin end'",
        )
        .await;
    target.psql(BEFORE).await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let path = &stored.data()[0];
    let whole = std::fs::read(path).unwrap();
    // A file that is too short would be told before anything is made.
    let mut flipped = whole.clone();
    flipped[whole.len() / 2] ^= 1;
    std::fs::write(path, flipped).unwrap();
    let error = restore(&stored, &target.url(), RestoreRequest::default()).await;
    assert_eq!(error.unwrap_err().kind(), ErrorKind::Damaged);
    std::fs::write(path, whole).unwrap();

    // Another backup is not what was begun.
    let other = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let refused = restore(&other, &target.url(), RestoreRequest::default()).await;
    let said = refused.unwrap_err().to_string();
    assert!(said.contains("was stopped"), "{said}");

    let ctx = OpContext::default();
    let url = parse(&target.url());
    let planned = Restore::open(&ctx, stored.reader(), &url, RestoreRequest::default());
    let planned = planned.await.unwrap();
    let left = &planned.plan().leftovers;
    assert!(left.iter().any(|it| it == "table shop.orders"), "{left:?}");
    assert!(!left.iter().any(|it| it.contains("keep")), "{left:?}");
    assert!(
        planned.plan().problems.is_empty(),
        "{:?}",
        planned.plan().problems
    );
    drop(planned);
    let report = restore(&stored, &target.url(), RestoreRequest::default()).await;
    let report = report.unwrap_or_else(|e| panic!("{}", e.chain().join(": ")));
    assert!(report.failures.is_empty());
    // What is not in the backup is told, and nothing else.
    let others = [
        "schema shop",
        "schema public",
        "shop.kept",
        "shop.keep",
        "public.kept",
        "trigger kept",
        "quiet",
        "hstore",
        "4711",
    ];
    for difference in &report.differences {
        let text = format!("{difference:?}");
        assert!(others.iter().any(|word| text.contains(word)), "{text}");
    }
    assert_kept(&target).await;
    assert_no_mark(&target).await;
    assert_no_login_is_left(&target).await;
}

/// At each event of a restore by a superuser, over its temporary login.
#[tokio::test]
async fn killed_at_any_event_it_is_run_again() {
    let (source, target) = (shop().await, database().await);
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let mut at = 1;
    while kill_at(&stored, &target.url(), at).await {
        at += 3;
    }
    assert!(at > 10, "{at}");
    assert_no_mark(&target).await;
    assert_no_login_is_left(&target).await;
}

/// At moments of a restore by an owner, over sessions of its own, and then into the very end.
#[tokio::test]
async fn killed_at_any_moment_it_is_run_again_by_its_owner() {
    let (source, target) = (shop().await, database().await);
    let owner = source.name();
    target
        .psql(&format!(
            "grant create on database {} to \"{owner}\"; grant create on schema public to \"{owner}\"",
            target.name()
        ))
        .await;
    let url = source.url_for(owner);
    let stored = Stored::of(&source, &url, BackupRequest::new()).await;
    let url = target.url_for(owner);
    let full = std::env::var("OPSKIT_TEST_FULL").is_ok_and(|full| full == "1");
    let moments = if full { 50 } else { 10 };
    let mut killed = 0;
    for at in 1..=moments {
        let wait = Duration::from_millis(at * 600 / moments);
        if !kill_after(&stored, &url, wait, RestoreRequest::default()).await {
            // It was done before: make room for the next.
            let all = "drop schema shop cascade; drop type public.mood; select lo_unlink(oid) from pg_largeobject_metadata";
            target.psql(all).await;
        } else {
            killed += 1;
        }
    }
    assert!(killed > 0);
    again(&stored, &url, RestoreRequest::default()).await;
    assert_no_mark(&target).await;
}

/// Foreign keys that a killed restore of rows took away come back, and rows are not there twice.
#[tokio::test]
async fn rows_only_killed_and_run_again() {
    let (source, target) = (shop().await, database().await);
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let objects = RestoreRequest::default().with_part(Part::Schema);
    again(&stored, &target.url(), objects).await;
    let state = "select count(*) from pg_constraint where contype = 'f' union all select count(*) from pg_trigger where tgenabled = 'O' and not tgisinternal";
    let wanted = target.psql(state).await;
    let path = stored
        .data()
        .into_iter()
        .find(|path| path.to_string_lossy().contains("orders"));
    let path = path.unwrap();
    let whole = std::fs::read(&path).unwrap();
    let rows = || RestoreRequest::default().with_part(Part::Data);
    for wait in [60, 120, 180, 240] {
        let wait = Duration::from_millis(wait);
        if !kill_after(&stored, &target.url(), wait, rows()).await {
            let empty = "truncate shop.customers, shop.orders, shop.log cascade";
            target.psql(empty).await;
        }
    }
    std::fs::write(&path, &whole[1..]).unwrap();
    restore(&stored, &target.url(), rows()).await.unwrap_err();
    std::fs::write(&path, whole).unwrap();
    again(&stored, &target.url(), rows()).await;
    assert_eq!(target.psql(state).await, wanted);
    assert_no_mark(&target).await;
}

/// While one restore goes on, another waits and then says why.
#[tokio::test]
async fn two_restores_do_not_meet() {
    let (source, target) = (shop().await, database().await);
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let ctx = OpContext::default();
    let url = parse(&target.url());
    let first = Restore::open(&ctx, stored.reader(), &url, RestoreRequest::default());
    let first = first.await.unwrap();
    let mut request = RestoreRequest::default();
    request.lock_timeout = Duration::from_millis(200);
    let second = Restore::open(&ctx, stored.reader(), &url, request).await;
    assert_eq!(second.unwrap_err().kind(), ErrorKind::Busy);
    assert_same(&Box::pin(first.run(&ctx)).await.unwrap());
}
