//! Health: each probe turns red on its fault, green after, and never green where it could not see.

mod faults;
mod load;
mod rpc;

use opskit_core::context::OpContext;
use opskit_core::health::{
    HealthReport, HealthRequest, Limits, Reason, State, Threshold, check, probes,
};
use opskit_core::postgres::wire::WireConnection;
use opskit_core::scratch::ScratchServer;
use opskit_tests::export::parse;
use opskit_tests::try_psql;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A server of its own: faults are about the whole of it.
struct Patient {
    server: ScratchServer,
    _base: TempDir,
}

impl Patient {
    async fn new() -> Self {
        let base = tempfile::Builder::new()
            .prefix("h")
            .tempdir_in("/tmp")
            .unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(base.path(), open).unwrap();
        let server = ScratchServer::builder()
            .base_dir(base.path())
            .durable()
            .option("max_prepared_transactions", "5")
            .option("archive_mode", "on")
            .option("archive_command", "true")
            .start(&OpContext::default())
            .await
            .unwrap();
        let patient = Self {
            server,
            _base: base,
        };
        let made = try_psql(&patient.server.url("postgres"), "create database shop").await;
        made.unwrap();
        patient
    }

    fn url(&self) -> String {
        self.server.url("shop")
    }

    /// Runs statements one by one in one session: some of them bear no transaction.
    async fn sql(&self, sql: &str) {
        let mut session = self.session_as(self.server.user()).await;
        for statement in sql.split("; ") {
            let done = session.execute(statement).await;
            done.unwrap_or_else(|error| panic!("{:?}, in: {statement}", error.chain()));
        }
        session.close().await;
    }

    /// A session like that of an application: opskit's own, which it goes by the name of, are left out by probes.
    async fn session(&self) -> WireConnection {
        let mut session = self.session_as(self.server.user()).await;
        session
            .execute("set application_name = 'shop'")
            .await
            .unwrap();
        session
    }

    async fn session_as(&self, role: &str) -> WireConnection {
        let never = opskit_core::cancel::Cancel::never();
        let url = self.url_for(role);
        WireConnection::connect(&parse(&url), &never).await.unwrap()
    }

    fn url_for(&self, role: &str) -> String {
        let user = format!("user={}", self.server.user());
        self.url().replace(&user, &format!("user={role}"))
    }

    async fn check_as(&self, role: &str, only: &[&str]) -> HealthReport {
        let url = self.url_for(role);
        let mut request = HealthRequest::default();
        request.only = only.iter().map(|id| (*id).to_owned()).collect();
        let now = Threshold {
            warn: 0.0,
            fail: 0.0,
        };
        request.limits = [
            "transactions.idle",
            "transactions.longest",
            "locks.blocked",
            "transactions.prepared",
        ]
        .into_iter()
        .fold(Limits::default(), |limits, id| limits.with(id, now));
        let ctx = OpContext::default();
        check(&ctx, &parse(&url), &probes(), &request)
            .await
            .unwrap()
    }
}

#[tokio::test]
async fn a_role_that_may_only_connect_is_told_what_it_cannot_see() {
    let patient = Patient::new().await;
    patient
        .sql("create role blind login; create sequence hidden; create role anon; \
              create table big as select i, repeat('x', 30) as v from generate_series(1, 400000) i; analyze big")
        .await;
    let report = patient.check_as("blind", &[]).await;
    assert!(report.blocks());
    let of = |report: &HealthReport, id: &str| {
        let found = report.results.iter().find(|result| result.id == id);
        found.unwrap().verdict.clone()
    };
    for id in [
        "transactions.idle",
        "locks.blocked",
        "connections.saturation",
        "sequences.exhaustion",
        "vacuum.bloat",
    ] {
        let verdict = of(&report, id);
        assert_eq!(
            (verdict.state, verdict.reason),
            (State::Unknown, Some(Reason::Privilege)),
            "{id}"
        );
    }
    let cures: Vec<String> = report
        .results
        .iter()
        .filter_map(|result| result.verdict.cure.clone())
        .collect();
    patient.sql(&cures.join(" ")).await;
    let cured = patient.check_as("blind", &[]).await;
    let version = patient.server.version();
    let unknown = cured
        .results
        .iter()
        .filter(|result| result.verdict.state == State::Unknown);
    let unknown = unknown.filter(|result| result.verdict.reason != Some(Reason::Version));
    assert_eq!(unknown.count(), 0, "{version:?}: {cured:?}");
}

#[tokio::test]
async fn a_member_of_pg_monitor_is_blind_to_what_needs_select_and_nothing_else() {
    let patient = Patient::new().await;
    patient
        .sql("create role watcher login in role pg_monitor; create sequence hidden; \
              create table big as select i, repeat('x', 30) as v from generate_series(1, 400000) i; analyze big")
        .await;
    let unknown = |report: &HealthReport| -> Vec<String> {
        let results = report.results.iter();
        let unknown = results.filter(|it| it.verdict.state == State::Unknown);
        unknown.map(|it| it.id.clone()).collect()
    };
    let report = patient.check_as("watcher", &[]).await;
    assert_eq!(
        unknown(&report),
        ["vacuum.bloat", "sequences.exhaustion"],
        "{report:?}"
    );
    let cures = report
        .results
        .iter()
        .filter_map(|it| it.verdict.cure.clone());
    let cures: Vec<String> = cures.collect();
    patient.sql(&cures.join(" ")).await;
    let report = patient.check_as("watcher", &[]).await;
    assert!(unknown(&report).is_empty(), "{report:?}");
    // Who may everything sees everything.
    let report = patient.check_as(patient.server.user(), &[]).await;
    assert!(unknown(&report).is_empty(), "{report:?}");
}

#[tokio::test]
async fn a_locked_table_holds_up_no_run() {
    let patient = Patient::new().await;
    patient
        .sql("create table t (a text); create index on t ((a || 'x'))")
        .await;
    let mut holder = patient.session().await;
    holder
        .execute("begin; lock table t in access exclusive mode")
        .await
        .unwrap();
    let begun = Instant::now();
    let report = patient.check_as(patient.server.user(), &[]).await;
    assert!(
        begun.elapsed() < Duration::from_secs(10),
        "{:?}",
        begun.elapsed()
    );
    assert_eq!(report.results.len(), probes().len());
}
