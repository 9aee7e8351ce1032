//! Rows into tables that exist: what was taken away for them is there again, whatever became of them.

use super::{Stored, assert_same, restore, shop};
use opskit_core::ErrorKind;
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{OnError, Part, Restore, RestoreRequest, Transactions, Trust};
use opskit_core::cancel::Cancel;
use opskit_core::context::OpContext;
use opskit_tests::export::parse;
use opskit_tests::{TestDb, database};
use sqlx::{Connection as _, PgConnection};

const STATE: &str = "select string_agg(format('%s %s %s', conname, convalidated, condeferrable), ' ' order by conname) from pg_constraint where contype = 'f' \
     union all select string_agg(format('%s %s', tgname, tgenabled), ' ' order by tgname) from pg_trigger where not tgisinternal";

fn rows() -> RestoreRequest {
    RestoreRequest::default().with_part(Part::Data)
}

/// A target with the objects of the shop, and how its keys and triggers are.
async fn objects(stored: &Stored) -> (TestDb, String) {
    let target = database().await;
    let objects = RestoreRequest::default().with_part(Part::Schema);
    assert_same(&restore(stored, &target.url(), objects).await.unwrap());
    let state = target.psql(STATE).await;
    assert!(state.contains("noted O"), "{state}");
    (target, state)
}

/// Foreign keys are put back without a look at rows that may not be there.
fn not_validated(state: &str) -> String {
    state.replace("_fkey t ", "_fkey f ")
}

#[tokio::test]
async fn over_one_transaction_too() {
    let source = shop().await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let (target, state) = objects(&stored).await;
    let request = rows()
        .with_transactions(Transactions::One)
        .with_trust(Trust::Backup);
    let report = restore(&stored, &target.url(), request).await;
    assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
    assert_eq!(target.psql(STATE).await, state);
    let logged = "select count(*) from shop.log";
    assert_eq!(target.psql(logged).await, source.psql(logged).await);
}

#[tokio::test]
async fn after_rows_that_do_not_fit() {
    let source = shop().await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let (target, state) = objects(&stored).await;
    target
        .psql("insert into shop.customers overriding system value values (7, 'in the way')")
        .await;
    let error = restore(&stored, &target.url(), rows()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
    assert!(error.hint().unwrap().contains("not validated"), "{error:?}");
    assert_eq!(target.psql(STATE).await, not_validated(&state));
    target
        .psql("delete from shop.customers where name = 'in the way'")
        .await;
    assert_same(&restore(&stored, &target.url(), rows()).await.unwrap());
    assert_eq!(target.psql(STATE).await, state);
}

#[tokio::test]
async fn after_a_cancellation() {
    let source = shop().await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let (target, state) = objects(&stored).await;
    // The load waits for this lock until it is cancelled.
    let mut other = PgConnection::connect(&target.url()).await.unwrap();
    sqlx::raw_sql("begin; lock table shop.log_2 in share mode")
        .execute(&mut other)
        .await
        .unwrap();
    let ((handle, cancel), url) = (Cancel::pair(), target.url());
    let ctx = OpContext::new(cancel);
    let opened = Restore::open(&ctx, stored.reader(), &parse(&url), rows()).await;
    let opened = opened.unwrap();
    let running = tokio::spawn(async move { opened.run(&ctx).await });
    let waiting = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'";
    while target.psql(waiting).await == "0" {
        tokio::task::yield_now().await;
    }
    handle.cancel();
    let error = running.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Cancelled, "{error:?}");
    drop(other);
    assert_eq!(target.psql(STATE).await, not_validated(&state));
    assert_same(&restore(&stored, &target.url(), rows()).await.unwrap());
    assert_eq!(target.psql(STATE).await, state);
}

#[tokio::test]
async fn what_is_somebody_elses_to_take_away_is_told_before() {
    let source = shop().await;
    let owner = source.name().to_owned();
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let (target, _) = objects(&stored).await;
    target
        .psql("create table public.elsewhere (customer int references shop.customers)")
        .await;
    let refused = restore(&stored, &target.url_for(&owner), rows()).await;
    let told = refused.unwrap_err().to_string();
    assert!(
        told.contains("may not take away") && told.contains("elsewhere"),
        "{told}"
    );
}

#[tokio::test]
async fn bytes_of_large_objects_are_not_written_over() {
    let source = shop().await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let (target, _) = objects(&stored).await;
    target
        .psql("select lo_put(oid, 0, 'mine') from pg_largeobject_metadata")
        .await;
    let refused = restore(&stored, &target.url(), rows()).await.unwrap_err();
    assert!(refused.to_string().contains("large object "), "{refused}");
    let kept = "select lo_get(oid) from pg_largeobject_metadata";
    assert_eq!(target.psql(kept).await, "\\x6d696e65");
    target
        .psql("select lo_truncate(lo_open(oid, 131072), 0) from pg_largeobject_metadata; select lo_create(0)")
        .await;
    let report = restore(&stored, &target.url(), rows()).await.unwrap();
    assert_same(&report);
    let compared = "the bytes of 1 large objects".to_owned();
    assert!(report.compared.contains(&compared), "{:?}", report.compared);
}

#[tokio::test]
async fn a_sequence_that_cannot_have_its_value_is_a_difference() {
    let source = shop().await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let (target, _) = objects(&stored).await;
    target
        .psql("alter sequence shop.orders_id_seq maxvalue 4000")
        .await;
    let request = rows().with_on_error(OnError::KeepGoing);
    let report = restore(&stored, &target.url(), request).await.unwrap();
    let told = format!("{:?}", report.differences);
    assert!(
        told.contains("sequence shop.orders_id_seq has another value"),
        "{told}"
    );
}
