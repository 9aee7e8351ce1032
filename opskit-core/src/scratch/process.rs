//! The server processes of a directory: which they are, and stopping them.

use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

/// How long an orphaned server has to obey before it is killed.
const GRACE: Duration = Duration::from_secs(5);
const STEP: Duration = Duration::from_millis(10);

/// Stops every server process that works in `dir` and belongs to `uid`; true when none is left.
pub(super) fn stop_all(dir: &Path, uid: u32) -> bool {
    // QUIT first: a postmaster that is killed outright leaks its shared memory.
    [Signal::QUIT, Signal::KILL].into_iter().any(|signal| {
        signal_all(dir, uid, signal);
        wait_until(GRACE, || processes(dir, uid).is_empty())
    })
}

/// Sends `signal` to every server process that works in `dir` and belongs to `uid`.
pub(super) fn signal_all(dir: &Path, uid: u32, signal: Signal) {
    for pid in processes(dir, uid) {
        // It may be gone by now, which is what was wanted.
        let _ = kill_process(pid, signal);
    }
}

/// Waits until `done`, at most for `time`; tells whether it happened.
pub(super) fn wait_until(time: Duration, mut done: impl FnMut() -> bool) -> bool {
    let start = Instant::now();
    while !done() {
        if start.elapsed() > time {
            return false;
        }
        std::thread::sleep(STEP);
    }
    true
}

/// The server processes that work in `dir` and belong to `uid`.
///
/// Process ids that the server wrote down are not trusted: it may run code from a backup. What
/// counts is what the kernel says about a process.
fn processes(dir: &Path, uid: u32) -> Vec<Pid> {
    match fs::read_dir("/proc/self/fd") {
        Ok(_) => from_proc(dir, uid),
        Err(_) => from_ps(dir, uid).into_iter().collect(),
    }
}

fn from_proc(dir: &Path, uid: u32) -> Vec<Pid> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries
        .filter_map(|entry| {
            let pid = Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)?;
            let path = entry.path();
            let is_ours = entry.metadata().ok()?.uid() == uid
                && is_server(fs::read_to_string(path.join("comm")).ok()?.trim_end())
                && fs::read_link(path.join("cwd")).ok()?.starts_with(dir);
            is_ours.then_some(pid)
        })
        .collect()
}

/// Without `/proc`: the postmaster of the directory, if `ps` agrees that it is one.
fn from_ps(dir: &Path, uid: u32) -> Option<Pid> {
    let data = dir.join("data");
    let text = fs::read_to_string(data.join("postmaster.pid")).ok()?;
    let pid = Pid::from_raw(text.lines().next()?.parse().ok()?)?;
    let mut ps = Command::new("ps");
    ps.args([
        "-ww",
        "-o",
        "uid=,command=",
        "-p",
        &pid.as_raw_nonzero().to_string(),
    ]);
    let output = String::from_utf8(ps.output().ok()?.stdout).ok()?;
    let (owner, command) = output.trim().split_once(' ')?;
    let is_ours = owner.parse() == Ok(uid) && command.contains(&format!("-D {}", data.display()));
    is_ours.then_some(pid)
}

/// A user's own shell may stand in the directory, so the working directory alone is not enough.
fn is_server(comm: &str) -> bool {
    matches!(comm, "postgres" | "initdb")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_is_no_server_is_left_alone() {
        let dir = tempfile::tempdir().unwrap();
        let mut sleeper = Command::new("sleep")
            .arg("60")
            .current_dir(dir.path())
            .spawn()
            .unwrap();
        assert!(stop_all(dir.path(), rustix::process::geteuid().as_raw()));
        assert!(sleeper.try_wait().unwrap().is_none());
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
    }

    #[test]
    fn only_servers_of_the_directory_are_found() {
        let dir = tempfile::tempdir().unwrap();
        let other = tempfile::tempdir().unwrap();
        let program = dir.path().join("postgres");
        fs::copy("/bin/sleep", &program).unwrap();
        let mut posing = Command::new(&program)
            .arg("60")
            .current_dir(dir.path())
            .spawn()
            .unwrap();
        let uid = rustix::process::geteuid().as_raw();
        assert!(processes(other.path(), uid).is_empty());
        assert!(processes(dir.path(), uid + 1).is_empty());
        if cfg!(target_os = "linux") {
            let found = wait_until(GRACE, || {
                processes(dir.path(), uid) == [Pid::from_child(&posing)]
            });
            assert!(found);
        }
        posing.kill().unwrap();
        posing.wait().unwrap();
    }
}
