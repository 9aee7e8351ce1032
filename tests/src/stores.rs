//! Servers of object stores that nobody here wrote. They come with the Python of the tests
//! (`OPSKIT_TEST_PYTHON`) and with `scripts/azurite.sh` (`OPSKIT_TEST_AZURITE`).
#![expect(clippy::unwrap_used, reason = "everything here is part of a test")]
#![expect(clippy::print_stdout, reason = "tests tell what they skipped")]

use opskit_core::repository::{RepositoryUrl, StoreEnv};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// The bucket that each server has.
const BUCKET: &str = "box";
/// What is signed with.
const KEY_ID: &str = "OPSKITTESTS";
const SECRET: &str = "s3cret-of-the-tests";
/// The account that every Azurite knows, with its published key.
const ACCOUNT: &str = "devstoreaccount1";
const ACCOUNT_KEY: &str =
    "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";
/// What none of opskit's words may hold.
pub(crate) const SECRETS: [&str; 2] = [SECRET, ACCOUNT_KEY];
/// How long a server may take to start on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that ends with the test, however the test ends.
#[derive(Debug)]
pub struct StoreServer {
    /// Its name, for messages.
    pub name: &'static str,
    /// The URL of a repository but for its prefix: `before`, then the prefix, then `after`.
    before: String,
    after: String,
    vars: Vec<(&'static str, String)>,
    child: Child,
    _place: TempDir,
}

impl StoreServer {
    /// All servers that are there; what is missing is told.
    pub fn all() -> Vec<Self> {
        let started = [Self::rclone(), Self::moto(), Self::azurite()];
        started.into_iter().flatten().collect()
    }

    /// `rclone serve s3`: it checks signatures, and ignores conditional requests.
    pub fn rclone() -> Option<Self> {
        let program = beside_python("rclone")?;
        let place = tempfile::tempdir().unwrap();
        std::fs::create_dir(place.path().join(BUCKET)).unwrap();
        let port = free_port();
        let command = format!(
            "{} serve s3 --addr 127.0.0.1:{port} --auth-key {KEY_ID},{SECRET} {}",
            program.display(),
            place.path().display()
        );
        Some(Self::s3("rclone", &command, port, place))
    }

    /// `moto_server`: it keeps to conditional requests.
    pub fn moto() -> Option<Self> {
        let program = beside_python("moto_server")?;
        let place = tempfile::tempdir().unwrap();
        let port = free_port();
        let command = format!("{} -H 127.0.0.1 -p {port}", program.display());
        let server = Self::s3("moto", &command, port, place);
        let script = format!(
            "import urllib.request as u; u.urlopen(u.Request('http://127.0.0.1:{port}/{BUCKET}', method='PUT'))"
        );
        run_python(&script);
        Some(server)
    }

    /// Azurite, of the npm package of that name.
    pub fn azurite() -> Option<Self> {
        let Some(program) = std::env::var_os("OPSKIT_TEST_AZURITE") else {
            println!("OPSKIT_TEST_AZURITE is not set: Azurite is not asked");
            return None;
        };
        let place = tempfile::tempdir().unwrap();
        let port = free_port();
        let command = format!(
            "{} --silent --inMemoryPersistence --disableTelemetry --skipApiVersionCheck --blobPort {port}",
            PathBuf::from(program).display()
        );
        let child = start(&command, port, &place);
        let make = include_str!("azure_container.py");
        run_python(&format!(
            "{make}\nmake('http://127.0.0.1:{port}', '{ACCOUNT}', '{ACCOUNT_KEY}', '{BUCKET}')"
        ));
        Some(Self {
            name: "azurite",
            before: format!("az://{BUCKET}/"),
            after: format!("?account={ACCOUNT}&endpoint=http://127.0.0.1:{port}/{ACCOUNT}"),
            vars: vec![("AZURE_STORAGE_ACCOUNT_KEY", ACCOUNT_KEY.to_owned())],
            child,
            _place: place,
        })
    }

    fn s3(name: &'static str, command: &str, port: u16, place: TempDir) -> Self {
        Self {
            name,
            before: format!("s3://{BUCKET}/"),
            after: format!("?endpoint=http://127.0.0.1:{port}"),
            vars: vec![
                ("AWS_ACCESS_KEY_ID", KEY_ID.to_owned()),
                ("AWS_SECRET_ACCESS_KEY", SECRET.to_owned()),
            ],
            child: start(command, port, &place),
            _place: place,
        }
    }

    /// The text of a repository's URL.
    pub fn text(&self, prefix: &str) -> String {
        format!("{}{prefix}{}", self.before, self.after)
    }

    /// A repository's URL.
    pub fn url(&self, prefix: &str) -> RepositoryUrl {
        let env = StoreEnv::from_vars(self.vars.clone());
        RepositoryUrl::parse(&self.text(prefix), &env).unwrap()
    }

    /// What the command needs in its environment.
    pub fn vars(&self) -> &[(&'static str, String)] {
        &self.vars
    }

    /// What must not be in anything that is told.
    pub fn secrets(&self) -> Vec<String> {
        let secret =
            |(name, value): &(&str, String)| (!name.ends_with("_ID")).then(|| value.clone());
        self.vars.iter().filter_map(secret).collect()
    }
}

impl Drop for StoreServer {
    fn drop(&mut self) {
        // The shell in between ends the server when its input ends.
        drop(self.child.stdin.take());
        let _ = self.child.wait();
    }
}

/// Starts a server below a shell that ends it when this process is gone.
fn start(command: &str, port: u16, place: &TempDir) -> Child {
    let script = format!("{command} </dev/null & pid=$!; cat; kill -9 $pid; wait");
    let log = std::fs::File::create(place.path().join(".log")).unwrap();
    let mut child = Command::new("sh")
        .args(["-c", &script])
        .env("HOME", place.path())
        .current_dir(place.path())
        .stdin(Stdio::piped())
        .stdout(log.try_clone().unwrap())
        .stderr(log)
        .spawn()
        .unwrap();
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err() {
        if Instant::now() > end {
            drop(child.stdin.take());
            let log = std::fs::read_to_string(place.path().join(".log")).unwrap_or_default();
            panic!("{command} does not answer: {log}");
        }
        // Nobody tells when a port is opened.
        std::thread::sleep(Duration::from_millis(20));
    }
    child
}

fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.local_addr().unwrap().port()
}

/// A program of the Python environment of the tests.
fn beside_python(name: &str) -> Option<PathBuf> {
    let Some(python) = std::env::var_os("OPSKIT_TEST_PYTHON") else {
        println!("OPSKIT_TEST_PYTHON is not set: {name} is not asked");
        return None;
    };
    Some(PathBuf::from(python).with_file_name(name))
}

fn run_python(script: &str) {
    let python = std::env::var_os("OPSKIT_TEST_PYTHON").unwrap_or_else(|| "python3".into());
    let output = Command::new(python).args(["-c", script]).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
}
