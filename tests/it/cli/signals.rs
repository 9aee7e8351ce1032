//! Ctrl-C: the server stops, and nothing is left that looks like a result.

use super::{Call, names, sample};
use opskit_core::context::OpContext;
use opskit_core::scratch::ScratchServer;
use opskit_tests::TestDb;
use rustix::process::{Pid, Signal, kill_process};
use sqlx::{Connection as _, PgConnection};
use std::net::TcpListener;
use std::process::{Child, ExitStatus};
use std::time::{Duration, Instant};

/// Rows that take for ever.
const SLOW: &str =
    "select i, repeat('x', 2000), pg_sleep(0.001) from generate_series(1, 100000000) i";

/// How long a busy machine may take for anything here.
const PATIENCE: Duration = Duration::from_secs(60);

pub(super) fn send(child: &Child, signal: Signal) {
    kill_process(Pid::from_child(child), signal).unwrap();
}

/// Waits until it is so.
pub(super) async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    let start = Instant::now();
    while !is_so().await {
        assert!(start.elapsed() < PATIENCE, "not {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn sessions(db: &TestDb, more: &str) -> String {
    let sql = format!(
        "select count(*) from pg_stat_activity where datname = '{}' and application_name = 'opskit' {more}",
        db.name()
    );
    db.psql(&sql).await
}

async fn reading(db: &TestDb) {
    let copying = async || sessions(db, "and state = 'active' and query like 'COPY%'").await == "1";
    until("reading", copying).await;
}

/// Waits for the end, but not for ever.
pub(super) async fn ended(child: &mut Child) -> ExitStatus {
    let mut status = None;
    until("ended", async || {
        status = child.try_wait().unwrap();
        status.is_some()
    })
    .await;
    status.unwrap()
}

#[tokio::test]
async fn an_interrupted_export_leaves_nothing() {
    let db = sample().await;
    for (target, signal) in [
        ("result", Signal::INT),
        ("result.parquet", Signal::INT),
        ("result.pgcopy", Signal::TERM),
    ] {
        let place = tempfile::tempdir().unwrap();
        let args = ["--query", SLOW, "-o", target, "--json"];
        let mut child = Call::export(&db, &args).within(place.path()).spawn();
        reading(&db).await;
        until("staged", async || names(place.path()).len() == 1).await;
        assert!(
            names(place.path())[0].contains(".partial-"),
            "{:?}",
            names(place.path())
        );
        send(&child, signal);
        assert_eq!(ended(&mut child).await.code(), Some(130), "{target}");
        assert_eq!(names(place.path()), [""; 0], "{target}");
        until("gone", async || sessions(&db, "").await == "0").await;
        let stdout = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
        assert!(stdout.contains("\"kind\": \"cancelled\""), "{stdout}");
    }
}

#[tokio::test]
async fn a_wait_for_a_lock_can_be_interrupted() {
    let db = sample().await;
    let place = tempfile::tempdir().unwrap();
    let mut holder = PgConnection::connect(&db.url()).await.unwrap();
    sqlx::raw_sql("begin; lock table t in access exclusive mode")
        .execute(&mut holder)
        .await
        .unwrap();
    let args = ["t", "-o", "x", "--lock-timeout", "1h"];
    let mut child = Call::export(&db, &args).within(place.path()).spawn();
    until("waiting", async || {
        sessions(&db, "and wait_event_type = 'Lock'").await == "1"
    })
    .await;
    send(&child, Signal::INT);
    assert_eq!(ended(&mut child).await.code(), Some(130));
    assert_eq!(names(place.path()), [""; 0]);
    until("gone", async || sessions(&db, "").await == "0").await;
}

#[tokio::test]
async fn a_statement_that_sends_nothing_is_cancelled_on_the_server() {
    let db = sample().await;
    let args = [
        "--query",
        "select pg_sleep(600)",
        "-o",
        "-",
        "--format",
        "csv",
    ];
    let mut child = Call::export(&db, &args).spawn();
    reading(&db).await;
    send(&child, Signal::INT);
    assert_eq!(ended(&mut child).await.code(), Some(130));
    until("gone", async || sessions(&db, "").await == "0").await;
}

#[tokio::test]
async fn a_reader_that_does_not_read_cannot_hold_it_up() {
    let db = sample().await;
    // In the list of results, a series is sent as it is made.
    let query = "select generate_series(1, 100000000), repeat('x', 1000)";
    let args = ["--query", query, "-o", "-", "--format", "csv"];
    let mut child = Call::export(&db, &args).spawn();
    // A moment's wait is no proof: ten looks in a row are.
    let mut looks = 0;
    until("held up by the pipe and all buffers", async || {
        let waits = sessions(&db, "and wait_event = 'ClientWrite'").await == "1";
        looks = if waits { looks + 1 } else { 0 };
        looks == 10
    })
    .await;
    send(&child, Signal::INT);
    assert_eq!(ended(&mut child).await.code(), Some(130));
    until("gone", async || sessions(&db, "").await == "0").await;
}

#[tokio::test]
async fn a_server_that_does_not_answer_cannot_hold_it_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let url = format!("postgresql://ann@127.0.0.1:{port}/x?sslmode=disable");
    let call = Call::new(["export", "t", "-o", "-", "--format", "csv"]);
    let mut child = call.env("DATABASE_URL", &url).spawn();
    let accept = tokio::task::spawn_blocking(move || listener.accept().unwrap());
    let silent = accept.await.unwrap();
    send(&child, Signal::INT);
    assert_eq!(ended(&mut child).await.code(), Some(130));
    drop(silent);
}

#[tokio::test]
async fn asking_twice_ends_at_once() {
    let server = ScratchServer::builder();
    let server = server.start(&OpContext::default()).await.unwrap();
    let args = ["export", "--query", "select pg_sleep(600)", "-o", "-"];
    let call = Call::new(args.iter().chain(&["--format", "csv"]));
    let mut child = call.env("DATABASE_URL", &server.url("postgres")).spawn();
    let mut watcher = PgConnection::connect(&server.url("postgres"))
        .await
        .unwrap();
    until("reading", async || {
        let sql = "select count(*) from pg_stat_activity where wait_event = 'PgSleep'";
        let count = sqlx::query_scalar::<_, i64>(sql)
            .fetch_one(&mut watcher)
            .await;
        count.unwrap() == 1
    })
    .await;
    // Nobody takes the request to cancel, so the first signal alone has to wait.
    let pid = std::fs::read_to_string(server.data_dir().join("postmaster.pid")).unwrap();
    let pid = Pid::from_raw(pid.lines().next().unwrap().parse().unwrap()).unwrap();
    kill_process(pid, Signal::STOP).unwrap();
    send(&child, Signal::INT);
    tokio::time::sleep(Duration::from_millis(500)).await;
    let early = child.try_wait().unwrap();
    let start = Instant::now();
    send(&child, Signal::INT);
    let status = ended(&mut child).await;
    kill_process(pid, Signal::CONT).unwrap();
    assert_eq!(early, None, "the first signal waits for the server");
    assert_eq!(status.code(), Some(130));
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn an_interrupted_demo_leaves_nothing() {
    // Short, because the path of a socket ends after about a hundred bytes.
    let place = tempfile::Builder::new()
        .prefix("d")
        .tempdir_in("/tmp")
        .unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(place.path(), open).unwrap();
    let keep = place.path().join("demo-kept");
    let call = Call::new(["demo", "--json", "--keep", keep.to_str().unwrap()])
        .env("TMPDIR", place.path().to_str().unwrap());
    let mut child = call.spawn();
    let start = Instant::now();
    while !names(place.path())
        .iter()
        .any(|name| !name.contains("demo"))
    {
        assert!(start.elapsed() < PATIENCE, "no server");
        std::thread::sleep(Duration::from_millis(5));
    }
    std::thread::sleep(Duration::from_millis(300));
    send(&child, Signal::INT);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(names(place.path()), [""; 0]);
}
