//! Finding Postgres server binaries on this machine.

use super::env::ScratchEnv;
use super::user::ServerUser;
use crate::error::{Error, ErrorKind, Result};
use std::fmt;
use std::path::{Path, PathBuf};
use std::process::Command;

/// What a directory must hold to be one of server binaries; some distributions hold nothing more.
const REQUIRED: [&str; 3] = ["postgres", "initdb", "pg_ctl"];

/// Where packages put server binaries; `*` stands for one path component or a part of it.
const USUAL: [&str; 8] = [
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/lib/postgresql*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/usr/local/pgsql/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
    "/Library/PostgreSQL/*/bin",
];

/// The version of a server, such as 15.13.
///
/// ```
/// use opskit_core::scratch::ServerVersion;
/// let version = ServerVersion { major: 15, minor: 13 };
/// assert_eq!(version.num(), 150013);
/// assert_eq!(version.to_string(), "15.13");
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ServerVersion {
    /// The major version, such as 15.
    pub major: u16,
    /// The minor version; 0 for development versions, betas and release candidates.
    pub minor: u16,
}

impl ServerVersion {
    /// The version as `server_version_num` has it.
    ///
    /// ```
    /// use opskit_core::scratch::ServerVersion;
    /// assert_eq!(ServerVersion { major: 18, minor: 0 }.num(), 180000);
    /// ```
    #[must_use]
    pub const fn num(self) -> u32 {
        self.major as u32 * 10_000 + self.minor as u32
    }

    /// Reads what `postgres --version` prints.
    fn parse(text: &str) -> Option<Self> {
        let version = text
            .strip_prefix("postgres (PostgreSQL) ")?
            .split_whitespace()
            .next()?;
        let digits = |text: &str| {
            text.chars()
                .take_while(char::is_ascii_digit)
                .collect::<String>()
        };
        let (major, rest) = version.split_once('.').unwrap_or((version, "0"));
        Some(Self {
            major: digits(major).parse().ok()?,
            minor: digits(rest).parse().ok()?,
        })
    }
}

impl fmt::Display for ServerVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.major, self.minor)
    }
}

/// A directory of server binaries that run here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerBinaries {
    dir: PathBuf,
    version: ServerVersion,
}

impl ServerBinaries {
    /// The binaries in `bin_dir`; without it those in [`ScratchEnv::pg_bin`]; without that the
    /// newest that [`ServerBinaries::all`] finds.
    ///
    /// # Errors
    ///
    /// `NotFound` when there are none, `Unsupported` when those asked for do not run.
    ///
    /// ```
    /// use opskit_core::scratch::{ScratchEnv, ServerBinaries};
    /// use std::path::Path;
    /// let error = ServerBinaries::locate(Some(Path::new("/nowhere")), &ScratchEnv::default()).unwrap_err();
    /// assert_eq!(error.kind().as_str(), "not-found");
    /// ```
    pub fn locate(bin_dir: Option<&Path>, env: &ScratchEnv) -> Result<Self> {
        Self::locate_as(bin_dir, env, &ServerUser::choose(None)?)
    }

    /// All binaries [`ScratchEnv::pg_bin`], `pg_config`, `PATH` and the usual package directories lead to, newest first.
    ///
    /// ```no_run
    /// use opskit_core::scratch::{ScratchEnv, ServerBinaries};
    /// for binaries in ServerBinaries::all(&ScratchEnv::from_process())? {
    ///     println!("{} in {}", binaries.version(), binaries.dir().display());
    /// }
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    pub fn all(env: &ScratchEnv) -> Result<Vec<Self>> {
        Ok(Self::all_as(env, &ServerUser::choose(None)?))
    }

    /// Where they are.
    #[must_use]
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Their version.
    #[must_use]
    pub fn version(&self) -> ServerVersion {
        self.version
    }

    /// [`ServerBinaries::locate`] for a known user.
    pub(super) fn locate_as(
        bin_dir: Option<&Path>,
        env: &ScratchEnv,
        user: &ServerUser,
    ) -> Result<Self> {
        if let Some(dir) = bin_dir.or(env.pg_bin.as_deref()) {
            return Self::examine(dir, env, user);
        }
        Self::all_as(env, user).into_iter().next().ok_or_else(|| {
            Error::new(ErrorKind::NotFound, "no Postgres server binaries were found on this machine").with_hint(
                "Install a server (Debian, Ubuntu: apt-get install postgresql; macOS: brew install postgresql), \
                 or set OPSKIT_PG_BIN to the directory that holds initdb and postgres.",
            )
        })
    }

    fn all_as(env: &ScratchEnv, user: &ServerUser) -> Vec<Self> {
        let mut found: Vec<Self> = Vec::new();
        for dir in candidates(env, user) {
            if let Ok(binaries) = Self::examine(&dir, env, user)
                && !found.iter().any(|known| known.dir == binaries.dir)
            {
                found.push(binaries);
            }
        }
        // Stable: of equal versions, the one found first.
        found.sort_by_key(|binaries| std::cmp::Reverse(binaries.version));
        found
    }

    /// Checks that `dir` holds the required binaries and that the server user can run them.
    fn examine(dir: &Path, env: &ScratchEnv, user: &ServerUser) -> Result<Self> {
        let dir = resolve(dir);
        if let Some(missing) = REQUIRED.iter().find(|name| !dir.join(name).is_file()) {
            return Err(Error::new(
                ErrorKind::NotFound,
                format!("\"{}\" has no \"{missing}\"", dir.display()),
            )
            .with_hint("Name the directory that holds the server's initdb, postgres and pg_ctl."));
        }
        let does_not_run = |why: String| {
            Error::new(
                ErrorKind::Unsupported,
                format!("\"{}\" does not run as {}: {why}", dir.join("postgres").display(), user.name()),
            )
            .with_hint("Make the server binaries and every directory above them executable for that user, or name others with OPSKIT_PG_BIN.")
        };
        let output = user
            .command(&dir.join("postgres"), env)
            .arg("--version")
            .output()
            .map_err(|e| does_not_run(e.to_string()))?;
        let version = ServerVersion::parse(&String::from_utf8_lossy(&output.stdout));
        match version {
            Some(version) if output.status.success() => Ok(Self { dir, version }),
            _ => Err(does_not_run(
                String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            )),
        }
    }
}

/// The directory in which the binaries of `dir` really are, so that a directory of links and its
/// target count once.
fn resolve(dir: &Path) -> PathBuf {
    let real = dir.join("postgres").canonicalize().ok();
    match real.as_deref().and_then(Path::parent) {
        Some(real) if REQUIRED.iter().all(|name| real.join(name).is_file()) => real.to_owned(),
        _ => dir.to_owned(),
    }
}

fn candidates(env: &ScratchEnv, user: &ServerUser) -> Vec<PathBuf> {
    let path: Vec<PathBuf> = env
        .path
        .iter()
        .flat_map(std::env::split_paths)
        .filter(|dir| dir.is_absolute())
        .collect();
    let config = path
        .iter()
        .map(|dir| dir.join("pg_config"))
        .find(|file| file.is_file());
    let mut dirs: Vec<PathBuf> = config
        .and_then(|program| bindir(user.command(&program, env)))
        .into_iter()
        .collect();
    dirs.extend(env.pg_bin.clone());
    dirs.extend(path);
    dirs.extend(USUAL.iter().flat_map(|pattern| expand(pattern)));
    dirs.retain(|dir| dir.join("postgres").is_file());
    dirs
}

/// What `pg_config --bindir` answers.
fn bindir(mut pg_config: Command) -> Option<PathBuf> {
    let output = pg_config
        .arg("--bindir")
        .output()
        .ok()
        .filter(|output| output.status.success())?;
    let dir = PathBuf::from(String::from_utf8(output.stdout).ok()?.trim_end());
    dir.is_absolute().then_some(dir)
}

/// The directories that match `pattern`.
fn expand(pattern: &str) -> Vec<PathBuf> {
    let mut dirs = vec![PathBuf::from("/")];
    for component in pattern.split('/').filter(|component| !component.is_empty()) {
        dirs = match component.split_once('*') {
            None => dirs.into_iter().map(|dir| dir.join(component)).collect(),
            Some((prefix, suffix)) => dirs
                .iter()
                .flat_map(|dir| matching(dir, prefix, suffix))
                .collect(),
        };
    }
    dirs
}

fn matching(dir: &Path, prefix: &str, suffix: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .filter(|entry| {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            name.len() >= prefix.len() + suffix.len()
                && name.starts_with(prefix)
                && name.ends_with(suffix)
        })
        .map(|entry| entry.path())
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_from_every_spelling() {
        let parse = |text: &str| ServerVersion::parse(text).map(ServerVersion::num);
        assert_eq!(
            parse("postgres (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)\n"),
            Some(150_013)
        );
        assert_eq!(parse("postgres (PostgreSQL) 18beta1\n"), Some(180_000));
        assert_eq!(parse("postgres (PostgreSQL) 17.0"), Some(170_000));
        assert_eq!(parse("postgres (EnterpriseDB) 17.0"), None);
        assert_eq!(parse(""), None);
    }

    #[test]
    fn patterns_match_parts_of_a_component() {
        let root = tempfile::tempdir().unwrap();
        for dir in ["pgsql-15/bin", "pgsql-16/bin", "other/bin"] {
            std::fs::create_dir_all(root.path().join(dir)).unwrap();
        }
        let mut found = expand(&format!("{}/pgsql-*/bin", root.path().display()));
        found.sort();
        assert_eq!(
            found,
            [
                root.path().join("pgsql-15/bin"),
                root.path().join("pgsql-16/bin")
            ]
        );
    }
}
