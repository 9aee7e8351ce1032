//! Removing what processes that died left behind.

use super::directory::{OWNER, Owner, PREFIX, clear};
use super::env::ScratchEnv;
use super::server::ScratchServer;
use crate::error::{Error, ErrorKind, Result};
use rustix::fs::{Mode, OFlags, Stat, fstat, open, openat};
use std::fs::{File, TryLockError};
use std::io::Read as _;
use std::path::{Path, PathBuf};

/// The longest owner file that is read.
const OWNER_MAX_BYTES: u64 = 4096;

/// What a sweep did.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct SweepReport {
    /// Directories of dead owners: their servers are stopped, they are gone.
    pub removed: Vec<PathBuf>,
    /// Directories whose owner lives.
    pub in_use: Vec<PathBuf>,
    /// Directories that are named like ours and were not touched, and why.
    pub left_alone: Vec<(PathBuf, String)>,
}

/// Stops the servers and removes the directories in `base` whose owner process is gone.
///
/// Only what carries an owner file that this user wrote is touched, and only after its lock was
/// taken, so any number of sweeps and starts may run at once. Every start of a server sweeps first.
/// It blocks; [`ScratchServer::sweep`] is for asynchronous callers.
///
/// ```
/// let base = tempfile::tempdir().unwrap();
/// std::fs::create_dir(base.path().join("opskit-not-ours")).unwrap();
/// let report = opskit_core::scratch::sweep(base.path());
/// assert!(report.removed.is_empty());
/// assert_eq!(report.left_alone.len(), 1);
/// ```
#[must_use]
pub fn sweep(base: &Path) -> SweepReport {
    let mut report = SweepReport::default();
    let base = base.canonicalize().unwrap_or_else(|_| base.to_owned());
    for entry in std::fs::read_dir(&base).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
            continue;
        };
        let path = base.join(name);
        match sweep_one(&path, name) {
            Outcome::Removed => report.removed.push(path),
            Outcome::InUse => report.in_use.push(path),
            Outcome::Gone => {}
            Outcome::LeftAlone(why) => report.left_alone.push((path, why)),
        }
    }
    report
}

impl ScratchServer {
    /// [`sweep`]s every directory in which servers are made by default.
    ///
    /// ```no_run
    /// # async fn run() -> opskit_core::Result<()> {
    /// let report = opskit_core::scratch::ScratchServer::sweep().await?;
    /// println!("removed {} left-over servers", report.removed.len());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn sweep() -> Result<SweepReport> {
        sweep_bases(ScratchEnv::from_process().bases()).await
    }
}

/// [`sweep`] for several directories, off the asynchronous threads.
pub(super) async fn sweep_bases(bases: Vec<PathBuf>) -> Result<SweepReport> {
    let work = move || {
        bases.iter().fold(SweepReport::default(), |mut all, base| {
            let one = sweep(base);
            all.removed.extend(one.removed);
            all.in_use.extend(one.in_use);
            all.left_alone.extend(one.left_alone);
            all
        })
    };
    tokio::task::spawn_blocking(work).await.map_err(|e| {
        Error::new(ErrorKind::Internal, "sweeping scratch directories failed").with_source(e)
    })
}

enum Outcome {
    Removed,
    InUse,
    Gone,
    LeftAlone(String),
}

fn sweep_one(path: &Path, name: &str) -> Outcome {
    let (mut file, owner_uid) = match open_owner(path) {
        Ok(opened) => opened,
        Err(why) => return Outcome::LeftAlone(why),
    };
    match file.try_lock() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Outcome::InUse,
        Err(TryLockError::Error(e)) => {
            return Outcome::LeftAlone(format!("its owner file cannot be locked: {e}"));
        }
    }
    // Another sweep may have finished between our opening the file and our locking it.
    match fstat(&file) {
        Ok(stat) if stat.st_nlink == 1 && stat.st_uid == owner_uid => {}
        Ok(stat) if stat.st_nlink == 0 => return Outcome::Gone,
        _ => return Outcome::LeftAlone("its owner file has other names".to_owned()),
    }
    let mut text = String::new();
    let read = file
        .by_ref()
        .take(OWNER_MAX_BYTES)
        .read_to_string(&mut text);
    let Some(owner) = read.ok().and_then(|_| Owner::parse(&text, name)) else {
        return Outcome::LeftAlone("its owner file is not one of ours".to_owned());
    };
    match clear(path, owner.server_uid) {
        Ok(()) => Outcome::Removed,
        Err(e) => Outcome::LeftAlone(format!("it cannot be removed: {e}")),
    }
}

/// Opens the owner file of `path` if both are real and this user's, following no link.
fn open_owner(path: &Path) -> std::result::Result<(File, u32), String> {
    let me = rustix::process::geteuid().as_raw();
    let no_owner = |e: rustix::io::Errno| format!("it has no owner file: {e}");
    let is_mine = |stat: &Stat| stat.st_uid == me;
    let flags = OFlags::NOFOLLOW | OFlags::CLOEXEC;
    let dir = open(
        path,
        flags | OFlags::DIRECTORY | OFlags::RDONLY,
        Mode::empty(),
    )
    .map_err(|e| format!("it is not a directory that can be opened: {e}"))?;
    if !fstat(&dir).is_ok_and(|stat| is_mine(&stat)) {
        return Err("it belongs to another user".to_owned());
    }
    // NONBLOCK: opening a pipe of that name must not wait for its other end.
    let file = openat(
        &dir,
        OWNER,
        flags | OFlags::RDONLY | OFlags::NONBLOCK,
        Mode::empty(),
    )
    .map_err(no_owner)?;
    let stat = fstat(&file).map_err(no_owner)?;
    let is_file = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_file();
    match is_file && is_mine(&stat) {
        true => Ok((File::from(file), me)),
        false => Err("its owner file belongs to another user, or is no file".to_owned()),
    }
}
