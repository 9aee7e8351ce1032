//! The private directory of a server, and the owner file that proves that it is ours and in use.
//!
//! ```text
//! opskit-<random>/     ours, 0700 (0710 when the server runs as another user)
//!   owner              ours, locked by the owner process as long as it lives
//!   log                ours, what the server says
//!   data/  s/          the server's, 0700: the cluster and its socket
//! ```
//!
//! The kernel releases the lock when the owner dies, however it dies. The owner file appears under
//! its name when it is complete and locked, so a sweep cannot take a directory that is being made.

use super::process;
use super::user::ServerUser;
use crate::error::{Error, ErrorKind, Result, storage};
use serde::{Deserialize, Serialize};
use std::fs::{self, File};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the names of our directories start with.
pub(super) const PREFIX: &str = "opskit-";
/// The name of the owner file.
pub(super) const OWNER: &str = "owner";
/// The only port: the socket's directory is private, so it can never be taken.
pub(super) const PORT: u16 = 5432;

const OWNER_DRAFT: &str = "owner.new";
const RANDOM_CHARS: usize = 10;
const FORMAT: u32 = 1;
/// The longest path of a Unix socket, less the final NUL.
const SOCKET_PATH_MAX: usize = if cfg!(target_os = "linux") { 107 } else { 103 };

/// What the owner file says.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Owner {
    /// The version of this file.
    opskit_scratch: u32,
    /// The random name of the directory it stands in.
    directory: String,
    /// The process that made it. For people: what counts is the lock.
    pid: u32,
    /// When, in seconds since 1970. For people.
    created: u64,
    /// The user whose processes may be stopped.
    pub(super) server_uid: u32,
}

impl Owner {
    /// Reads an owner file; `None` unless it is whole and belongs to the directory of this name.
    pub(super) fn parse(text: &str, directory: &str) -> Option<Self> {
        let owner: Self = serde_json::from_str(text).ok()?;
        (owner.opskit_scratch == FORMAT && owner.directory == directory).then_some(owner)
    }
}

/// The directory of a server. Dropping it stops what runs in it and removes it.
#[derive(Debug)]
pub(super) struct ScratchDir {
    path: PathBuf,
    server_uid: u32,
    /// Holds the lock.
    _owner: File,
}

impl ScratchDir {
    /// Makes a directory in the first of `bases` that suits.
    pub(super) fn create(bases: &[PathBuf], user: &ServerUser) -> Result<Self> {
        let suits = |base: &&PathBuf| fits(base) && user.can_reach(base);
        let Some(base) = bases.iter().find(suits) else {
            let tried: Vec<_> = bases
                .iter()
                .map(|base| format!("\"{}\"", base.display()))
                .collect();
            return Err(Error::new(
                ErrorKind::InvalidInput,
                format!("no scratch server can be made in {}", tried.join(", ")),
            )
            .with_hint("Choose a directory with a short path that the server's user can reach, such as /tmp."));
        };
        Self::create_in(base, user).map_err(|e| {
            storage(
                format!("cannot make a scratch directory in \"{}\"", base.display()),
                e,
            )
        })
    }

    fn create_in(base: &Path, user: &ServerUser) -> io::Result<Self> {
        let path = tempfile::Builder::new()
            .prefix(PREFIX)
            .rand_bytes(RANDOM_CHARS)
            .permissions(fs::Permissions::from_mode(0o700))
            .tempdir_in(base)?
            .keep();
        let made = lock(&path, user.uid).map(|owner| Self {
            path: path.clone(),
            server_uid: user.uid,
            _owner: owner,
        });
        let made = made.inspect_err(|_| {
            // Not ours by the owner file yet, so nobody else would ever remove it.
            let _ = fs::remove_file(path.join(OWNER_DRAFT));
            let _ = fs::remove_dir(&path);
        })?;
        user.let_through(&made.path)?;
        for dir in [made.data(), made.socket()] {
            fs::DirBuilder::new().mode(0o700).create(&dir)?;
            user.own(&dir)?;
        }
        Ok(made)
    }

    pub(super) fn data(&self) -> PathBuf {
        self.path.join("data")
    }

    pub(super) fn socket(&self) -> PathBuf {
        self.path.join("s")
    }

    pub(super) fn log(&self) -> PathBuf {
        self.path.join("log")
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn server_uid(&self) -> u32 {
        self.server_uid
    }

    /// Stops what still runs in the directory and removes it.
    pub(super) fn remove(&self) -> io::Result<()> {
        clear(&self.path, self.server_uid)
    }
}

impl Drop for ScratchDir {
    fn drop(&mut self) {
        // A failure cannot be told from here; the next sweep tries again.
        let _ = self.remove();
    }
}

/// Stops the server processes in `path` and removes what we put there, the owner file last: until
/// then another sweep can take over from a process that was killed in the middle.
pub(super) fn clear(path: &Path, server_uid: u32) -> io::Result<()> {
    process::stop_all(path, server_uid);
    for name in ["data", "s"] {
        retry(|| fs::remove_dir_all(path.join(name)))?;
    }
    for name in ["log", OWNER_DRAFT, OWNER] {
        absent_is_fine(fs::remove_file(path.join(name)))?;
    }
    absent_is_fine(fs::remove_dir(path))
}

/// A process on its way out may still write while its directory is being removed.
fn retry(remove: impl Fn() -> io::Result<()>) -> io::Result<()> {
    for _ in 0..50 {
        match absent_is_fine(remove()) {
            Err(e) if e.kind() == io::ErrorKind::DirectoryNotEmpty => {
                std::thread::sleep(Duration::from_millis(20));
            }
            result => return result,
        }
    }
    absent_is_fine(remove())
}

fn absent_is_fine(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result,
    }
}

/// Writes the owner file of `path` and locks it, before it has its name.
fn lock(path: &Path, server_uid: u32) -> io::Result<File> {
    let draft = path.join(OWNER_DRAFT);
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&draft)?;
    file.lock()?;
    let directory = path
        .file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned();
    let created = std::time::UNIX_EPOCH
        .elapsed()
        .unwrap_or_default()
        .as_secs();
    let owner = Owner {
        opskit_scratch: FORMAT,
        directory,
        pid: std::process::id(),
        created,
        server_uid,
    };
    file.write_all(serde_json::to_string(&owner)?.as_bytes())?;
    fs::rename(draft, path.join(OWNER))?;
    Ok(file)
}

/// Whether the socket of a server below `base` has a path short enough.
fn fits(base: &Path) -> bool {
    let socket = format!("/s/.s.PGSQL.{PORT}");
    base.as_os_str().len() + 1 + PREFIX.len() + RANDOM_CHARS + socket.len() <= SOCKET_PATH_MAX
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_bases_do_not_fit() {
        assert!(fits(Path::new("/tmp")));
        assert!(!fits(&PathBuf::from(format!("/{}", "x".repeat(80)))));
    }

    #[test]
    fn an_owner_file_counts_only_in_its_own_directory() {
        let text =
            r#"{"opskit_scratch":1,"directory":"opskit-a","pid":1,"created":2,"server_uid":3}"#;
        assert_eq!(Owner::parse(text, "opskit-a").unwrap().server_uid, 3);
        assert!(Owner::parse(text, "opskit-b").is_none());
        assert!(Owner::parse(&text[..20], "opskit-a").is_none());
        assert!(Owner::parse(&text.replace(":1,", ":9,"), "opskit-a").is_none());
    }
}
