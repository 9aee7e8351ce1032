//! What happens when something goes wrong: a clear error, nothing that looks complete, nothing left
//! running on the server.

mod disk;
mod gate;
mod people;
mod proxy;
mod stuck;

use gate::GateSink;
use opskit_core::cancel::Cancel;
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::export::Exactness;
use opskit_core::export::parquet::ParquetOptions;
use opskit_core::postgres::export::{Export, ExportReport, ExportRequest};
use opskit_core::scratch::ScratchServer;
use opskit_core::sink::{BackupSink, DirectorySink, FileFormat};
use opskit_core::{ErrorKind, Result};
use opskit_tests::export::{
    assert_kind, assert_same_frames, copy, export_parquet, frames, parse, wire,
};
use opskit_tests::{TestDb, database, helper};
use proxy::{Cut, Proxy};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// A table of 40 MB, more than all buffers on the way hold.
const BIG: &str = "create table big (id int, x text); alter table big alter x set storage external; \
     insert into big select i, (select string_agg(md5((i * 1000 + j)::text), '') from generate_series(1, 300) j) from generate_series(1, 4000) i";

pub(super) fn parquet(target: &Path) -> DirectorySink {
    DirectorySink::create(target, FileFormat::Parquet(ParquetOptions::default())).unwrap()
}

fn big() -> ExportRequest {
    ExportRequest::tables(["big"]).unwrap()
}

/// Starts an export on a task.
pub(super) fn start(
    ctx: &OpContext,
    url: &str,
    request: ExportRequest,
    sink: Arc<dyn BackupSink>,
) -> JoinHandle<Result<ExportReport>> {
    let (ctx, url) = (ctx.clone(), parse(url));
    tokio::spawn(async move {
        Export::open(&ctx, &url, request)
            .await?
            .run(&ctx, sink)
            .await
    })
}

pub(super) fn assert_nothing_in(place: &Path) {
    let left: Vec<_> = std::fs::read_dir(place)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    assert!(left.is_empty(), "{left:?}");
}

/// Waits until the answer is as it should be.
pub(super) async fn becomes(db: &TestDb, sql: &str, answer: &str) {
    let start = Instant::now();
    loop {
        let found = db.psql(sql).await;
        if found == answer {
            return;
        }
        assert!(
            start.elapsed() < Duration::from_secs(60),
            "still {found:?} instead of {answer:?}: {sql}"
        );
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// Sessions of ours in the database; that of the question has another name.
const OURS: &str = "select count(*) from pg_stat_activity where datname = current_database() and application_name = 'opskit' and pid <> pg_backend_pid()";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_server_killed() {
    let mut server = ScratchServer::builder()
        .start(&OpContext::default())
        .await
        .unwrap();
    let url = server.url("postgres");
    wire(&url).await.query(BIG).await.unwrap();
    let place = tempfile::tempdir().unwrap();
    let (sink, gate) = GateSink::new(parquet(&place.path().join("out")));
    let run = start(&OpContext::default(), &url, big(), sink);
    gate.reached().await;
    tokio::task::block_in_place(|| server.crash());
    gate.open();
    assert_kind(run.await.unwrap(), ErrorKind::Connection);
    assert_nothing_in(place.path());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_one_worker_ended() {
    let db = database().await;
    db.psql(BIG).await;
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let ctx = OpContext::default()
        .with_observer(move |event: &Event| seen.lock().unwrap().push(event.clone()));
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    let (sink, gate) = GateSink::new(parquet(&target));
    let run = start(&ctx, &db.url(), big().with_jobs(1), sink);
    gate.reached().await;
    let ended = db
        .psql("select pg_terminate_backend(pid) from pg_stat_activity where datname = current_database() and query like 'COPY %' and state = 'active' and pid <> pg_backend_pid()")
        .await;
    assert_eq!(ended, "t");
    gate.open();
    let report = run.await.unwrap().unwrap();
    assert_eq!(report.rows, 4000);
    assert_eq!(report.tables[0].rows, 4000);
    let (_, ours) = frames(&target.join("public.big"));
    assert_same_frames(
        "big",
        &ours,
        &copy(
            &db.url(),
            "UTF8",
            "copy (select * from public.big order by ctid) to stdout (format binary)",
        )
        .await,
    );
    assert_progress_adds_up(&events.lock().unwrap(), 4000);
    becomes(&db, OURS, "0").await;
}

/// Rows that were told and not taken back are the rows of the table; a part was tried again.
fn assert_progress_adds_up(events: &[Event], rows_expected: i64) {
    let (mut total, mut retried) = (0_i64, 0);
    for event in events {
        match event {
            Event::Progress { rows, .. } => total += *rows as i64,
            Event::PartRetried { rows_discarded, .. } => {
                total -= *rows_discarded as i64;
                retried += 1;
            }
            _ => {}
        }
    }
    assert_eq!((retried, total), (1, rows_expected));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_network_cut() {
    let db = database().await;
    db.psql(BIG).await;
    let dir = db.psql("show unix_socket_directories").await;
    let dir = dir.trim_matches('"').to_owned();
    let port = db.psql("show port").await;
    let socket = PathBuf::from(dir).join(format!(".s.PGSQL.{port}"));
    // Everything is gone: an error. One worker's connection is: it reads its part again.
    for cut in [Cut::Everything, Cut::One(0)] {
        let proxy = Proxy::start(socket.clone()).await;
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("out");
        let (sink, gate) = GateSink::new(parquet(&target));
        let run = start(
            &OpContext::default(),
            &proxy.url(db.name()),
            big().with_jobs(1),
            sink,
        );
        gate.reached().await;
        assert!(proxy.connections() >= 2);
        proxy.cut(cut);
        gate.open();
        let result = run.await.unwrap();
        if cut == Cut::Everything {
            assert_kind(result, ErrorKind::Connection);
            assert_nothing_in(place.path());
        } else {
            assert_eq!(result.unwrap().rows, 4000);
            let sql = "copy (select * from public.big order by ctid) to stdout (format binary)";
            assert_same_frames(
                "big",
                &frames(&target.join("public.big")).1,
                &copy(&db.url(), "UTF8", sql).await,
            );
        }
        becomes(&db, OURS, "0").await;
    }
}

/// A small file system of its own, where that is allowed.
struct Mount(tempfile::TempDir);

impl Mount {
    fn new(mib: u32) -> Option<Self> {
        // Short, because the path of a socket ends after about a hundred bytes.
        let place = tempfile::Builder::new()
            .prefix("m")
            .tempdir_in("/tmp")
            .unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o"])
            .arg(format!("mode=0755,size={mib}m"))
            .arg("tmpfs")
            .arg(place.path())
            .output();
        mounted
            .is_ok_and(|output| output.status.success())
            .then_some(Self(place))
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_disk_full() {
    let Some(mount) = Mount::new(2) else {
        println!("skipped: no file system may be mounted here");
        return;
    };
    let db = database().await;
    db.psql(BIG).await;
    let place = mount.0.path();
    for format in [
        FileFormat::Parquet(ParquetOptions::default()),
        FileFormat::PgCopy(0),
        FileFormat::PgCopy(1),
        FileFormat::Csv,
        FileFormat::Arrow(Exactness::Interop),
    ] {
        for part_bytes in [1 << 40, 4 << 20] {
            let sink = DirectorySink::create(place.join("out"), format).unwrap();
            let run = start(
                &OpContext::default(),
                &db.url(),
                big()
                    .with_part_bytes(part_bytes)
                    .with_exactness(Exactness::Interop),
                Arc::new(sink),
            );
            let said = assert_kind(run.await.unwrap(), ErrorKind::Storage);
            assert!(said.contains("space"), "{said}");
            assert_nothing_in(place);
        }
    }
    becomes(&db, OURS, "0").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_cancelled() {
    let db = database().await;
    db.psql(BIG).await;
    for jobs in [1, 3] {
        let place = tempfile::tempdir().unwrap();
        let (sink, gate) = GateSink::new(parquet(&place.path().join("out")));
        let (handle, cancel) = Cancel::pair();
        let run = start(
            &OpContext::new(cancel),
            &db.url(),
            big().with_jobs(jobs).with_part_bytes(8 << 20),
            sink,
        );
        gate.reached().await;
        handle.cancel();
        gate.open();
        assert_kind(run.await.unwrap(), ErrorKind::Cancelled);
        assert_nothing_in(place.path());
        becomes(&db, OURS, "0").await;
    }
    // Before anything, and while the server thinks.
    let (handle, cancel) = Cancel::pair();
    let place = tempfile::tempdir().unwrap();
    let slow = ExportRequest::query("select pg_sleep(60)");
    let run = start(
        &OpContext::new(cancel),
        &db.url(),
        slow,
        Arc::new(parquet(&place.path().join("out"))),
    );
    becomes(&db, "select count(*) from pg_stat_activity where query like 'COPY%pg_sleep%' and pid <> pg_backend_pid() and state = 'active'", "1").await;
    handle.cancel();
    assert_kind(run.await.unwrap(), ErrorKind::Cancelled);
    becomes(&db, OURS, "0").await;
    assert_nothing_in(place.path());
}

/// The future is dropped, as when a caller's time-out strikes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_dropped() {
    let db = database().await;
    db.psql(BIG).await;
    let place = tempfile::tempdir().unwrap();
    let (sink, gate) = GateSink::new(parquet(&place.path().join("out")));
    let run = start(&OpContext::default(), &db.url(), big(), sink);
    gate.reached().await;
    run.abort();
    gate.open();
    assert!(run.await.unwrap_err().is_cancelled());
    becomes(&db, OURS, "0").await;
    let start = Instant::now();
    while std::fs::read_dir(place.path()).unwrap().count() > 0
        && start.elapsed() < Duration::from_secs(60)
    {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_nothing_in(place.path());
}

#[tokio::test]
async fn faults_strict_mode() {
    let db = database().await;
    db.psql("create table t as select (case when i = 700 then 'NaN' else '1' end)::numeric(9,2) as secret_column from generate_series(1, 1000) i").await;
    let place = tempfile::tempdir().unwrap();
    let request = |exactness| {
        ExportRequest::tables(["t"])
            .unwrap()
            .with_exactness(exactness)
    };
    let said = assert_kind(
        export_parquet(
            &db.url(),
            request(Exactness::Strict),
            &place.path().join("out"),
        )
        .await,
        ErrorKind::CheckFailed,
    );
    assert!(
        said.contains("secret_column") && !said.contains("NaN"),
        "{said}"
    );
    assert_nothing_in(place.path());
    let target = place.path().join("interop");
    let report = export_parquet(&db.url(), request(Exactness::Interop), &target)
        .await
        .unwrap();
    assert_eq!((report.tables[0].misfits, report.rows), (1, 1000));
    assert!(!target.join("public.t/part-00000.exact").exists());
}

/// A killed process leaves nothing that looks complete, and no session.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn faults_kill_9() {
    let db = database().await;
    db.psql(BIG).await;
    let place = tempfile::tempdir().unwrap();
    let target = place.path().join("out");
    let table = "select b.*, pg_sleep(0.002) is null as s from public.big b";
    let mut child = Command::new(helper("opskit-test-export"))
        .args([db.url().as_str(), "--query", table])
        .arg(&target)
        .arg("1")
        .spawn()
        .unwrap();
    becomes(&db, "select count(*) from pg_stat_activity where query like 'COPY%pg_sleep%' and pid <> pg_backend_pid() and state = 'active'", "1").await;
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(!target.exists());
    let left: Vec<String> = std::fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    assert!(
        left.iter().all(|name| name.starts_with(".out.partial-")),
        "{left:?}"
    );
    assert!(!left.is_empty());
    for name in left {
        assert!(!place.path().join(name).join("manifest.json").exists());
    }
    becomes(&db, OURS, "0").await;
}
