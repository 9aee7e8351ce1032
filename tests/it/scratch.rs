//! Scratch servers: private, complete, and gone afterwards whatever happens.

use opskit_core::cancel::Cancel;
use opskit_core::context::OpContext;
use opskit_core::error::ErrorKind;
use opskit_core::scratch::{ScratchBuilder, ScratchEnv, ScratchServer, ServerBinaries, sweep};
use opskit_tests::helper;
use rustix::process::{Pid, test_kill_process};
use sqlx::{Connection as _, PgConnection};
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A directory for servers that no other test looks into.
fn base() -> TempDir {
    let base = tempfile::Builder::new()
        .prefix("t")
        .tempdir_in("/tmp")
        .unwrap();
    // As root the server is another user's and has to get through.
    fs::set_permissions(base.path(), fs::Permissions::from_mode(0o755)).unwrap();
    base
}

async fn start(base: &TempDir) -> ScratchServer {
    builder(base).start(&OpContext::default()).await.unwrap()
}

fn builder(base: &TempDir) -> ScratchBuilder {
    ScratchServer::builder().base_dir(base.path())
}

fn entries(base: &TempDir) -> Vec<PathBuf> {
    fs::read_dir(base.path())
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect()
}

fn assert_nothing_left(base: &TempDir) {
    let left = entries(base);
    assert!(left.is_empty(), "{left:?}");
}

fn postmaster(data_dir: &Path) -> Pid {
    let text = fs::read_to_string(data_dir.join("postmaster.pid")).unwrap();
    Pid::from_raw(text.lines().next().unwrap().parse().unwrap()).unwrap()
}

fn is_gone(pid: Pid) -> bool {
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(60) {
        // A zombie that nobody reaps is gone too.
        let state = fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
        if test_kill_process(pid).is_err() || state.is_ok_and(|stat| stat.contains(") Z ")) {
            return true;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    false
}

async fn ask(url: &str, sql: &'static str) -> sqlx::Result<String> {
    let mut connection = PgConnection::connect(url).await?;
    let answer = sqlx::query_scalar::<_, String>(sql)
        .fetch_one(&mut connection)
        .await;
    connection.close().await?;
    answer
}

/// A process that owns a server, and the server's directory.
fn holder(base: &TempDir) -> (Child, String, PathBuf) {
    let mut command = Command::new(helper("opskit-test-server"));
    command
        .arg("hold")
        .arg(base.path())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut url = String::new();
    BufReader::new(child.stdout.as_mut().unwrap())
        .read_line(&mut url)
        .unwrap();
    assert!(url.starts_with("postgresql:"), "{url}");
    let [dir] = entries(base).try_into().unwrap();
    (child, url.trim_end().to_owned(), dir)
}

#[tokio::test]
async fn answers_on_a_private_socket_only() {
    let base = base();
    let server = start(&base).await;
    let url = server.url("postgres");
    assert_eq!(ask(&url, "select 1::text").await.unwrap(), "1");
    let num = ask(&url, "select current_setting('server_version_num')")
        .await
        .unwrap();
    assert_eq!(num, server.version().num().to_string());
    assert_eq!(
        ask(&url, "select current_setting('listen_addresses')")
            .await
            .unwrap(),
        ""
    );
    assert_eq!(
        ask(&url, "select current_user::text").await.unwrap(),
        server.user()
    );
    assert_eq!(
        ask(&url, "select current_setting('fsync')").await.unwrap(),
        "off"
    );
    for dir in [server.socket_dir(), server.data_dir()] {
        assert_eq!(fs::metadata(dir).unwrap().mode() & 0o7777, 0o700);
    }
    let mode = fs::metadata(server.socket_dir().parent().unwrap())
        .unwrap()
        .mode()
        & 0o007;
    assert_eq!(mode, 0, "others cannot even look for the socket");
    assert_eq!(tcp_listeners(postmaster(&server.data_dir())), 0);
    assert!(
        server
            .substitutions()
            .iter()
            .all(|substitution| substitution.setting == "locale")
    );
}

/// How many TCP sockets a process has open.
fn tcp_listeners(pid: Pid) -> usize {
    let fds = fs::read_dir(format!("/proc/{}/fd", pid.as_raw_nonzero())).unwrap();
    let links = fds.filter_map(|fd| fs::read_link(fd.unwrap().path()).ok());
    let sockets: Vec<String> = links
        .filter_map(|link| {
            Some(
                link.to_str()?
                    .strip_prefix("socket:[")?
                    .strip_suffix(']')?
                    .to_owned(),
            )
        })
        .collect();
    assert!(!sockets.is_empty(), "the Unix socket itself is seen");
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"]
        .map(|table| fs::read_to_string(table).unwrap_or_default());
    let inodes = tables
        .iter()
        .flat_map(|table| table.lines().skip(1))
        .filter_map(|line| line.split_whitespace().nth(9));
    inodes
        .filter(|inode| sockets.iter().any(|socket| socket == inode))
        .count()
}

#[tokio::test]
async fn gone_when_dropped_or_stopped() {
    let base = base();
    let server = start(&base).await;
    let pid = postmaster(&server.data_dir());
    drop(server);
    assert!(is_gone(pid));
    assert_nothing_left(&base);

    let server = start(&base).await;
    let pid = postmaster(&server.data_dir());
    let mut session = PgConnection::connect(&server.url("postgres"))
        .await
        .unwrap();
    server.stop().await.unwrap();
    assert!(is_gone(pid));
    assert_nothing_left(&base);
    assert!(session.ping().await.is_err());
}

#[tokio::test]
async fn swept_after_its_owner_was_killed() {
    let base = base();
    let (mut owner, url, dir) = holder(&base);
    let alive = sweep(base.path());
    assert_eq!(alive.in_use, std::slice::from_ref(&dir));
    assert!(alive.removed.is_empty());

    let pid = postmaster(&dir.join("data"));
    owner.kill().unwrap();
    owner.wait().unwrap();
    assert_eq!(
        ask(&url, "select 'still here'").await.unwrap(),
        "still here"
    );
    // Several at once: one does it, and none fails or touches a server that starts meanwhile.
    let path = base.path().to_owned();
    let sweeps: Vec<_> = (0..4)
        .map(|_| {
            let path = path.clone();
            std::thread::spawn(move || sweep(&path))
        })
        .collect();
    let started = start(&base).await;
    let reports: Vec<_> = sweeps
        .into_iter()
        .map(|sweep| sweep.join().unwrap())
        .collect();
    let removed: Vec<_> = reports.iter().flat_map(|report| &report.removed).collect();
    assert!(
        removed.len() <= 1 && removed.iter().all(|path| **path == dir),
        "{reports:?}"
    );
    assert!(!dir.exists());
    assert!(is_gone(pid));
    assert_eq!(
        ask(&started.url("postgres"), "select 'fine'")
            .await
            .unwrap(),
        "fine"
    );
}

#[tokio::test]
async fn the_next_start_sweeps() {
    let base = base();
    let (mut owner, _, dir) = holder(&base);
    owner.kill().unwrap();
    owner.wait().unwrap();
    let _server = start(&base).await;
    assert!(!dir.exists());
}

#[test]
fn a_sweep_touches_nothing_that_is_not_ours() {
    let base = base();
    let make = |name: &str, owner: Option<&str>| {
        let dir = base.path().join(name);
        fs::create_dir(&dir).unwrap();
        fs::write(dir.join("data"), "precious").unwrap();
        if let Some(text) = owner {
            fs::write(dir.join("owner"), text).unwrap();
        }
        dir
    };
    let owner = |name: &str| {
        format!(r#"{{"opskit_scratch":1,"directory":"{name}","pid":1,"created":1,"server_uid":1}}"#)
    };
    make("opskit-none", None);
    make("opskit-empty", Some(""));
    make("opskit-moved", Some(&owner("opskit-original")));
    let elsewhere = make("elsewhere", Some(&owner("opskit-link")));
    symlink(&elsewhere, base.path().join("opskit-link")).unwrap();
    let linked = make("opskit-linked-owner", None);
    fs::write(base.path().join("file"), owner("opskit-linked-owner")).unwrap();
    symlink(base.path().join("file"), linked.join("owner")).unwrap();
    let twice = make("opskit-two-names", Some(&owner("opskit-two-names")));
    fs::hard_link(twice.join("owner"), base.path().join("other-name")).unwrap();
    if rustix::process::geteuid().is_root() {
        let foreign = make("opskit-foreign", Some(&owner("opskit-foreign")));
        std::os::unix::fs::chown(foreign.join("owner"), Some(12345), None).unwrap();
    }

    let before = entries(&base).len();
    let report = sweep(base.path());
    assert!(
        report.removed.is_empty() && report.in_use.is_empty(),
        "{report:?}"
    );
    let ours = entries(&base)
        .iter()
        .filter(|path| path.to_string_lossy().contains("/opskit-"))
        .count();
    assert_eq!(report.left_alone.len(), ours, "{report:?}");
    assert_eq!(entries(&base).len(), before);
    assert_eq!(
        fs::read_to_string(elsewhere.join("data")).unwrap(),
        "precious"
    );
}

#[tokio::test]
async fn never_runs_as_root_and_sees_no_environment_of_ours() {
    let base = base();
    let server = start(&base).await;
    let proc = PathBuf::from(format!(
        "/proc/{}",
        postmaster(&server.data_dir()).as_raw_nonzero()
    ));
    let me = rustix::process::geteuid();
    let uid = fs::metadata(&proc).unwrap().uid();
    assert_eq!(uid == me.as_raw(), !me.is_root());
    assert_ne!(uid, 0);
    assert_eq!(fs::metadata(server.data_dir()).unwrap().uid(), uid);
    let groups = fs::read_to_string(proc.join("status")).unwrap();
    let groups = groups
        .lines()
        .find_map(|line| line.strip_prefix("Groups:"))
        .unwrap();
    assert!(
        !me.is_root() || groups.trim().is_empty(),
        "root's groups are dropped: {groups}"
    );
    let environ = fs::read(proc.join("environ")).unwrap();
    let names = environ
        .split(|byte| *byte == 0)
        .filter(|var| !var.is_empty());
    for name in names.map(|var| {
        String::from_utf8_lossy(var)
            .split('=')
            .next()
            .unwrap()
            .to_owned()
    }) {
        let known = ["LC_ALL", "PATH", "LD_LIBRARY_PATH"].contains(&name.as_str());
        // The server sets some of its own.
        assert!(
            known || name.starts_with("PG") || name.starts_with("LC_"),
            "{name}"
        );
    }
}

#[tokio::test]
async fn missing_binaries_are_an_error_with_the_way_out() {
    let empty = base();
    let mut env = ScratchEnv::from_process();
    env.pg_bin = Some(empty.path().to_owned());
    for error in [
        ServerBinaries::locate(None, &env).unwrap_err(),
        ScratchServer::builder()
            .env(env)
            .start(&OpContext::default())
            .await
            .unwrap_err(),
        builder(&empty)
            .bin_dir(Some("/nowhere"))
            .start(&OpContext::default())
            .await
            .unwrap_err(),
    ] {
        assert_eq!(error.kind(), ErrorKind::NotFound);
        assert!(error.hint().unwrap().contains("initdb"));
    }
    assert_nothing_left(&empty);
}

#[test]
fn binaries_are_found_newest_first() {
    let all = ServerBinaries::all(&ScratchEnv::from_process()).unwrap();
    assert!(
        all.windows(2)
            .all(|pair| pair[0].version() >= pair[1].version())
    );
    let mut env = ScratchEnv::from_process();
    env.pg_bin = Some(all[0].dir().to_owned());
    assert_eq!(ServerBinaries::locate(None, &env).unwrap(), all[0]);
}

#[tokio::test]
async fn a_missing_locale_is_substituted_and_recorded() {
    let base = base();
    let server = builder(&base)
        .locale("xx_YY.UTF-8")
        .start(&OpContext::default())
        .await
        .unwrap();
    let [substitution] = server.substitutions() else {
        panic!("{:?}", server.substitutions())
    };
    assert_eq!(
        (substitution.setting.as_str(), substitution.wanted.as_str()),
        ("locale", "xx_YY.UTF-8")
    );
    let sql = "select datcollate::text from pg_database where datname = 'postgres'";
    assert_eq!(
        ask(&server.url("postgres"), sql).await.unwrap(),
        substitution.used
    );

    let latin = builder(&base)
        .locale("xx_YY")
        .encoding("LATIN1")
        .start(&OpContext::default())
        .await
        .unwrap();
    assert_eq!(latin.substitutions()[0].used, "C");
    assert_eq!(
        ask(
            &latin.url("postgres"),
            "select current_setting('server_encoding')"
        )
        .await
        .unwrap(),
        "LATIN1"
    );
}

#[tokio::test]
async fn two_at_once_are_different_servers() {
    let base = base();
    let (a, b) = tokio::join!(start(&base), start(&base));
    let sql = "select system_identifier::text from pg_control_system()";
    let (a_url, b_url) = (a.url("postgres"), b.url("postgres"));
    assert_ne!(
        ask(&a_url, sql).await.unwrap(),
        ask(&b_url, sql).await.unwrap()
    );
}

#[tokio::test]
async fn refused_options_are_the_callers_error_and_leave_nothing() {
    let base = base();
    for (name, value) in [
        ("listen_addresses", "*"),
        ("no_such_setting", "1"),
        ("work_mem", "much"),
    ] {
        let result = builder(&base)
            .option(name, value)
            .start(&OpContext::default())
            .await;
        let error = result.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput, "{error:?}");
        assert!(error.chain().join("\n").contains(name), "{error:?}");
    }
    assert_nothing_left(&base);
    let server = builder(&base)
        .option("work_mem", "7MB")
        .durable()
        .start(&OpContext::default())
        .await
        .unwrap();
    let sql = "select concat(current_setting('work_mem'), ' ', current_setting('fsync'))";
    assert_eq!(ask(&server.url("postgres"), sql).await.unwrap(), "7MB on");
}

#[tokio::test]
async fn cancelled_and_late_starts_leave_nothing() {
    let base = base();
    let (stop, cancel) = Cancel::pair();
    let ctx = OpContext::new(cancel);
    let later = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        stop.cancel();
    };
    let (result, ()) = tokio::join!(builder(&base).start(&ctx), later);
    assert_eq!(result.unwrap_err().kind(), ErrorKind::Cancelled);
    assert_nothing_left(&base);

    let hurried = builder(&base).start_timeout(Duration::from_millis(200));
    let error = hurried.start(&OpContext::default()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert_nothing_left(&base);
}

#[tokio::test]
async fn a_crash_takes_every_process_and_dropping_cleans_up() {
    let base = base();
    let mut server = start(&base).await;
    let pid = postmaster(&server.data_dir());
    let mut session = PgConnection::connect(&server.url("postgres"))
        .await
        .unwrap();
    let sql = "select pg_backend_pid()";
    let backend: i32 = sqlx::query_scalar(sql)
        .fetch_one(&mut session)
        .await
        .unwrap();
    server.crash();
    assert!(is_gone(pid) && is_gone(Pid::from_raw(backend).unwrap()));
    assert!(session.ping().await.is_err());
    assert!(
        PgConnection::connect(&server.url("postgres"))
            .await
            .is_err()
    );
    drop(server);
    assert_nothing_left(&base);
}

#[tokio::test]
async fn a_temporary_directory_with_a_long_path_is_passed_over() {
    let base = base();
    let long = base.path().join("x".repeat(100));
    fs::create_dir(&long).unwrap();
    let mut env = ScratchEnv::from_process();
    env.temp_dir = Some(long.clone());
    let server = ScratchServer::builder()
        .env(env)
        .start(&OpContext::default())
        .await
        .unwrap();
    assert!(!server.socket_dir().starts_with(&long));
    let error = ScratchServer::builder()
        .base_dir(&long)
        .start(&OpContext::default())
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidInput);
}

#[tokio::test]
async fn the_harness_gives_every_test_its_own_database() {
    let (a, b) = tokio::join!(opskit_tests::database(), opskit_tests::database());
    a.psql("create table t (a int, b text); insert into t values (1, 'x'), (2, null)")
        .await;
    assert_eq!(a.psql("select * from t order by a").await, "1|x\n2|");
    assert_eq!(b.psql("select to_regclass('t') is null").await, "t");
    let (gone, server) = (a.name().to_owned(), opskit_tests::server().await);
    drop(a);
    assert!(PgConnection::connect(&server.url(&gone)).await.is_err());
    let latin = opskit_tests::database_with(
        "template template0 encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'",
    )
    .await;
    assert_eq!(latin.psql("show server_encoding").await, "LATIN1");
}
