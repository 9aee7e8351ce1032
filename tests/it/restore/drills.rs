//! What drills check, and what they leave asleep.

use super::{Stored, assert_same, shop};
use opskit_core::backup::BackupRequest;
use opskit_core::backup::drill::{DrillReport, DrillRequest, Outcome, drill};
use opskit_core::backup::restore::Trust;
use opskit_core::context::OpContext;
use opskit_tests::{TestDb, database};

async fn drilled(source: &TestDb, request: DrillRequest) -> DrillReport {
    let stored = Stored::of(source, &source.url(), BackupRequest::new()).await;
    let repository = stored.repository();
    let id = repository.find("latest").unwrap();
    let report = drill(&OpContext::default(), &repository, &id, request).await;
    report.unwrap_or_else(|e| panic!("{}", e.chain().join(": ")))
}

#[tokio::test]
async fn a_check_that_does_not_hold_fails_the_drill() {
    for (sql, ok) in [
        (
            "select 'many', count(*) > 9999, count(*) from shop.orders",
            Some(false),
        ),
        ("select 'unknown', null::bool", None),
    ] {
        let mut request = DrillRequest::default();
        request.checks.push(sql.to_owned());
        let report = drilled(&shop().await, request).await;
        assert_same(&report.restore);
        assert_eq!(report.outcome, Outcome::Failed);
        let check = report.checks.last().unwrap();
        assert_eq!(check.ok, ok, "{check:?}");
        // The time of each phase is told.
        let phases: Vec<&str> = report.restore.phases.iter().map(|it| it.name).collect();
        assert!(phases.contains(&"rows") && phases.len() >= 5, "{phases:?}");
        let sum: u64 = report.restore.phases.iter().map(|it| it.elapsed_ms).sum();
        assert!(
            sum > 0 && sum <= report.recovery_ms,
            "{sum} of {}",
            report.recovery_ms
        );
    }
}

#[tokio::test]
async fn a_sequence_behind_its_column_fails_the_drill() {
    let source = database().await;
    source
        .psql("create table t (id serial primary key); insert into t select i from generate_series(1, 10) i; select setval('t_id_seq', 3)")
        .await;
    let report = drilled(&source, DrillRequest::default()).await;
    assert_same(&report.restore);
    let check = report
        .checks
        .iter()
        .find(|it| it.name == "sequences")
        .unwrap();
    assert_eq!(check.ok, Some(false));
    assert!(check.detail.contains("t_id_seq"), "{}", check.detail);
    assert_eq!(report.outcome, Outcome::Failed);
}

/// Event triggers are there and disabled; a view of another server's rows is empty, which is told.
#[tokio::test]
async fn what_acts_by_itself_is_asleep() {
    let source = database().await;
    source
        .psql(
            "create function watch() returns event_trigger language plpgsql as 'begin end'; \
             create event trigger watcher on ddl_command_end execute function watch(); \
             create extension file_fdw; create server files foreign data wrapper file_fdw; \
             create foreign table words (w text) server files options (program 'echo one'); \
             create view seen as select w from words; \
             create materialized view kept as select w from seen; create materialized view over as select count(*) from kept; \
             create table plain (i int)",
        )
        .await;
    let mut request = DrillRequest::default();
    request.trust = Trust::Backup;
    request.checks.push(
        "select 'asleep', (select evtenabled = 'D' from pg_event_trigger) \
         and (select count(*) = 2 from pg_class where relkind = 'm' and not relispopulated)"
            .to_owned(),
    );
    let report = drilled(&source, request).await;
    assert_same(&report.restore);
    assert_eq!(report.outcome, Outcome::Partial, "{:#?}", report.checks);
    let unproven = report.unproven.join("; ");
    for object in [
        "event trigger watcher",
        "materialized view public.kept",
        "materialized view public.over",
    ] {
        assert!(unproven.contains(object), "{object}: {unproven}");
    }
}

/// Without trust they are left out, with what needs them, and the rest is proven.
#[tokio::test]
async fn what_needs_trust_is_left_out_and_told() {
    let source = shop().await;
    source
        .psql(
            "create function watch() returns event_trigger language plpgsql as 'begin end'; \
             create event trigger watcher on ddl_command_end execute function watch(); \
             create extension postgres_fdw; create server far foreign data wrapper postgres_fdw; \
             create foreign table there (i int) server far; \
             create view count_there as select count(*) from there",
        )
        .await;
    let report = drilled(&source, DrillRequest::default()).await;
    assert_same(&report.restore);
    assert_eq!(report.outcome, Outcome::Partial, "{:#?}", report.checks);
    let unproven = report.unproven.join("; ");
    for object in [
        "event trigger watcher",
        "extension postgres_fdw",
        "server far",
        "foreign table public.there",
        "view public.count_there",
    ] {
        assert!(unproven.contains(object), "{object}: {unproven}");
    }
    assert!(!unproven.contains("shop.orders"), "{unproven}");
}
