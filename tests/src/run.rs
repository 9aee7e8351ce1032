//! Finding the server of this test run, or starting its keeper.

use crate::secrets::{PASSWORD, watch_events};
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::Read as _;
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::os::unix::process::{CommandExt as _, parent_id};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// What stands for the name of the database in the URL that the keeper tells.
pub(crate) const DATABASE: &str = "DATABASE";

/// The server of this test run.
#[derive(Debug)]
pub struct TestServer {
    url: String,
}

impl TestServer {
    /// The URL of one of its databases, for the superuser. It has a password, so that something is to be kept.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        let url = self.url.replace(DATABASE, database);
        format!("{url}&password={PASSWORD}")
    }
}

/// The server of this test run, started by whoever asks first.
///
/// # Panics
///
/// When it cannot be started.
pub async fn server() -> &'static TestServer {
    static SERVER: OnceLock<TestServer> = OnceLock::new();
    watch_events();
    let get =
        || SERVER.get_or_init(|| join_run().unwrap_or_else(|e| panic!("no test server: {e}")));
    tokio::task::spawn_blocking(get)
        .await
        .expect("the test server can be had")
}

/// The path of a helper program of this crate.
///
/// # Panics
///
/// When it was not built.
#[must_use]
pub fn helper(name: &str) -> PathBuf {
    // Test binaries are in `deps`, one below the programs.
    let exe = std::env::current_exe().expect("the test binary has a path");
    let found = exe
        .ancestors()
        .skip(1)
        .take(2)
        .map(|dir| dir.join(name))
        .find(|path| path.is_file());
    found.unwrap_or_else(|| panic!("{name} is not built: run `cargo build -p opskit-tests --bins`"))
}

fn join_run() -> Result<TestServer, String> {
    let files =
        RunFiles::of_this_run().map_err(|e| format!("cannot make the run's directory: {e}"))?;
    // Whoever comes second waits here until the first has started the keeper.
    let turn = OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o600)
        .open(&files.turn);
    let turn = turn.map_err(|e| format!("cannot open {}: {e}", files.turn.display()))?;
    turn.lock().map_err(|e| e.to_string())?;
    let url = match kept(&files.url) {
        Some(url) => url,
        None => start_keeper(&files)?,
    };
    Ok(TestServer { url })
}

/// The files through which the processes of a run find its server.
struct RunFiles {
    /// Locked by whoever looks for the server.
    turn: PathBuf,
    /// Holds the URL; locked by the keeper.
    url: PathBuf,
    /// The process with which the run ends.
    watch: u32,
}

impl RunFiles {
    fn of_this_run() -> std::io::Result<Self> {
        let dir = std::env::temp_dir().join(format!(
            "opskit-runs.{}",
            rustix::process::geteuid().as_raw()
        ));
        fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(&dir)?;
        // Under nextest the run is the parent's; otherwise it is this process.
        let (run, watch) = match std::env::var("NEXTEST_RUN_ID") {
            Ok(id) => (id, parent_id()),
            Err(_) => (std::process::id().to_string(), std::process::id()),
        };
        Ok(Self {
            turn: dir.join(format!("{run}.turn")),
            url: dir.join(format!("{run}.url")),
            watch,
        })
    }
}

/// The URL in `file`, if its keeper lives.
fn kept(file: &Path) -> Option<String> {
    let mut file = File::open(file).ok()?;
    match file.try_lock_shared() {
        Err(TryLockError::WouldBlock) => {}
        _ => return None,
    }
    let mut url = String::new();
    file.read_to_string(&mut url).ok()?;
    Some(url)
}

fn start_keeper(files: &RunFiles) -> Result<String, String> {
    let mut command = Command::new(helper("opskit-test-server"));
    command
        .arg("keep")
        .arg(files.watch.to_string())
        .arg(&files.url)
        .arg(&files.turn);
    // Nothing of ours may stay open in it, and a Ctrl-C is not for it: it ends when the run ends.
    command
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .process_group(0);
    let mut keeper = command
        .spawn()
        .map_err(|e| format!("cannot run the keeper: {e}"))?;
    let mut said = String::new();
    if let Some(mut stdout) = keeper.stdout.take() {
        stdout
            .read_to_string(&mut said)
            .map_err(|e| e.to_string())?;
    }
    kept(&files.url).ok_or_else(|| format!("the keeper said: {said}"))
}
