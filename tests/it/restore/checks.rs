//! Checks that read other tables than their own.

use super::{Stored, assert_same, restore};
use opskit_core::backup::BackupRequest;
use opskit_core::backup::restore::{OnError, RestoreRequest, Trust};
use opskit_tests::{TestDb, database};

/// A large table whose check reads a small one, which is loaded after it.
async fn limited() -> TestDb {
    let db = database().await;
    db.psql(
        "create table limits (most int); insert into limits values (1000); \
         create function most() returns int language plpgsql stable set search_path = public as 'begin return coalesce((select most from limits), 0); end'; \
         create domain limited as int check (value <= public.most()); \
         create table large (i int check (i <= public.most()), l limited); insert into large select i, i from generate_series(1, 1000) i",
    )
    .await;
    db
}

#[tokio::test]
async fn a_check_that_reads_another_table_waits_for_its_rows() {
    let source = limited().await;
    // An error of its own is as good as a refusal.
    source.psql("create function there() returns bool language plpgsql stable set search_path = public as $$ \
        begin if not exists (select from large) then raise exception 'too early'; end if; return true; end $$; \
        create table raises (i int check (there()), t text); insert into raises select i, repeat('x', 100) from generate_series(1, 1000) i").await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    for jobs in [1, 2, 8] {
        let target = database().await;
        let mut request = RestoreRequest::default()
            .with_trust(Trust::Backup)
            .with_jobs(jobs);
        request.lock_timeout = std::time::Duration::from_millis(200);
        let report = restore(&stored, &target.url(), request).await;
        assert_same(&report.unwrap_or_else(|e| panic!("{}", e.chain().join(": "))));
        assert_eq!(target.psql("select count(*) from large").await, "1000");
    }
}

#[tokio::test]
async fn a_check_that_never_holds_is_told_and_not_tried_for_ever() {
    let source = limited().await;
    source.psql("update limits set most = 10").await;
    let stored = Stored::of(&source, &source.url(), BackupRequest::new()).await;
    let target = database().await;
    let request = RestoreRequest::default()
        .with_trust(Trust::Backup)
        .with_jobs(1);
    let failed = restore(&stored, &target.url(), request.clone()).await;
    let told = failed.unwrap_err().chain().join(": ");
    assert!(
        told.contains("cannot load table \"public.large\""),
        "{told}"
    );
    let target = database().await;
    let request = request.with_on_error(OnError::KeepGoing);
    let report = restore(&stored, &target.url(), request).await.unwrap();
    let failures: Vec<&str> = report
        .failures
        .iter()
        .map(|it| it.object.as_str())
        .collect();
    assert_eq!(failures, ["table public.large"]);
    assert_eq!(target.psql("select most from limits").await, "10");
}
