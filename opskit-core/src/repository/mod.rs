//! A repository: a place that keeps backups, laid out by us. Here it is a local directory.

mod contents;
mod history;
mod id;
mod instant;
mod layout;
mod manifest;
mod objects;
mod origin;
mod pin;
mod prune;
mod reader;
mod remove;
pub mod retention;
mod verify;
mod writer;

pub(crate) use contents::CONTENTS_BYTES_MAX;
pub use contents::{
    CONTENTS_VERSION, Contents, DataFormat, Excluded, GitState, Holds, Marker, MigrationState,
    PartEntry, SequenceEntry, Source, TableEntry,
};
pub use history::{
    ChainFault, ChainFaultKind, DrillOutcome, DrillRecord, EVENT_VERSION, ForgetRecord, History,
    HistoryCheck, HistoryEntry, HistoryEvent, Link, NoteRecord, Overdue, PinAction, PinRecord,
    PruneRecord, RECORD_VERSION, RecordKind, RunError, RunRecord, RunStatus, Selection,
    VerifyOutcome, VerifyRecord,
};
pub use id::BackupId;
pub(crate) use instant::rfc3339;
pub(crate) use layout::SEALED;
pub use layout::{CLUSTER, FACTS, MODEL, POST_DATA, PRE_DATA};
pub(crate) use manifest::MANIFEST_BYTES_MAX;
pub use manifest::{BackupType, MANIFEST_VERSION, Manifest};
pub use origin::{Among, Origin};
pub use pin::{PIN_VERSION, Pin, PinRequest, Pins};
pub use prune::{Leftover, PrunePlan, PruneReport};
pub use reader::BackupReader;
pub use verify::{Fault, VerifyLevel, VerifyReport};
pub use writer::RepositorySink;

use crate::error::{Error, ErrorKind, Result, storage};
use crate::name::random_hex;
use crate::sink::make_private_directory;
use layout::{BACKUPS, HEADER, Root};
use manifest::{check_version, parse_json};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// The version of the layout.
pub const REPOSITORY_VERSION: u32 = 1;
/// The largest header that is read.
const HEADER_BYTES_MAX: u64 = 64 << 10;

/// What stands at the top of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    version: u32,
    id: String,
}

/// A directory of backups.
///
/// It reads and writes files, so async code calls it on a thread that may block.
///
/// ```
/// use opskit_core::repository::Repository;
/// let place = tempfile::tempdir().unwrap();
/// let repository = Repository::create(place.path().join("backups"))?;
/// assert_eq!(repository.backups()?, []);
/// assert_eq!(Repository::open(repository.path())?.id(), repository.id());
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Repository {
    path: PathBuf,
    root: Root,
    header: Header,
}

impl Repository {
    /// Opens the repository in a directory; makes it where there is none yet.
    ///
    /// ```
    /// # use opskit_core::repository::Repository;
    /// # let place = tempfile::tempdir().unwrap();
    /// let first = Repository::create(place.path().join("backups"))?;
    /// let again = Repository::create(place.path().join("backups"))?;
    /// assert_eq!(first.id(), again.id());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::open`]; of kind `Storage` when the directory holds other things, or cannot be made.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        if !path.join(HEADER).exists() {
            make(&path)?;
        }
        Self::open(path)
    }

    /// Opens the repository in a directory.
    ///
    /// ```
    /// use opskit_core::{ErrorKind, repository::Repository};
    /// # let place = tempfile::tempdir().unwrap();
    /// let error = Repository::open(place.path()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::NotFound);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is none, [`ErrorKind::Unsupported`] for one of a later
    /// version, [`ErrorKind::Damaged`] when its header cannot be understood.
    pub fn open(path: impl Into<PathBuf>) -> Result<Self> {
        let path = path.into();
        let none = || {
            Error::new(
                ErrorKind::NotFound,
                format!("\"{}\" is no repository", path.display()),
            )
            .with_hint("The first backup makes one; name another with --repo.")
        };
        let missing = |error: Error| match error.kind() {
            ErrorKind::NotFound => none(),
            _ => error,
        };
        let root = Root::open(&path).map_err(missing)?;
        let bytes = root.read(HEADER, HEADER_BYTES_MAX).map_err(missing)?;
        check_version(&bytes, REPOSITORY_VERSION, "the repository")?;
        let header = parse_json(&bytes, "the header of the repository")?;
        Ok(Self { path, root, header })
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its identity, which copies of it share.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.header.id
    }

    /// The directory of a backup.
    #[must_use]
    pub fn location(&self, id: &BackupId) -> PathBuf {
        self.path.join(BACKUPS).join(id.as_str())
    }

    /// The backups that are complete, the oldest first.
    ///
    /// ```no_run
    /// # fn example(repository: &opskit_core::repository::Repository) -> opskit_core::Result<()> {
    /// for id in repository.backups()? {
    ///     println!("{id} in {}", repository.location(&id).display());
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Of kind `Storage` when the directory cannot be read.
    pub fn backups(&self) -> Result<Vec<BackupId>> {
        let mut found = Vec::new();
        for id in self.runs()? {
            if self
                .root
                .has(&format!("{BACKUPS}/{id}/{}", layout::MANIFEST))
            {
                found.push(id);
            }
        }
        Ok(found)
    }

    /// The backup that is meant by its identity, or by `latest`, which must be of one database.
    /// [`Self::find_of`] says of which.
    ///
    /// ```
    /// use opskit_core::{ErrorKind, repository::Repository};
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// assert_eq!(repository.find("latest").unwrap_err().kind(), ErrorKind::NotFound);
    /// assert_eq!(repository.find("../x").unwrap_err().kind(), ErrorKind::InvalidInput);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::find_of`].
    pub fn find(&self, name: &str) -> Result<BackupId> {
        self.find_of(name, &Among::all())
    }

    /// The last of these, which are in order. Names tell seconds; within one the instants decide.
    fn last_of(&self, backups: &[BackupId]) -> Option<BackupId> {
        let last = backups.last()?;
        let second = last.started_at().ok();
        let rivals = backups.iter().rev();
        let rivals: Vec<_> = rivals
            .take_while(|id| id.started_at().ok() == second)
            .collect();
        if rivals.len() == 1 {
            return Some(last.clone());
        }
        let instant = |id: &BackupId| {
            let backup = self.read(id).ok()?;
            // Within one second, text in order is time in order, but for the Z after the fraction.
            Some(
                backup
                    .manifest()
                    .snapshot_at
                    .trim_end_matches('Z')
                    .to_owned(),
            )
        };
        let latest = rivals
            .into_iter()
            .max_by_key(|id| (instant(id), (*id).clone()));
        latest.cloned()
    }

    /// Opens a backup to read it.
    ///
    /// ```no_run
    /// # fn example(repository: &opskit_core::repository::Repository) -> opskit_core::Result<()> {
    /// let backup = repository.read(&repository.find("latest")?)?;
    /// for table in backup.contents()?.tables {
    ///     println!("{}: {} rows", table.name, table.rows);
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such backup, [`ErrorKind::Unsupported`] for one of a
    /// later version, [`ErrorKind::Damaged`] when its manifest cannot be understood.
    pub fn read(&self, id: &BackupId) -> Result<BackupReader> {
        let folder = self.root.folder(&format!("{BACKUPS}/{id}"))?;
        BackupReader::open(folder, id, self.id())
    }

    /// Removes what writers left that are provably gone, and tells which backups those were to be.
    ///
    /// ```
    /// # use opskit_core::repository::Repository;
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// assert_eq!(repository.sweep()?, []);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind `Storage` when the directory cannot be read.
    pub fn sweep(&self) -> Result<Vec<BackupId>> {
        writer::sweep(self)
    }

    /// Every directory of a run, complete or not, the oldest first.
    fn runs(&self) -> Result<Vec<BackupId>> {
        let folder = self.path.join(BACKUPS);
        let failed = |source| {
            storage(
                format!("cannot read directory \"{}\"", folder.display()),
                source,
            )
        };
        let entries = match std::fs::read_dir(&folder) {
            Ok(entries) => entries,
            Err(source) if source.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(source) => return Err(failed(source)),
        };
        let mut ids = Vec::new();
        for entry in entries {
            let name = entry.map_err(failed)?.file_name();
            // What else stands there is none of ours.
            ids.extend(name.to_str().and_then(|name| name.parse::<BackupId>().ok()));
        }
        ids.sort();
        Ok(ids)
    }
}

/// Makes a repository in a directory that is empty or does not exist.
fn make(path: &Path) -> Result<()> {
    let failed = |source| {
        storage(
            format!("cannot make a repository in \"{}\"", path.display()),
            source,
        )
    };
    // What stands above it is not ours alone.
    if let Some(above) = path.parent() {
        std::fs::create_dir_all(above).map_err(failed)?;
    }
    make_private_directory(path)?;
    let entries = std::fs::read_dir(path).map_err(failed)?;
    // A creation that was killed leaves nothing but a draft of the header.
    let draft = format!(".{HEADER}.");
    let foreign = |name: &std::ffi::OsStr| !name.to_string_lossy().starts_with(&draft);
    if entries.flatten().any(|entry| foreign(&entry.file_name())) {
        return Err(Error::new(
            ErrorKind::Storage,
            format!("\"{}\" is no repository, and not empty", path.display()),
        )
        .with_hint("Name an empty directory, or one that does not exist, with --repo."));
    }
    let header = Header {
        version: REPOSITORY_VERSION,
        id: format!("{}{}", random_hex(), random_hex()),
    };
    let text = serde_json::to_vec_pretty(&header).map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot write the header").with_source(source)
    })?;
    crate::sink::write_new(&path.join(HEADER), &text)
}
