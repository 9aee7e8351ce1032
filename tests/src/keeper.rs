//! The process that owns the server of a test run and stops it when the run is over.

use crate::run::DATABASE;
use opskit_core::context::OpContext;
use opskit_core::error::Result;
use opskit_core::scratch::ScratchServer;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

/// Starts a server, writes its URL into the file `url`, calls `ready`, waits for the end of process
/// `watch`, stops the server and removes `url` and `turn`.
///
/// # Errors
///
/// Those of the server, and of writing the file.
pub async fn keep(watch: i32, url: &Path, turn: &Path, ready: impl FnOnce()) -> io::Result<()> {
    let watched = Watched::open(watch)?;
    if let Some(dir) = url.parent() {
        remove_stale(dir, url);
    }
    let server = start()
        .await
        .map_err(|e| io::Error::other(e.chain().join(": ")))?;
    let file = publish(url, &server.url(DATABASE))?;
    ready();
    tokio::task::spawn_blocking(move || watched.wait()).await??;
    let stopped = server.stop().await;
    for path in [url, turn] {
        fs::remove_file(path)?;
    }
    drop(file);
    stopped.map_err(io::Error::other)
}

async fn start() -> Result<ScratchServer> {
    let builder = ScratchServer::builder().option("max_connections", "200");
    builder.start(&OpContext::default()).await
}

/// Writes `text` into `path`, locked before it has its name.
fn publish(path: &Path, text: &str) -> io::Result<File> {
    let draft = path.with_extension("draft");
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.lock()?;
    file.write_all(text.as_bytes())?;
    fs::rename(draft, path)?;
    Ok(file)
}

/// Removes the files of runs whose keeper was killed.
fn remove_stale(dir: &Path, mine: &Path) {
    let entries = fs::read_dir(dir)
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path());
    for url in
        entries.filter(|path| path != mine && path.extension().is_some_and(|ext| ext == "url"))
    {
        if File::open(&url).is_ok_and(|file| file.try_lock().is_ok()) {
            // Another keeper may be doing the same.
            let _ = fs::remove_file(url.with_extension("turn"));
            let _ = fs::remove_file(url);
        }
    }
}

/// A process whose end can be waited for.
#[cfg(target_os = "linux")]
struct Watched(std::os::fd::OwnedFd);

#[cfg(target_os = "linux")]
impl Watched {
    fn open(pid: i32) -> io::Result<Self> {
        use rustix::process::{Pid, PidfdFlags, pidfd_open};
        let pid = Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?;
        Ok(Self(pidfd_open(pid, PidfdFlags::empty())?))
    }

    fn wait(self) -> io::Result<()> {
        use rustix::event::{PollFd, PollFlags, poll};
        while poll(&mut [PollFd::new(&self.0, PollFlags::IN)], None)? == 0 {}
        Ok(())
    }
}

/// A process whose end can be waited for.
#[cfg(not(target_os = "linux"))]
struct Watched(rustix::process::Pid);

#[cfg(not(target_os = "linux"))]
impl Watched {
    fn open(pid: i32) -> io::Result<Self> {
        Ok(Self(
            rustix::process::Pid::from_raw(pid).ok_or(io::ErrorKind::InvalidInput)?,
        ))
    }

    fn wait(self) -> io::Result<()> {
        while rustix::process::test_kill_process(self.0).is_ok() {
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        Ok(())
    }
}
