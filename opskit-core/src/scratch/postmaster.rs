//! The server process: started as our child, watched until it answers, stopped for certain.

use super::directory::ScratchDir;
use super::env::ScratchEnv;
use super::initdb::failure;
use super::locate::ServerBinaries;
use super::process::{signal_all, wait_until};
use super::user::ServerUser;
use crate::error::{Result, storage};
use rustix::process::{Pid, Signal, kill_process};
use std::fs;
use std::io::{Read as _, Seek as _, SeekFrom};
use std::os::unix::fs::OpenOptionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, ExitStatus};
use std::time::Duration;

/// How often the status file is read while the server starts.
const POLL: Duration = Duration::from_millis(10);
/// How long each way of asking may take before the next, rougher one.
const PATIENCE: Duration = Duration::from_secs(10);
/// How much of the end of the log goes into an error.
const LOG_TAIL_BYTES: i64 = 8192;

/// A running postmaster. Dropping it stops it at once.
#[derive(Debug)]
pub(super) struct Postmaster(Child);

impl Postmaster {
    /// Starts the server of `dir` and waits until it takes connections.
    pub(super) async fn start(
        dir: &ScratchDir,
        binaries: &ServerBinaries,
        user: &ServerUser,
        env: &ScratchEnv,
    ) -> Result<Self> {
        let mut postmaster = Self::spawn(dir, binaries, user, env).map_err(|e| {
            storage(
                format!("cannot run the server in \"{}\"", binaries.dir().display()),
                e,
            )
        })?;
        let status_file = dir.data().join("postmaster.pid");
        let mut tick = tokio::time::interval(POLL);
        loop {
            tick.tick().await;
            if let Some(status) = postmaster.exited() {
                let what = format!("the scratch server did not start ({status})");
                return Err(failure(&what, &log_tail(&dir.log())));
            }
            if is_ready(&fs::read_to_string(&status_file).unwrap_or_default()) {
                return Ok(postmaster);
            }
        }
    }

    fn spawn(
        dir: &ScratchDir,
        binaries: &ServerBinaries,
        user: &ServerUser,
        env: &ScratchEnv,
    ) -> std::io::Result<Self> {
        let log = fs::OpenOptions::new()
            .append(true)
            .create_new(true)
            .mode(0o600)
            .open(dir.log())?;
        let mut command = user.command(&binaries.dir().join("postgres"), env);
        command.current_dir(dir.data()).arg("-D").arg(dir.data());
        command.stdout(log.try_clone()?).stderr(log);
        // A Ctrl-C in the terminal is for us: the server is stopped when we are done with it.
        command.process_group(0);
        command.spawn().map(Self)
    }

    /// Ends every session and shuts down in order.
    pub(super) fn shut_down(&mut self) {
        self.end_with([Signal::INT, Signal::QUIT]);
    }

    /// Kills the server and all its processes as a power failure would.
    pub(super) fn crash(&mut self, dir: &ScratchDir) {
        // The postmaster first, so that it cannot clean up after its children.
        let _ = self.0.kill();
        signal_all(dir.path(), dir.server_uid(), Signal::KILL);
        let _ = self.0.wait();
    }

    fn end_with<const N: usize>(&mut self, signals: [Signal; N]) {
        for signal in signals {
            if self.exited().is_some() {
                return;
            }
            // Not reaped yet, so the process id is still this child's.
            let _ = kill_process(Pid::from_child(&self.0), signal);
            if wait_until(PATIENCE, || self.exited().is_some()) {
                return;
            }
        }
        let _ = self.0.kill();
        let _ = self.0.wait();
    }

    fn exited(&mut self) -> Option<ExitStatus> {
        self.0.try_wait().ok().flatten()
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        // Immediate shutdown: the cluster is removed anyway, so nothing has to be written.
        self.end_with([Signal::QUIT]);
    }
}

/// Whether `postmaster.pid` says that connections are taken: its eighth line is the status.
fn is_ready(status: &str) -> bool {
    status
        .lines()
        .nth(7)
        .is_some_and(|line| line.trim_end() == "ready")
}

fn log_tail(log: &Path) -> String {
    let read = || {
        let mut file = fs::File::open(log)?;
        if file.seek(SeekFrom::End(-LOG_TAIL_BYTES)).is_err() {
            file.rewind()?;
        }
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    String::from_utf8_lossy(&read().unwrap_or_default()).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readiness_is_the_eighth_line() {
        let text = "1\n/d\n2\n5432\n/s\n\n  3  4\nready   \n";
        assert!(is_ready(text));
        assert!(!is_ready(&text.replace("ready   ", "starting")));
        assert!(!is_ready("1\n/d\n"));
    }

    #[test]
    fn the_tail_of_a_short_log_is_all_of_it() {
        let log = tempfile::NamedTempFile::new().unwrap();
        fs::write(log.path(), "a\nb\n").unwrap();
        assert_eq!(log_tail(log.path()), "a\nb\n");
        assert_eq!(log_tail(Path::new("/nowhere")), "");
    }
}
