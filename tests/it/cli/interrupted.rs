//! Ctrl-C in a backup, a restore and a drill: nothing that looks complete, nobody on the server, a record.

use super::signals::{ended, send, until};
use super::{Call, names};
use opskit_tests::{TestDb, database};
use rustix::process::Signal;
use serde_json::Value;
use std::path::Path;

/// Enough rows for a signal to meet them on their way.
const ROWS: &str = "create table t (id int, v text); alter table t alter v set storage external; \
    insert into t select i, repeat(md5(i::text), 60) from generate_series(1, 60000) i; create index on t (id); create index on t (v); \
    create table u as table t";

async fn sessions(db: &TestDb, more: &str) -> String {
    let sql = format!(
        "select count(*) from pg_stat_activity where datname = '{}' and pid <> pg_backend_pid() and backend_type = 'client backend' {more}",
        db.name()
    );
    db.psql(&sql).await
}

async fn copying(db: &TestDb) {
    let some = async || sessions(db, "and state = 'active' and query like 'COPY%'").await != "0";
    until("copying", some).await;
}

/// The records of a repository whose names begin so.
fn records(repository: &Path, prefix: &str) -> Vec<Value> {
    let history = repository.join("history");
    let found = names(&history)
        .into_iter()
        .filter(|name| name.starts_with(prefix));
    found
        .map(|name| serde_json::from_slice(&std::fs::read(history.join(name)).unwrap()).unwrap())
        .collect()
}

#[tokio::test]
async fn an_interrupted_backup_is_none() {
    let db = database().await;
    db.psql(ROWS).await;
    for (format, signal) in [("parquet", Signal::INT), ("pgcopy", Signal::TERM)] {
        let place = tempfile::tempdir().unwrap();
        let args = ["backup", "--format", format, "--json"];
        let call = Call::new(args).env("DATABASE_URL", &db.url());
        let mut child = call.within(place.path()).spawn();
        copying(&db).await;
        send(&child, signal);
        assert_eq!(ended(&mut child).await.code(), Some(130), "{format}");
        let stdout = std::io::read_to_string(child.stdout.take().unwrap()).unwrap();
        assert!(stdout.contains("\"kind\": \"cancelled\""), "{stdout}");
        let repository = place.path().join("backups");
        assert_eq!(names(&repository.join("backups")), [""; 0], "{format}");
        until("gone", async || sessions(&db, "").await == "0").await;
        let records = records(&repository, "2");
        assert_eq!(records.len(), 1);
        assert_eq!(records[0]["status"], "cancelled");
    }
}

#[tokio::test]
async fn an_interrupted_restore_can_be_run_again() {
    let db = database().await;
    db.psql(ROWS).await;
    let place = tempfile::tempdir().unwrap();
    let call = Call::new(["backup", "-q"]).env("DATABASE_URL", &db.url());
    call.within(place.path()).run().code(0);
    for during in ["COPY", "CREATE INDEX"] {
        let target = database().await;
        let url = target.url();
        let args = ["restore", "latest", "--to", &url];
        let mut child = Call::new(args).within(place.path()).spawn();
        let working = format!("and state = 'active' and query like '{during}%'");
        until(during, async || sessions(&target, &working).await != "0").await;
        send(&child, Signal::INT);
        assert_eq!(ended(&mut child).await.code(), Some(130), "{during}");
        until("gone", async || sessions(&target, "").await == "0").await;
        let logins = "select count(*) from pg_roles where rolname like 'opskit_restore_' || (select oid from pg_database where datname = current_database()) || '\\_%'";
        assert_eq!(target.psql(logins).await, "0", "{during}");
        let again = Call::new(args).within(place.path()).run().code(0);
        assert!(again.out().contains("the same by"), "{}", again.out());
    }
}

#[tokio::test]
async fn an_interrupted_drill_leaves_no_server_and_a_record() {
    let db = database().await;
    db.psql(ROWS).await;
    let place = tempfile::tempdir().unwrap();
    let call = Call::new(["backup", "-q"]).env("DATABASE_URL", &db.url());
    call.within(place.path()).run().code(0);
    // Short, because the path of a socket ends after about a hundred bytes.
    let scratch = tempfile::Builder::new()
        .prefix("d")
        .tempdir_in("/tmp")
        .unwrap();
    let open = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(scratch.path(), open).unwrap();
    for (turn, wait_ms) in [0, 300, 1500].into_iter().enumerate() {
        let call = Call::new(["drill", "--json"]).within(place.path());
        let call = call.env("TMPDIR", scratch.path().to_str().unwrap());
        let mut child = call.spawn();
        until("made", async || !names(scratch.path()).is_empty()).await;
        tokio::time::sleep(std::time::Duration::from_millis(wait_ms)).await;
        send(&child, Signal::INT);
        assert_eq!(ended(&mut child).await.code(), Some(130), "{wait_ms}");
        assert_eq!(names(scratch.path()), [""; 0], "{wait_ms}");
        let records = records(&place.path().join("backups"), "drill-");
        assert_eq!(records.len(), turn + 1);
        assert!(
            records.iter().all(|record| record["status"] == "cancelled"),
            "{records:?}"
        );
    }
}
