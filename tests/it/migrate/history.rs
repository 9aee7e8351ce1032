//! What the history says, and what is refused because of it.

use super::{applied, apply, runner, standings, told};
use opskit_core::ErrorKind;
use opskit_core::context::OpContext;
use opskit_core::migrate::{MigrationRunner as _, Mode, OnGap, Outcome, Standing, Wanted};

const FILES: [(&str, &str); 3] = [
    (
        "1_orders.sql",
        "create table orders (id int primary key, note text);",
    ),
    (
        "2_copy.sql",
        "copy orders from stdin;\n1\tone\n2\ttwo\n\\.\nupdate orders set note = upper(note) where id = 1;",
    ),
    (
        "3_index.sql",
        "create index concurrently orders_note on orders (note);\nvacuum orders;",
    ),
];

#[tokio::test]
async fn migrations_run_once_in_order_and_are_written_down() {
    let db = opskit_tests::database().await;
    let runner = runner(&db, &FILES);
    assert_eq!(standings(&runner).await, [Standing::Pending; 3]);
    let report = applied(&runner).await;
    let modes: Vec<Mode> = report.applied.iter().map(|done| done.mode).collect();
    assert_eq!(
        modes,
        [Mode::Transaction, Mode::Transaction, Mode::Statements]
    );
    assert_eq!(
        db.psql("select string_agg(note, ',' order by id) from orders")
            .await,
        "ONE,two"
    );
    assert_eq!(
        report.applied[1].statements[0].tag.as_deref(),
        Some("COPY 2")
    );
    assert_eq!(standings(&runner).await, [Standing::Applied; 3]);
    let again = applied(&runner).await;
    assert_eq!(
        (again.outcome, again.applied.len()),
        (Outcome::NothingToDo, 0)
    );
    let written = "select string_agg(id || ' ' || state || ' ' || (duration_ms >= 0) || ' ' || (host is not null) || ' ' \
                   || (tool like 'opskit %') || ' ' || role, ',' order by sequence) from opskit.migrations";
    let line = |id: u8| format!("{id} applied true true true postgres");
    assert_eq!(
        db.psql(written).await,
        [line(1), line(2), line(3)].join(",")
    );
    assert_eq!(
        db.psql("select count(*) from opskit.migration_steps").await,
        "0"
    );
    let digests = "select facts_before is not null, facts_after is not null from opskit.migrations order by sequence";
    assert_eq!(db.psql(digests).await, "t|f\nf|f\nf|t");
}

#[tokio::test]
async fn a_changed_file_is_refused_until_it_is_accepted_with_a_reason() {
    let db = opskit_tests::database().await;
    applied(&runner(&db, &FILES)).await;
    // Line ends and a mark are no change.
    let windows =
        FILES.map(|(name, text)| (name, format!("\u{feff}{}", text.replace('\n', "\r\n"))));
    let files: Vec<(&str, &str)> = windows
        .iter()
        .map(|(name, text)| (*name, text.as_str()))
        .collect();
    assert_eq!(
        standings(&runner(&db, &files)).await,
        [Standing::Applied; 3]
    );
    let mut files = FILES;
    files[0].1 = "create table orders (id int primary key, note text, more int);";
    let changed = runner(&db, &files);
    assert_eq!(standings(&changed).await[0], Standing::Changed);
    let error = apply(&changed).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CheckFailed);
    assert!(
        told(&error).contains("repair --accept 1"),
        "{}",
        told(&error)
    );
    let ctx = OpContext::default();
    changed
        .accept_change(&ctx, &1.into(), "a comment only")
        .await
        .unwrap();
    assert_eq!(standings(&changed).await, [Standing::Applied; 3]);
    let kept = "select id, reason, old_digest <> new_digest from opskit.migration_repairs";
    assert_eq!(db.psql(kept).await, "1|a comment only|t");
    let twice = changed
        .accept_change(&ctx, &1.into(), "again")
        .await
        .unwrap_err();
    assert_eq!(twice.kind(), ErrorKind::CheckFailed);
}

#[tokio::test]
async fn gaps_are_refused_until_they_are_accepted() {
    let db = opskit_tests::database().await;
    applied(&runner(&db, &[FILES[0], FILES[2]])).await;
    let later = runner(&db, &FILES);
    assert_eq!(standings(&later).await[1], Standing::OutOfOrder);
    assert_eq!(
        apply(&later).await.unwrap_err().kind(),
        ErrorKind::CheckFailed
    );
    let ctx = OpContext::default();
    let mut wanted = Wanted::default();
    wanted.out_of_order = OnGap::Accept;
    let plan = later.plan(&ctx, &wanted).await.unwrap();
    assert!(Box::pin(later.apply(&ctx, &plan)).await.unwrap().is_done());
    // A plan is carried out once.
    let error = Box::pin(later.apply(&ctx, &plan)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    let gone = runner(&db, &FILES[..2]);
    assert_eq!(standings(&gone).await[2], Standing::FileGone);
    let error = apply(&gone).await.unwrap_err();
    assert!(told(&error).contains("--allow-missing"));
}

#[tokio::test]
async fn a_repeatable_migration_runs_again_when_it_changed() {
    let db = opskit_tests::database().await;
    let view = |number: u8| format!("create or replace view v as select {number} as n;");
    let (one, two) = (view(1), view(2));
    assert_eq!(
        applied(&runner(&db, &[("R__v.sql", &one)]))
            .await
            .applied
            .len(),
        1
    );
    assert_eq!(
        applied(&runner(&db, &[("R__v.sql", &one)]))
            .await
            .applied
            .len(),
        0
    );
    let changed = runner(&db, &[("R__v.sql", &two)]);
    assert_eq!(standings(&changed).await, [Standing::Again]);
    assert_eq!(applied(&changed).await.applied.len(), 1);
    assert_eq!(db.psql("select n from v").await, "2");
    assert_eq!(db.psql("select count(*) from opskit.migrations").await, "1");
}

#[tokio::test]
async fn a_baseline_runs_nothing_and_what_comes_behind_it_does() {
    let db = opskit_tests::database().await;
    db.psql("create table orders (id int primary key, note text)")
        .await;
    let runner = runner(&db, &FILES);
    let ids = runner
        .baseline(&OpContext::default(), &1.into())
        .await
        .unwrap();
    assert_eq!(ids.len(), 1);
    assert_eq!(
        standings(&runner).await,
        [Standing::Baseline, Standing::Pending, Standing::Pending]
    );
    assert_eq!(applied(&runner).await.applied.len(), 2);
}

#[tokio::test]
async fn drift_is_refused_named_and_accepted() {
    let db = opskit_tests::database().await;
    let first = runner(&db, &FILES[..1]);
    applied(&first).await;
    let ctx = OpContext::default();
    assert!(!first.drift(&ctx).await.unwrap().is_drift());
    db.psql("alter table orders add column by_hand int").await;
    let report = first.drift(&ctx).await.unwrap();
    assert!(report.is_drift());
    assert!(
        report.diff.to_string().contains("by_hand"),
        "{}",
        report.diff
    );
    let next = runner(&db, &FILES[..2]);
    let error = apply(&next).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::CheckFailed);
    assert!(told(&error).contains("--accept-drift"), "{}", told(&error));
    first.accept_drift(&ctx).await.unwrap();
    assert!(!first.drift(&ctx).await.unwrap().is_drift());
    applied(&runner(&db, &FILES[..1])).await;
}

#[tokio::test]
async fn a_role_without_rights_to_make_the_history_is_told_what_to_ask_for() {
    let db = opskit_tests::database().await;
    db.psql("create role migrator_poor login; grant create on schema public to migrator_poor")
        .await;
    let poor = super::runner_at(&db.url_for("migrator_poor"), &FILES[..1]);
    let error = apply(&poor).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(
        told(&error).contains("CREATE SCHEMA opskit AUTHORIZATION"),
        "{}",
        told(&error)
    );
    db.psql("create schema opskit authorization migrator_poor")
        .await;
    applied(&poor).await;
    db.psql("drop owned by migrator_poor cascade; drop role migrator_poor")
        .await;
}
