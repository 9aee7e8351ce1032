//! A running scratch server.

use super::builder::ScratchBuilder;
use super::directory::{PORT, ScratchDir};
use super::env::ScratchEnv;
use super::locate::{ServerBinaries, ServerVersion};
use super::postmaster::Postmaster;
use crate::error::{Error, ErrorKind, Result, storage};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// Something that was wanted, is missing on this machine, and was replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Substitution {
    /// What was replaced, such as `locale`.
    pub setting: String,
    /// What was wanted.
    pub wanted: String,
    /// What was taken instead.
    pub used: String,
}

/// A running server that is stopped and removed when it is dropped.
///
/// Dropping it blocks until the server is gone, usually for some ten milliseconds;
/// [`ScratchServer::stop`] does not block and tells of failures.
#[derive(Debug)]
pub struct ScratchServer {
    // In this order, so that dropping stops the server before its directory goes.
    postmaster: Postmaster,
    dir: ScratchDir,
    binaries: ServerBinaries,
    substitutions: Vec<Substitution>,
    superuser: String,
}

impl ScratchServer {
    /// Chooses a server to start, with the environment of this process.
    ///
    /// ```
    /// let builder = opskit_core::scratch::ScratchServer::builder().option("work_mem", "64MB");
    /// ```
    #[must_use]
    pub fn builder() -> ScratchBuilder {
        ScratchBuilder::new(ScratchEnv::from_process())
    }

    pub(super) fn new(
        postmaster: Postmaster,
        dir: ScratchDir,
        binaries: ServerBinaries,
        substitutions: Vec<Substitution>,
        superuser: String,
    ) -> Self {
        Self {
            postmaster,
            dir,
            binaries,
            substitutions,
            superuser,
        }
    }

    /// The URL of a database of this server, for the superuser. It needs no password: only this
    /// user (and root) can reach the socket.
    ///
    /// ```no_run
    /// # fn show(server: &opskit_core::scratch::ScratchServer) {
    /// // postgresql:///shop?host=%2Ftmp%2Fopskit-x8Zq0aPw4T%2Fs&port=5432&user=postgres
    /// println!("{}", server.url("shop"));
    /// # }
    /// ```
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        url(database, &self.dir.socket(), &self.superuser)
    }

    /// The directory of the socket.
    #[must_use]
    pub fn socket_dir(&self) -> PathBuf {
        self.dir.socket()
    }

    /// The port, which is a part of the socket's name; there is no TCP listener.
    #[must_use]
    pub fn port(&self) -> u16 {
        PORT
    }

    /// The superuser.
    #[must_use]
    pub fn user(&self) -> &str {
        &self.superuser
    }

    /// The cluster's directory.
    #[must_use]
    pub fn data_dir(&self) -> PathBuf {
        self.dir.data()
    }

    /// The file the server logs into.
    #[must_use]
    pub fn log_file(&self) -> PathBuf {
        self.dir.log()
    }

    /// The server's version.
    #[must_use]
    pub fn version(&self) -> ServerVersion {
        self.binaries.version()
    }

    /// The binaries it runs.
    #[must_use]
    pub fn binaries(&self) -> &ServerBinaries {
        &self.binaries
    }

    /// What is not as it was wanted.
    ///
    /// ```no_run
    /// # fn example(server: &opskit_core::scratch::ScratchServer) {
    /// for change in server.substitutions() {
    ///     println!("{}: {} instead of {}", change.setting, change.used, change.wanted);
    /// }
    /// # }
    /// ```
    #[must_use]
    pub fn substitutions(&self) -> &[Substitution] {
        &self.substitutions
    }

    /// Ends every session, shuts the server down and removes its directory.
    ///
    /// # Errors
    ///
    /// `Storage` when the directory cannot be removed; the server is stopped all the same.
    ///
    /// ```no_run
    /// # async fn run(server: opskit_core::scratch::ScratchServer) -> opskit_core::Result<()> {
    /// server.stop().await
    /// # }
    /// ```
    pub async fn stop(mut self) -> Result<()> {
        let work = move || {
            self.postmaster.shut_down();
            let path = self.dir.path().display().to_string();
            self.dir
                .remove()
                .map_err(|e| storage(format!("cannot remove \"{path}\""), e))
        };
        tokio::task::spawn_blocking(work).await.map_err(|e| {
            Error::new(ErrorKind::Internal, "stopping the scratch server failed").with_source(e)
        })?
    }

    /// Kills the server and every process of it, as a power failure would. For tests of what
    /// happens to clients; the server cannot be used again, and its directory stays until it is
    /// dropped. As after every kill -9 of a Postgres, an empty System V segment of 56 bytes stays.
    ///
    /// ```no_run
    /// # fn pull_the_plug(server: &mut opskit_core::scratch::ScratchServer) {
    /// server.crash();
    /// # }
    /// ```
    pub fn crash(&mut self) {
        self.postmaster.crash(&self.dir);
    }
}

fn url(database: &str, socket_dir: &Path, user: &str) -> String {
    let mut url = String::from("postgresql:///");
    encode(&mut url, database.as_bytes());
    url.push_str("?host=");
    encode(&mut url, socket_dir.as_os_str().as_encoded_bytes());
    let _ = write!(url, "&port={PORT}&user=");
    encode(&mut url, user.as_bytes());
    url
}

/// Percent-encodes everything that may have a meaning in a URL.
fn encode(url: &mut String, bytes: &[u8]) {
    for byte in bytes {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                url.push(char::from(*byte));
            }
            _ => {
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_encode_what_has_a_meaning() {
        assert_eq!(
            url("a b/c?d", Path::new("/tmp/opskit-x/s"), "postgres"),
            "postgresql:///a%20b%2Fc%3Fd?host=%2Ftmp%2Fopskit-x%2Fs&port=5432&user=postgres"
        );
    }
}
