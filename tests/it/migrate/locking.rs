//! Several runs, readers and backups at once.

use super::{advisory_locks, applied, apply, impatient, runner, told};
use opskit_core::ErrorKind;
use opskit_core::migrate::Left;
use opskit_tests::export::wire;
use std::time::{Duration, Instant};

#[tokio::test(flavor = "multi_thread")]
async fn twenty_runners_at_once_apply_each_migration_once() {
    let db = opskit_tests::database().await;
    let files: Vec<(String, String)> = (1..=10)
        .map(|number| {
            (
                format!("{number}_m.sql"),
                format!("create table t{number} (i int); insert into t{number} values (1);"),
            )
        })
        .collect();
    let files: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let runners: Vec<_> = (0..20).map(|_| runner(&db, &files)).collect();
    let runs = runners.iter().map(|runner| async {
        // A plan that somebody else carried out meanwhile is made again.
        loop {
            match apply(runner).await {
                Err(error) if error.kind() == ErrorKind::Busy => {}
                done => return done.unwrap().applied.len(),
            }
        }
    });
    let counts = futures_all(runs.collect()).await;
    assert_eq!(counts.iter().sum::<usize>(), 10, "{counts:?}");
    assert_eq!(
        db.psql("select count(*) from opskit.migrations where state = 'applied'")
            .await,
        "10"
    );
    assert_eq!(advisory_locks(&db).await, "0");
}

/// All at once, on one task.
async fn futures_all<T>(futures: Vec<impl Future<Output = T>>) -> Vec<T> {
    let mut futures: Vec<_> = futures.into_iter().map(Box::pin).collect();
    let mut results: Vec<Option<T>> = futures.iter().map(|_| None).collect();
    std::future::poll_fn(|context| {
        for (future, result) in futures.iter_mut().zip(&mut results) {
            if result.is_none()
                && let std::task::Poll::Ready(value) = future.as_mut().poll(context)
            {
                *result = Some(value);
            }
        }
        match results.iter().all(Option::is_some) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        }
    })
    .await;
    results.into_iter().flatten().collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_index_is_built_concurrently_while_another_runner_waits() {
    let db = opskit_tests::database().await;
    let files = [
        (
            "1_t.sql",
            "create table t as select i from generate_series(1, 100000) i",
        ),
        ("2_i.sql", "create index concurrently t_i on t (i)"),
    ];
    let runners = [runner(&db, &files), runner(&db, &files)];
    let runs = runners.iter().map(|runner| async {
        loop {
            match apply(runner).await {
                Err(error) if error.kind() == ErrorKind::Busy => {}
                done => return done.unwrap().applied.len(),
            }
        }
    });
    let counts = tokio::time::timeout(Duration::from_secs(60), futures_all(runs.collect()))
        .await
        .unwrap();
    assert_eq!(counts.iter().sum::<usize>(), 2);
    assert_eq!(
        db.psql("select indisvalid from pg_index where indexrelid = 't_i'::regclass")
            .await,
        "t"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn behind_a_long_reader_others_wait_no_longer_than_the_lock_time_out() {
    let db = opskit_tests::database().await;
    applied(&runner(
        &db,
        &[(
            "1_t.sql",
            "create table t (i int); insert into t values (1);",
        )],
    ))
    .await;
    let mut reader = wire(&db.url()).await;
    reader
        .execute("set application_name = 'reader'; begin; select * from t")
        .await
        .unwrap();
    let alter = runner(
        &db,
        &[
            (
                "1_t.sql",
                "create table t (i int); insert into t values (1);",
            ),
            ("2_a.sql", "alter table t add j int"),
        ],
    );
    let run = apply(&alter);
    let mut other = wire(&db.url()).await;
    other
        .execute("set application_name = 'shop'")
        .await
        .unwrap();
    let mut longest = Duration::ZERO;
    let readers = async {
        let mut reads = 0;
        loop {
            let begun = Instant::now();
            other.execute("select count(*) from t").await.unwrap();
            longest = longest.max(begun.elapsed());
            reads += 1;
            if begun.elapsed() < Duration::from_millis(5) {
                tokio::task::yield_now().await;
            }
            if reads == i32::MAX {
                return;
            }
        }
    };
    let report = tokio::select! {
        report = run => report.unwrap(),
        () = readers => unreachable!("reads without end"),
    };
    let failure = report.failure.unwrap();
    assert_eq!(
        (failure.sqlstate.as_deref(), &failure.left),
        (Some("55P03"), &Left::RolledBack)
    );
    // The time-out, and what a loaded machine adds to it.
    let bound = impatient().lock_timeout + Duration::from_millis(400);
    assert!(longest < bound, "{longest:?}");
    reader.execute("commit").await.unwrap();
    applied(&alter).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dump_that_runs_is_waited_for_without_queueing_anybody() {
    let db = opskit_tests::database().await;
    let files = [
        ("1_t.sql", "create table t (i int)"),
        ("2_a.sql", "alter table t add j int"),
    ];
    applied(&runner(&db, &files[..1])).await;
    let mut dump = wire(&db.url()).await;
    dump.execute("set application_name = 'pg_dump'; begin; lock table t in access share mode")
        .await
        .unwrap();
    let mut limits = impatient();
    limits.lock_wait = Duration::from_millis(500);
    let error = apply(&runner(&db, &files).with_limits(limits))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Busy);
    assert!(told(&error).contains("pg_dump"), "{}", told(&error));
    dump.execute("commit").await.unwrap();
    applied(&runner(&db, &files)).await;
}

#[tokio::test]
async fn a_migration_that_gives_the_lock_up_stops_the_run() {
    let db = opskit_tests::database().await;
    let files = [
        (
            "1_t.sql",
            "create table t (i int); select pg_advisory_unlock_all();",
        ),
        ("2_u.sql", "create table u (i int)"),
    ];
    let report = apply(&runner(&db, &files)).await.unwrap();
    let failure = report.failure.unwrap();
    assert_eq!(failure.id.to_string(), "2");
    assert!(
        failure
            .messages
            .join(" ")
            .contains("the lock of this run is gone"),
        "{:?}",
        failure.messages
    );
}

#[tokio::test]
async fn settings_and_roles_of_a_file_are_not_those_of_the_next() {
    let db = opskit_tests::database().await;
    db.psql("create role migrate_low").await;
    let files = [
        (
            "1_a.sql",
            "set search_path = pg_catalog; set work_mem = '1MB'; create table public.a (i int); set role migrate_low;",
        ),
        (
            "2_b.sql",
            "create table b as select current_setting('work_mem') as m, current_user as u;",
        ),
    ];
    applied(&runner(&db, &files)).await;
    assert_eq!(
        db.psql("select m <> '1MB', u from public.b").await,
        "t|postgres"
    );
    db.psql("drop role migrate_low").await;
}
