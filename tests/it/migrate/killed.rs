//! Runs that are killed.

use super::{advisory_locks, applied, runner_at};
use opskit_core::postgres::wire::WireConnection;
use opskit_tests::export::wire;
use opskit_tests::helper;
use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Kills in a run of the test: all of them at full size, some always.
fn rounds() -> u32 {
    match std::env::var_os("OPSKIT_TEST_FULL") {
        Some(_) => 50,
        None => 6,
    }
}

fn files() -> Vec<(String, String)> {
    let mut files: Vec<(String, String)> = (1..=30)
        .map(|number| (format!("{number}_t.sql"), format!("create table t{number} as select i from generate_series(1, 2000) i; select pg_sleep(0.01);")))
        .collect();
    files.push((
        "31_i.sql".to_owned(),
        (1..=10)
            .map(|n| {
                format!(
                    "create index concurrently t{n}_i on t{n} (i);\ninsert into t{n} values (0);\n"
                )
            })
            .collect(),
    ));
    files
}

fn start(url: &str, dir: &Path) -> Child {
    let program = std::env::var_os("OPSKIT_BIN").map_or_else(|| helper("opskit"), Into::into);
    let mut command = Command::new(program);
    command.args([
        "migrate",
        "apply",
        "--no-backup",
        "--db",
        "scratch",
        "--dir",
        "migrations",
    ]);
    command
        .current_dir(dir)
        .env("SCRATCH_URL", url)
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.spawn().unwrap()
}

/// Waits until no session of a runner is left: the server notices the death of a client by itself.
async fn gone(connection: &mut WireConnection) {
    let sql = "select count(*) from pg_stat_activity where application_name = 'opskit' and pid <> pg_backend_pid() \
               and datname = current_database() and backend_type = 'client backend'";
    let wait = async {
        loop {
            let sets = connection.query(sql).await.unwrap();
            if sets[0].rows[0][0].as_deref() == Some("0") {
                return;
            }
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), wait)
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_run_leaves_no_lock_and_the_next_one_finishes() {
    let files = files();
    let texts: Vec<(&str, &str)> = files
        .iter()
        .map(|(name, text)| (name.as_str(), text.as_str()))
        .collect();
    let dir = tempfile::tempdir().unwrap();
    fs::create_dir(dir.path().join("migrations")).unwrap();
    for (name, text) in &texts {
        fs::write(dir.path().join("migrations").join(name), text).unwrap();
    }
    fs::write(
        dir.path().join("opskit.toml"),
        "[target.scratch]\nclass = \"scratch\"\nurl_env = \"SCRATCH_URL\"\n",
    )
    .unwrap();
    let mut killed = 0;
    for round in 0..rounds() {
        let db = opskit_tests::database().await;
        let mut watch = wire(&db.url()).await;
        watch
            .execute("set application_name = 'watch'")
            .await
            .unwrap();
        let mut child = start(&db.url(), dir.path());
        // Somewhere in the run, the last third of the rounds within its indexes.
        let wanted = 1 + (round * 7) % 31;
        let sql = "select count(*) from opskit.migrations";
        loop {
            let count = watch
                .query(sql)
                .await
                .ok()
                .and_then(|sets| sets[0].rows[0][0].as_deref()?.parse::<u32>().ok());
            if count >= Some(wanted) || child.try_wait().unwrap().is_some() {
                break;
            }
        }
        if child.try_wait().unwrap().is_none() {
            killed += 1;
        }
        child.kill().unwrap();
        child.wait().unwrap();
        gone(&mut watch).await;
        assert_eq!(advisory_locks(&db).await, "0");
        let mut safety = opskit_core::migrate::Safety::default();
        safety.drift = opskit_core::migrate::OnGap::Accept;
        applied(&runner_at(&db.url(), &texts).with_safety(safety)).await;
        assert_eq!(
            db.psql("select count(*) from opskit.migrations where state = 'applied'")
                .await,
            "31"
        );
        // Exactly once, whatever was killed.
        let once = "select count(*) from t1 where i = 0 union all select count(*) from t10 where i = 0 union all \
                    select count(*) from pg_index where not indisvalid";
        assert_eq!(db.psql(once).await, "1\n1\n0");
    }
    println!("killed {killed} of {} runs", rounds());
    assert!(killed > 0);
}
