//! The command as its users meet it: the real program, its streams, files and statuses.

mod backups;
mod config;
mod declared;
mod demo;
mod drill;
mod environment;
mod failures;
mod formats;
mod health;
mod help;
mod history;
mod hooks;
mod interrupted;
mod keys;
mod latest;
mod migrate;
mod repositories;
mod restore;
mod retention;
mod schema;
mod secrets;
mod service;
mod signals;
mod state;
mod stores;

use opskit_tests::TestDb;
use opskit_tests::secrets::{assert_arguments_keep, assert_files_keep, assert_kept};
use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

/// The program under test.
fn program() -> PathBuf {
    std::env::var_os("OPSKIT_BIN").map_or_else(|| opskit_tests::helper("opskit"), PathBuf::from)
}

/// A call of the program, in an environment that has nothing but `PATH`.
struct Call(Command);

impl Call {
    fn new(args: impl IntoIterator<Item = impl AsRef<OsStr>>) -> Self {
        let mut command = Command::new(program());
        command
            .args(args)
            .env_clear()
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        for name in ["PATH", "OPSKIT_PG_BIN", "LD_LIBRARY_PATH"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        Self(command)
    }

    /// `opskit export` from this database.
    fn export(db: &TestDb, args: &[&str]) -> Self {
        Self::new(["export"].iter().chain(args)).env("DATABASE_URL", &db.url())
    }

    fn env(mut self, name: &str, value: &str) -> Self {
        self.0.env(name, value);
        self
    }

    fn within(mut self, directory: &Path) -> Self {
        self.0.current_dir(directory);
        self
    }

    fn stdout(mut self, to: impl Into<Stdio>) -> Self {
        self.0.stdout(to);
        self
    }

    fn spawn(mut self) -> Child {
        self.0.spawn().unwrap()
    }

    /// Runs it to its end. Whatever it is called for, no secret comes out of it.
    fn run(mut self) -> Ended {
        let child = self.0.spawn().unwrap();
        let process = child.id();
        let ended = std::thread::spawn(move || child.wait_with_output().unwrap());
        assert_arguments_keep(process, || ended.is_finished());
        let output = ended.join().unwrap();
        assert_kept("standard output", &output.stdout);
        assert_kept("standard error", &output.stderr);
        self.repositories()
            .iter()
            .for_each(|it| assert_files_keep(it));
        Ended(output)
    }

    /// The repositories in the directory that it works in.
    fn repositories(&self) -> Vec<PathBuf> {
        let Some(here) = self.0.get_current_dir() else {
            return Vec::new();
        };
        let entries = std::fs::read_dir(here).unwrap();
        let folders = entries.filter_map(|entry| Some(entry.ok()?.path()));
        let is_one = |folder: &PathBuf| folder.join("opskit-repository.json").exists();
        folders.filter(is_one).collect()
    }
}

/// What an ended call left.
struct Ended(Output);

impl Ended {
    fn out(&self) -> String {
        String::from_utf8(self.0.stdout.clone()).unwrap()
    }

    fn err(&self) -> String {
        String::from_utf8(self.0.stderr.clone()).unwrap()
    }

    fn status(&self) -> i32 {
        self.0.status.code().unwrap()
    }

    #[track_caller]
    fn code(self, expected: i32) -> Self {
        let code = self.0.status.code();
        assert_eq!(
            code,
            Some(expected),
            "{}\n{}",
            self.err(),
            String::from_utf8_lossy(&self.0.stdout)
        );
        self
    }

    /// The one document on standard output.
    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_slice(&self.0.stdout)
            .unwrap_or_else(|e| panic!("{e}: {}\n{}", self.out(), self.err()))
    }

    /// Whether it says this on standard error.
    #[track_caller]
    fn says(self, words: &str) -> Self {
        let err = self.err();
        assert!(err.contains(words), "\"{words}\" is not in: {err}");
        self
    }
}

/// The names in a directory, hidden ones too.
fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

/// A database with the table `public.t` of 1,000 rows and the table `public."Odd.Name"` of one.
async fn sample() -> TestDb {
    let db = opskit_tests::database().await;
    db.psql(
        "create table t (id int primary key, amount numeric(12,2), name text, at timestamptz, tags text[], doc jsonb); \
         insert into t select i, i / 4.0, case when i % 3 > 0 then E'a,\"b\"\\n' || i end, \
           timestamptz '2026-01-01' + i * interval '1 hour', array['x', null, i::text], jsonb_build_object('i', i) \
           from generate_series(1, 1000) i; \
         create table \"Odd.Name\" (\"Größe, \"\"x\"\"\" numeric(4,2), grid int[]); \
         insert into \"Odd.Name\" values ('NaN', '{{1,2},{3,4}}')",
    )
    .await;
    db
}

/// A directory with a repository `backups`, and what the backup that was made of `db` there told.
fn backed_up(db: &TestDb, more: &[&str]) -> (tempfile::TempDir, Value) {
    let place = tempfile::tempdir().unwrap();
    let args = ["backup", "--json"].iter().chain(more);
    let call = Call::new(args).env("DATABASE_URL", &db.url());
    let report = call.within(place.path()).run().code(0).json();
    (place, report)
}

/// Flips a byte in the middle of a file of the latest backup whose name ends so, and gives its name.
fn damage(place: &Path, end: &str) -> String {
    let folder = place.join("backups/backups");
    let id = names(&folder).pop().unwrap();
    let mut found = Vec::new();
    let mut folders = vec![folder.join(id)];
    while let Some(folder) = folders.pop() {
        for name in names(&folder) {
            let path = folder.join(name);
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(end) {
                found.push(path);
            }
        }
    }
    let [path] = &found[..] else {
        panic!("{end} is {found:?}")
    };
    let mut bytes = std::fs::read(path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(path, bytes).unwrap();
    path.file_name().unwrap().to_str().unwrap().to_owned()
}

/// A URL where nothing answers.
const NOWHERE: &str = "postgresql://ann@127.0.0.1:1/x?sslmode=disable";
