//! The secrets that this suite gives to opskit, and where it looks for them: in all that the program prints, in the
//! arguments of the programs that it starts, in the clear files that it leaves, in events and in errors.

use crate::stores;
use std::fmt;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use tracing_subscriber::EnvFilter;

/// The password in the URL of every database of the suite. Its server takes any.
pub const PASSWORD: &str = "pa55-of-the-suite";
/// The words of every test that has a passphrase.
pub const PASSPHRASE: &str = "geheime-worte-17";

/// What key files hold: how a secret key of age starts, and a signing key of Ed25519.
const KEYS: [&str; 2] = ["AGE-SECRET-KEY-1", "MC4CAQAwBQYDK2VwBCIEI"];
/// A file of a backup that is larger holds rows.
const CLEAR_FILE_BYTES_MAX: u64 = 4 << 20;

/// The secret that is in these bytes.
#[must_use]
pub fn told_by(bytes: &[u8]) -> Option<&'static str> {
    let all = [PASSWORD, PASSPHRASE].into_iter().chain(KEYS);
    let mut all = all.chain(stores::SECRETS);
    all.find(|secret| holds(bytes, secret.as_bytes()))
}

fn holds(bytes: &[u8], word: &[u8]) -> bool {
    bytes.windows(word.len()).any(|part| part == word)
}

/// # Panics
///
/// When a secret is told.
#[track_caller]
pub fn assert_kept(what: impl fmt::Display, bytes: &[u8]) {
    if let Some(secret) = told_by(bytes) {
        panic!(
            "{what} tells {secret:?}: {}",
            String::from_utf8_lossy(bytes)
        );
    }
}

/// The same for an error, in every form that it has; gives back what it got.
///
/// # Errors
///
/// The one that it got.
///
/// # Panics
///
/// When a secret is told.
#[track_caller]
pub fn looked_at<T>(result: opskit_core::Result<T>) -> opskit_core::Result<T> {
    if let Err(error) = &result {
        assert_error_keeps(error);
    }
    result
}

#[track_caller]
fn assert_error_keeps(error: &opskit_core::Error) {
    let told = format!("{error:?}\n{error:#?}\n{}", error.chain().join("\n"));
    let hint = error.hint().unwrap_or_default();
    assert_kept("an error", format!("{told}\n{hint}").as_bytes());
}

/// The same for all that stands in the clear below a directory.
///
/// # Panics
///
/// When a secret is told.
#[track_caller]
pub fn assert_files_keep(root: &Path) {
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        // What is removed meanwhile tells nothing.
        let Ok(entries) = fs::read_dir(folder) else {
            continue;
        };
        for path in entries.filter_map(|entry| Some(entry.ok()?.path())) {
            match path.symlink_metadata() {
                Ok(found) if found.is_dir() => folders.push(path),
                Ok(found) if found.is_file() && found.len() <= CLEAR_FILE_BYTES_MAX => {
                    let bytes = fs::read(&path).unwrap_or_default();
                    assert_kept(path.display(), &bytes);
                }
                _ => {}
            }
        }
    }
}

/// Looks at what is in the list of processes below one, for as long as `is_over` says no.
///
/// # Panics
///
/// When a program that another one started got a secret as an argument.
#[track_caller]
pub fn assert_arguments_keep(of: u32, mut is_over: impl FnMut() -> bool) {
    while !is_over() {
        for child in children(of) {
            let arguments = fs::read(proc(child, "cmdline")).unwrap_or_default();
            assert_kept("an argument of a child", &arguments);
        }
        // Nobody tells when a process is started.
        std::thread::sleep(std::time::Duration::from_millis(3));
    }
}

/// The processes below one.
fn children(of: u32) -> Vec<u32> {
    let mut all = Vec::new();
    let mut parents = vec![of];
    while let Some(parent) = parents.pop() {
        let Ok(threads) = fs::read_dir(proc(parent, "task")) else {
            continue;
        };
        for thread in threads.flatten() {
            let told = fs::read_to_string(thread.path().join("children")).unwrap_or_default();
            let own = told.split_whitespace().filter_map(|id| id.parse().ok());
            let own: Vec<u32> = own.collect();
            parents.extend(&own);
            all.extend(own);
        }
    }
    all
}

fn proc(process: u32, file: &str) -> PathBuf {
    Path::new("/proc").join(process.to_string()).join(file)
}

/// Looks at every event of the library, and of those below it, from now on.
pub(crate) fn watch_events() {
    let subscriber = tracing_subscriber::fmt()
        .with_env_filter(EnvFilter::new(
            "opskit_core=trace,sqlx=debug,object_store=debug",
        ))
        .with_writer(|| Lines)
        .with_ansi(false)
        .finish();
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Takes lines of the log, and keeps none.
struct Lines;

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if let Some(secret) = told_by(bytes) {
            // A panic would end a task of the library, and nobody might see it.
            let _ = writeln!(
                io::stderr(),
                "an event tells {secret:?}: {}",
                String::from_utf8_lossy(bytes)
            );
            std::process::abort();
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_found_wherever_it_stands() {
        assert_eq!(told_by(b"nothing"), None);
        let line = format!("cannot connect to postgresql://ann:{PASSWORD}@db");
        assert_eq!(told_by(line.as_bytes()), Some(PASSWORD));
        let place = tempfile::tempdir().unwrap();
        fs::create_dir(place.path().join("history")).unwrap();
        let file = place.path().join("history/x.json");
        fs::write(&file, "{}").unwrap();
        assert_files_keep(place.path());
        fs::write(&file, line).unwrap();
        let looked = std::panic::catch_unwind(|| assert_files_keep(place.path()));
        assert!(looked.is_err());
    }

    #[test]
    fn an_argument_of_a_child_of_a_child_is_seen() {
        let script = format!("exec 3<&0; sh -c 'read x <&3' {PASSWORD} & wait");
        let mut shell = std::process::Command::new("sh")
            .args(["-c", &script, "outer"])
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        let (id, mut looks) = (shell.id(), 0);
        let looked = std::panic::catch_unwind(move || {
            assert_arguments_keep(id, || {
                looks += 1;
                looks > 1_000
            });
        });
        drop(shell.stdin.take());
        let _ = shell.wait();
        assert!(looked.is_err());
    }
}
