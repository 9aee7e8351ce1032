//! What scratch servers take from the process environment, read in one place.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// The environment of a scratch server as plain values.
///
/// Nothing else of the environment reaches the server: it runs code from backups, and variables
/// hold secrets.
///
/// ```
/// use opskit_core::scratch::ScratchEnv;
/// let mut env = ScratchEnv::default();
/// env.pg_bin = Some("/opt/pg17/bin".into());
/// assert!(env.path.is_none());
/// ```
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ScratchEnv {
    /// `OPSKIT_PG_BIN`: the directory of the server binaries, instead of searching for them.
    pub pg_bin: Option<PathBuf>,
    /// `PATH`.
    pub path: Option<OsString>,
    /// `TMPDIR`: where server directories are made, `/tmp` when it is unset or unsuitable.
    pub temp_dir: Option<PathBuf>,
    /// `LD_LIBRARY_PATH`, which some relocated server builds need.
    pub library_path: Option<OsString>,
}

impl ScratchEnv {
    /// Reads the environment of this process.
    ///
    /// ```
    /// let env = opskit_core::scratch::ScratchEnv::from_process();
    /// assert!(env.path.is_some());
    /// ```
    #[must_use]
    pub fn from_process() -> Self {
        let var = |name| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            pg_bin: var("OPSKIT_PG_BIN").map(PathBuf::from),
            path: var("PATH"),
            temp_dir: var("TMPDIR").map(PathBuf::from),
            library_path: var("LD_LIBRARY_PATH"),
        }
    }

    /// The directories in which server directories are made, best first, symlinks resolved.
    pub(super) fn bases(&self) -> Vec<PathBuf> {
        let mut bases: Vec<PathBuf> = Vec::new();
        for base in self
            .temp_dir
            .as_deref()
            .into_iter()
            .chain([Path::new("/tmp")])
        {
            if let Ok(base) = base.canonicalize()
                && !bases.contains(&base)
            {
                bases.push(base);
            }
        }
        bases
    }
}
