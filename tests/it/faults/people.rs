//! Roles that may not, locks that others hold, settings that others made.

use super::{assert_nothing_in, becomes, gate::GateSink, parquet, start};
use opskit_core::ErrorKind;
use opskit_core::context::OpContext;
use opskit_core::export::Exactness;
use opskit_core::postgres::export::{Export, ExportRequest};
use opskit_core::sink::{FileFormat, StreamSink};
use opskit_tests::export::{assert_kind, export, export_parquet, parse, wire};
use opskit_tests::{TestDb, database};
use std::sync::Arc;
use std::time::Duration;

/// Makes a role of this test's own; it goes with the server.
async fn role(db: &TestDb, options: &str) -> String {
    let name = format!("r_{}_{}", db.name(), options.len());
    db.psql(&format!("create role {name} login {options}"))
        .await;
    name
}

#[tokio::test]
async fn faults_permission_denied() {
    let db = database().await;
    let role = role(&db, "").await;
    db.psql(&format!(
        "create table t as select 1 as i; create table half (a int, b int); create view v as select * from t; \
         create materialized view m as select * from t; grant select (a) on half to {role}; create schema hidden; create table hidden.t (i int); grant select on hidden.t to {role}"
    ))
    .await;
    let place = tempfile::tempdir().unwrap();
    for table in ["t", "half", "v", "m", "hidden.t"] {
        let request = ExportRequest::tables([table]).unwrap();
        let result = export_parquet(&db.url_for(&role), request, &place.path().join("out")).await;
        let said = assert_kind(result, ErrorKind::PermissionDenied);
        assert!(said.contains(table.rsplit('.').next().unwrap()), "{said}");
        assert_nothing_in(place.path());
    }
}

#[tokio::test]
async fn faults_row_security() {
    let db = database().await;
    let (reader, owner, free) = (
        role(&db, "").await,
        role(&db, "nobypassrls").await,
        role(&db, "bypassrls").await,
    );
    db.psql(&format!(
        "create table t as select i from generate_series(1, 10) i; alter table t enable row level security; create policy few on t using (i < 4); \
         grant select on t to {reader}, {free}; create table forced as table t; alter table forced enable row level security; \
         alter table forced force row level security; alter table forced owner to {owner}; create view looks as select * from t; \
         alter view looks owner to {reader}; grant select on looks to {free}"
    ))
    .await;
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    for (role, table) in [
        (&reader, "t"),
        (&owner, "forced"),
        (&reader, "looks"),
        (&free, "looks"),
    ] {
        let request = ExportRequest::tables([table]).unwrap();
        assert_kind(
            export_parquet(&db.url_for(role), request, &target).await,
            ErrorKind::PermissionDenied,
        );
        assert_nothing_in(place.path());
    }
    let query = ExportRequest::query("select * from t");
    assert_kind(
        export_parquet(&db.url_for(&reader), query, &target).await,
        ErrorKind::PermissionDenied,
    );
    assert_nothing_in(place.path());
    let report = export_parquet(
        &db.url_for(&free),
        ExportRequest::tables(["t"]).unwrap(),
        &target,
    )
    .await
    .unwrap();
    assert_eq!(report.rows, 10);
}

const WAITS: &str = "select count(*) > 0 from pg_locks where not granted \
     and database = (select oid from pg_database where datname = current_database())";

#[tokio::test]
async fn faults_lock_timeout() {
    let db = database().await;
    db.psql("create table t (i int)").await;
    let mut holder = wire(&db.url()).await;
    holder
        .execute("begin; lock table t in access exclusive mode")
        .await
        .unwrap();
    let request = ExportRequest::tables(["t"])
        .unwrap()
        .with_lock_timeout(Duration::from_millis(300));
    let place = tempfile::tempdir().unwrap();
    let said = assert_kind(
        export_parquet(&db.url(), request, &place.path().join("out")).await,
        ErrorKind::Busy,
    );
    assert!(said.contains("\"public.t\""), "{said}");
    assert_nothing_in(place.path());
    becomes(&db, WAITS, "f").await;
}

/// The table is found, and then another session that holds it drops or replaces it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_dropped_between_plan_and_copy() {
    let db = database().await;
    for change in [
        "drop table t",
        "alter table t rename to gone",
        "drop table t; create table t (other text)",
    ] {
        db.psql("drop table if exists gone, t; create table t as select 1 as i")
            .await;
        let mut holder = wire(&db.url()).await;
        holder
            .execute("begin; lock table t in access exclusive mode")
            .await
            .unwrap();
        let place = tempfile::tempdir().unwrap();
        let run = start(
            &OpContext::default(),
            &db.url(),
            ExportRequest::tables(["t"]).unwrap(),
            Arc::new(parquet(&place.path().join("out"))),
        );
        becomes(&db, WAITS, "t").await;
        holder.execute(change).await.unwrap();
        holder.execute("commit").await.unwrap();
        let said = assert_kind(run.await.unwrap(), ErrorKind::Busy);
        assert!(said.contains("public.t"), "{change}: {said}");
        assert_nothing_in(place.path());
    }
}

/// A TRUNCATE that commits while the export waits for its lock: the rows after it, not none of the
/// rows before it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_truncated_while_waiting() {
    let db = database().await;
    db.psql("create table t as select i from generate_series(1, 5) i")
        .await;
    let mut holder = wire(&db.url()).await;
    holder
        .execute("begin; truncate t; insert into t values (1), (2)")
        .await
        .unwrap();
    let place = tempfile::tempdir().unwrap();
    let run = start(
        &OpContext::default(),
        &db.url(),
        ExportRequest::tables(["t"]).unwrap(),
        Arc::new(parquet(&place.path().join("out"))),
    );
    becomes(&db, WAITS, "t").await;
    holder.execute("commit").await.unwrap();
    assert_eq!(run.await.unwrap().unwrap().rows, 2);
}

/// What a role has set for its application neither stops an export nor changes its values.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_settings_of_a_role() {
    let db = database().await;
    let role = role(&db, "").await;
    db.psql(&format!(
        "create table t as select i, timestamptz '2026-01-01 12:00:00+00' as ts, 0.1::float8 as f, '\\x00'::bytea as b, interval '1 day 1 hour' as v, \
           'pg_class'::regclass as c, pg_sleep(0)::text as s from generate_series(1, 200000) i; grant select on t to {role}"
    ))
    .await;
    let place = tempfile::tempdir().unwrap();
    let mut seen = Vec::new();
    for settings in [
        "",
        "statement_timeout = '150ms'; idle_in_transaction_session_timeout = '150ms'; lock_timeout = '1ms'; default_transaction_read_only = on; \
         default_transaction_isolation = 'serializable'; default_transaction_deferrable = on; search_path = 'nowhere'; datestyle = 'German, DMY'; \
         timezone = 'Asia/Tokyo'; bytea_output = 'escape'; extra_float_digits = -5; intervalstyle = 'iso_8601'; client_encoding = 'LATIN1'; \
         standard_conforming_strings = off; row_security = on; quote_all_identifiers = on; synchronize_seqscans = on",
    ] {
        for setting in settings
            .split(';')
            .filter(|setting| !setting.trim().is_empty())
        {
            db.psql(&format!("alter role {role} set {setting}")).await;
        }
        let target = place.path().join(settings.len().to_string());
        let (sink, gate) = GateSink::new(parquet(&target));
        let run = start(
            &OpContext::default(),
            &db.url_for(&role),
            ExportRequest::tables(["public.t"]).unwrap().with_jobs(1),
            sink,
        );
        gate.reached().await;
        // Longer than the limits of the role.
        tokio::time::sleep(Duration::from_millis(400)).await;
        gate.open();
        let report = run
            .await
            .unwrap()
            .unwrap_or_else(|e| panic!("{settings}: {e:?}"));
        assert_eq!(report.rows, 200_000);
        seen.push(report.tables[0].fingerprint);
    }
    assert_eq!(seen[0], seen[1]);
}

/// Between the plan and the run any time may pass: the leader's transaction is not ended by limits.
#[tokio::test]
async fn faults_time_between_plan_and_run() {
    let db = database().await;
    let role = role(&db, "").await;
    db.psql(&format!("create table t (i int); grant select on t to {role}; alter role {role} set idle_in_transaction_session_timeout = '100ms'")).await;
    let ctx = OpContext::default();
    let export = Export::open(
        &ctx,
        &parse(&db.url_for(&role)),
        ExportRequest::tables(["t"]).unwrap(),
    )
    .await
    .unwrap();
    tokio::time::sleep(Duration::from_millis(400)).await;
    let place = tempfile::tempdir().unwrap();
    export
        .run(&ctx, Arc::new(parquet(&place.path().join("out"))))
        .await
        .unwrap();
}

/// A stream has no side file: the run fails, rather than lose a value.
#[tokio::test]
async fn faults_streams_do_not_lose_values() {
    let db = database().await;
    db.psql("create table t as select 'NaN'::numeric(9,2) as n")
        .await;
    let sink = |exactness| {
        Arc::new(StreamSink::new(
            std::io::sink(),
            FileFormat::Arrow(exactness),
        ))
    };
    let request = |exactness| {
        ExportRequest::tables(["t"])
            .unwrap()
            .with_exactness(exactness)
            .with_single_part()
    };
    assert_kind(
        export(&db.url(), request(Exactness::Exact), sink(Exactness::Exact)).await,
        ErrorKind::CheckFailed,
    );
    let report = export(
        &db.url(),
        request(Exactness::Interop),
        sink(Exactness::Interop),
    )
    .await
    .unwrap();
    assert_eq!(report.tables[0].misfits, 1);
}
