//! A repository: a place that keeps backups, laid out by us.

mod contents;
mod copy;
mod history;
mod id;
mod instant;
mod joined;
mod keyring;
mod keys;
mod layout;
mod manifest;
mod origin;
mod pin;
mod prune;
mod reader;
pub mod retention;
mod sealed;
mod signed;
mod store;
mod url;
mod verify;
mod writer;

pub(crate) use contents::CONTENTS_BYTES_MAX;
pub use contents::{
    CONTENTS_VERSION, Contents, DataFormat, Excluded, GitState, Holds, Marker, MigrationState,
    PartEntry, SequenceEntry, Source, TableEntry,
};
pub use copy::{CopyOutcome, CopyReport};
pub use history::{
    ChainFault, ChainFaultKind, DrillOutcome, DrillRecord, EVENT_VERSION, ForgetRecord, History,
    HistoryCheck, HistoryEntry, HistoryEvent, Link, NoteRecord, Overdue, PinAction, PinRecord,
    PruneRecord, RECORD_VERSION, RecordKind, RunError, RunRecord, RunStatus, Selection,
    VerifyOutcome, VerifyRecord,
};
pub use id::BackupId;
pub(crate) use instant::{parse_rfc3339, rfc3339};
pub use keyring::{ENCRYPTION_VERSION, Encryption, Keyring};
pub use keys::{BackupKeys, KeyCheck, Others, RekeyReport};
pub(crate) use layout::SEALED;
pub use layout::{CLUSTER, FACTS, MODEL, POST_DATA, PRE_DATA};
pub(crate) use manifest::MANIFEST_BYTES_MAX;
pub use manifest::{BackupType, MANIFEST_VERSION, Manifest};
pub use origin::{Among, Origin};
pub use pin::{PIN_VERSION, Pin, PinRequest, Pins};
pub use prune::{Leftover, PrunePlan, PruneReport};
pub use reader::BackupReader;
pub use signed::SignReport;
#[cfg(feature = "testing")]
pub(crate) use store::{Backend, Terms};
pub use url::{RepositoryUrl, StoreEnv};
pub use verify::{Fault, VerifyLevel, VerifyReport};
pub use writer::RepositorySink;

use crate::error::{Error, ErrorKind, Result};
use crate::name::random_hex;
use layout::{BACKUPS, HEADER, PROBE_PREFIX, STORE_RECORD};
use manifest::{check_version, parse_json};
use serde::{Deserialize, Serialize};
use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use store::Store;

/// The version of the layout.
pub const REPOSITORY_VERSION: u32 = 1;
/// The largest header that is read.
const HEADER_BYTES_MAX: u64 = 64 << 10;

/// How many backups of a store that is far away are looked at at the same time.
const AT_ONCE: usize = 8;

/// What stands at the top of a repository.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Header {
    version: u32,
    id: String,
}

/// A place that keeps backups. A clone is another handle to it.
///
/// It reads and writes files, and waits for a store that is elsewhere, so async code calls it on a thread
/// that may block.
///
/// ```
/// use opskit_core::repository::Repository;
/// let place = tempfile::tempdir().unwrap();
/// let repository = Repository::create(place.path().join("backups"))?;
/// assert_eq!(repository.backups()?, []);
/// assert_eq!(Repository::open(place.path().join("backups"))?.id(), repository.id());
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Repository {
    store: Arc<dyn Store>,
    header: Header,
    keyring: Arc<Keyring>,
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
        Self::create_at(&RepositoryUrl::directory(path))
    }

    /// The same wherever it is.
    ///
    /// ```
    /// use opskit_core::repository::{Repository, RepositoryUrl};
    /// let repository = Repository::create_at(&RepositoryUrl::memory())?;
    /// assert_eq!(repository.place(), "memory:");
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::create`].
    pub fn create_at(url: &RepositoryUrl) -> Result<Self> {
        Self::create_as(url, &format!("{}{}", random_hex(), random_hex()))
    }

    /// The same, with this identity where it is made.
    fn create_as(url: &RepositoryUrl, id: &str) -> Result<Self> {
        let made = url.make().and_then(|store| Self::create_in(store, id));
        made.map_err(|error| at(error, url))
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
        Self::open_at(&RepositoryUrl::directory(path))
    }

    /// The same wherever it is.
    ///
    /// ```
    /// use opskit_core::{ErrorKind, repository::{Repository, RepositoryUrl}};
    /// let error = Repository::open_at(&RepositoryUrl::memory()).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::NotFound);
    /// ```
    ///
    /// # Errors
    /// As [`Self::open`].
    pub fn open_at(url: &RepositoryUrl) -> Result<Self> {
        let store = url
            .open()
            .map_err(|error| none_for(error, &url.to_string()))?;
        Self::open_in(store).map_err(|error| at(error, url))
    }

    /// Seals and opens backups with these keys.
    #[must_use]
    pub fn with_keyring(mut self, keyring: Keyring) -> Self {
        self.keyring = Arc::new(keyring);
        self
    }

    /// The keys that backups are sealed and opened with.
    #[must_use]
    pub fn keyring(&self) -> &Keyring {
        &self.keyring
    }

    /// Waits for what is cleaned up behind the scenes: parts that were given up, a backup that was not
    /// committed. Nothing has to: the last handle does, for some seconds.
    ///
    /// ```
    /// # use opskit_core::repository::{Repository, RepositoryUrl};
    /// let repository = Repository::create_at(&RepositoryUrl::memory())?;
    /// repository.settle()?;
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind `Internal` when its thread has stopped.
    pub fn settle(&self) -> Result<()> {
        self.store.settle()
    }

    /// What the store has of a backup, for tests.
    #[cfg(feature = "testing")]
    pub(crate) fn raw_objects(&self, id: &BackupId) -> Result<Vec<(String, Vec<u8>)>> {
        let folder = format!("{BACKUPS}/{id}");
        let names = self.store.objects(&folder)?.into_iter();
        let read = |name: String| {
            let bytes = self.store.read(&format!("{folder}/{name}"), u64::MAX)?;
            Ok((name, bytes))
        };
        names.map(read).collect()
    }

    /// The most that each file takes in memory while it is written.
    pub(crate) fn upload_bytes(&self) -> usize {
        self.store.upload_bytes()
    }

    /// What the user should know of the place, once something was written.
    pub(crate) fn warning(&self) -> Option<String> {
        self.store.warning()
    }

    fn create_in(store: Arc<dyn Store>, id: &str) -> Result<Self> {
        if let [true] = store.taken(&[HEADER.to_owned()])?[..] {
            return Self::open_in(store);
        }
        match make(&*store, id) {
            Ok(()) => Self::open_in(store),
            // Somebody else was faster.
            Err(error) => Self::open_in(store).map_err(|_| error),
        }
    }

    fn open_in(store: Arc<dyn Store>) -> Result<Self> {
        let bytes = store.read(HEADER, HEADER_BYTES_MAX);
        let bytes = bytes.map_err(|error| none_for(error, store.place()))?;
        check_version(&bytes, REPOSITORY_VERSION, "the repository")?;
        let header = parse_json(&bytes, "the header of the repository")?;
        Ok(Self {
            store,
            header,
            keyring: Arc::default(),
        })
    }

    /// Where it is, for people: a path, or a URL without any secret.
    ///
    /// ```
    /// # use opskit_core::repository::Repository;
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path())?;
    /// assert_eq!(repository.place(), place.path().to_str().unwrap());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    #[must_use]
    pub fn place(&self) -> &str {
        self.store.place()
    }

    /// The directory that it is, where it is one.
    #[must_use]
    pub fn directory(&self) -> Option<&Path> {
        self.store.directory()
    }

    /// Its identity, which copies of it share.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.header.id
    }

    /// Where a backup is, for people: a path, or a URL without any secret.
    ///
    /// ```
    /// # use opskit_core::repository::{BackupId, Repository};
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path())?;
    /// let id: BackupId = "20261121T013000Z-7f3a9c2e".parse()?;
    /// assert!(repository.location(&id).ends_with("/backups/20261121T013000Z-7f3a9c2e"));
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    #[must_use]
    pub fn location(&self, id: &BackupId) -> String {
        let place = self.place();
        let (path, query) = match place.split_once('?') {
            Some((path, query)) if self.directory().is_none() => (path, format!("?{query}")),
            _ => (place, String::new()),
        };
        format!("{}/{BACKUPS}/{id}{query}", path.trim_end_matches('/'))
    }

    /// The backups that are complete, the oldest first.
    ///
    /// ```no_run
    /// # fn example(repository: &opskit_core::repository::Repository) -> opskit_core::Result<()> {
    /// for id in repository.backups()? {
    ///     println!("{id} in {}", repository.location(&id));
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// Of kind `Storage` when the directory cannot be read.
    pub fn backups(&self) -> Result<Vec<BackupId>> {
        let runs = self.runs()?;
        let manifest = |id| format!("{BACKUPS}/{id}/{}", layout::MANIFEST);
        let manifests: Vec<String> = runs.iter().map(manifest).collect();
        let there = self.store.taken(&manifests)?;
        let complete = runs.into_iter().zip(there).filter(|(_, there)| *there);
        Ok(complete.map(|(id, _)| id).collect())
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
        BackupReader::open(self, id)
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
        let mut swept = Vec::new();
        for id in self.runs()? {
            if self.sweep_one(&id) {
                swept.push(id);
            }
        }
        Ok(swept)
    }

    /// The same for one backup. What cannot be removed now is removed later.
    fn sweep_one(&self, id: &BackupId) -> bool {
        self.store.sweep(id).unwrap_or_else(|error| {
            tracing::warn!(%error, %id, "what a run left could not be removed");
            false
        })
    }

    /// Does something for each, mostly a backup; where a store is far away, for several at a time.
    fn each<I, T>(&self, items: Vec<I>, work: impl Fn(I) -> T + Sync) -> Vec<T>
    where
        I: Clone + Sync,
        T: Send,
    {
        if self.directory().is_some() {
            return items.into_iter().map(work).collect();
        }
        let work = &work;
        let mut done = Vec::new();
        for some in items.chunks(AT_ONCE) {
            std::thread::scope(|scope| {
                let threads = some
                    .iter()
                    .map(|item| scope.spawn(move || work(item.clone())));
                let threads: Vec<_> = threads.collect();
                let ends = threads.into_iter().map(|thread| thread.join());
                done.extend(ends.map(|end| end.unwrap_or_else(|panic| resume_unwind(panic))));
            });
        }
        done
    }

    /// Every run, complete or not, the oldest first.
    fn runs(&self) -> Result<Vec<BackupId>> {
        let names = self.store.entries(BACKUPS)?;
        // What else stands there is none of ours.
        let mut ids: Vec<BackupId> = names.iter().filter_map(|name| name.parse().ok()).collect();
        ids.sort();
        Ok(ids)
    }
}

/// Runs what may block on a thread that may.
pub(crate) async fn apart<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|source| {
        Error::new(ErrorKind::Internal, "a thread of the repository stopped").with_source(source)
    })?
}

fn none_for(error: Error, place: &str) -> Error {
    match error.kind() {
        ErrorKind::NotFound => {
            Error::new(ErrorKind::NotFound, format!("\"{place}\" is no repository"))
                .with_hint("The first backup makes one; name another with --repo.")
        }
        _ => error,
    }
}

/// Says of which place an error of a store is, which names objects only.
fn at(error: Error, url: &RepositoryUrl) -> Error {
    match (url.as_directory(), error.kind()) {
        (None, ErrorKind::Storage | ErrorKind::PermissionDenied) => {
            error.while_doing(format!("cannot use repository \"{url}\""))
        }
        _ => error,
    }
}

/// Makes a repository where there is nothing else.
fn make(store: &dyn Store, id: &str) -> Result<()> {
    // A creation that was killed leaves a draft of the header, or what it found out about the server.
    let drafts = [&format!(".{HEADER}."), PROBE_PREFIX, STORE_RECORD];
    let foreign = |name: &String| !drafts.iter().any(|draft| name.starts_with(draft));
    let entries = store.entries("")?;
    if entries.iter().any(foreign) {
        return Err(Error::new(
            ErrorKind::Storage,
            format!("\"{}\" is no repository, and not empty", store.place()),
        )
        .with_hint("Name an empty place, or one that does not exist, with --repo."));
    }
    let header = Header {
        version: REPOSITORY_VERSION,
        id: id.to_owned(),
    };
    let text = serde_json::to_vec_pretty(&header).map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot write the header").with_source(source)
    })?;
    store.create(HEADER, &text)
}
