//! Writing a backup: no reader sees it before its manifest is there.

use super::layout::{BACKUPS, DATA_PREFIX, check_object_name};
use super::sealed::{Object, Sealing};
use super::store::{Claim, Store, Upload};
use super::{BackupId, Encryption, Keyring, Repository, apart};
use crate::error::{Result, storage};
use crate::seal::DataKey;
use crate::sink::{
    BackupSink, FileFormat, IpcLayout, PartFiles, PartHeader, PartReceipt, PartWriter, RowForm,
    Rows, StoredObject, stored_object,
};
use async_trait::async_trait;
use std::collections::HashSet;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};

/// Receives one backup into a repository.
///
/// The backup is visible once [`commit`](BackupSink::commit) wrote the manifest. Until then something stands
/// for its writer that ends with it: in a directory a locked file, elsewhere a lease that is renewed. What a
/// writer left that was killed is removed by the next backup.
///
/// Rows are encoded, and waited for where a store is slow, on the thread that calls
/// [`PartWriter::write`].
///
/// ```
/// # tokio::runtime::Runtime::new().unwrap().block_on(async {
/// use opskit_core::repository::{BackupId, Repository, RepositorySink};
/// use opskit_core::sink::{BackupSink, FileFormat};
/// let place = tempfile::tempdir().unwrap();
/// let repository = Repository::create(place.path().join("backups"))?;
/// let id: BackupId = "20261121T013000Z-7f3a9c2e".parse()?;
/// let sink = RepositorySink::begin(&repository, &id, FileFormat::PgCopy(1))?;
/// sink.put_object("schema/model", b"{}").await?;
/// assert_eq!(repository.backups()?, []);
/// drop(sink);
/// assert!(!place.path().join("backups/backups").join(id.as_str()).exists());
/// # Ok::<(), opskit_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct RepositorySink {
    pub(super) writing: Arc<Writing>,
    pub(super) encryption: Option<Encryption>,
    pub(super) format: FileFormat,
    /// What the names of this writer's parts end with, where others may write the same parts.
    pub(super) suffix: Option<String>,
    /// The parts that were started: what is started again may have left a file that it has no values for.
    pub(super) started: Mutex<HashSet<String>>,
}

/// A backup that is being written. A writer may outlive its sink for a moment, on its thread; what it
/// writes must still go away.
#[derive(Debug)]
pub(super) struct Writing {
    pub(super) store: Arc<dyn Store>,
    /// What the names of its objects start with.
    pub(super) folder: String,
    pub(super) claim: Box<dyn Claim>,
    pub(super) sealing: Option<Sealing>,
    pub(super) keyring: Arc<Keyring>,
}

impl Writing {
    /// An object that seals itself, where the backup is sealed.
    fn plain(&self, name: &str) -> Result<Object> {
        self.upload(name).map(Object::Plain)
    }

    fn object(&self, name: &str) -> Result<Object> {
        match &self.sealing {
            Some(sealing) => sealing.seal(self.upload(name)?, name),
            None => self.plain(name),
        }
    }

    fn upload(&self, name: &str) -> Result<Box<dyn Upload>> {
        self.store.upload(&format!("{}/{name}", self.folder))
    }

    /// Stores what the manifest does not tell.
    fn beside(&self, name: &str, bytes: &[u8]) -> Result<()> {
        self.store.create(&format!("{}/{name}", self.folder), bytes)
    }

    /// Signs the manifest, and makes it visible: nobody sees it without its signature.
    fn commit(&self, manifest: &[u8]) -> Result<()> {
        if let Some((name, signature)) = self.keyring.sign(manifest) {
            self.beside(&name, &signature)?;
        }
        self.claim.commit(manifest)
    }

    /// Makes a data key, and stores it wrapped for everybody who may read the backup.
    fn seal(&mut self, repository: &Repository, id: &BackupId) -> Result<()> {
        let failed = |source| storage("cannot make a key", source);
        let key = DataKey::random().map_err(failed)?;
        let of = [repository.id(), id.as_str()];
        for (name, wrapped) in self.keyring.wrap(&key, &of)? {
            self.beside(&name, &wrapped)?;
        }
        self.sealing = Some(Sealing::new(key, repository.id(), id));
        Ok(())
    }
}

impl RepositorySink {
    /// Starts a backup. It may wait for the store, so async code calls it on a thread that may block.
    ///
    /// # Errors
    /// Of kind `Storage` when the repository cannot be written, or has such a backup already;
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) when backups are to be signed and the key for it is
    /// not at hand.
    pub fn begin(repository: &Repository, id: &BackupId, format: FileFormat) -> Result<Self> {
        repository.keyring.check_signing()?;
        let store = Arc::clone(&repository.store);
        let mut writing = Writing {
            claim: store.claim(id)?,
            folder: format!("{BACKUPS}/{id}"),
            store,
            sealing: None,
            keyring: Arc::clone(&repository.keyring),
        };
        if repository.keyring.seals() {
            repository.refuse_strangers()?;
            writing.seal(repository, id)?;
        }
        Ok(Self {
            encryption: repository.keyring.encryption(),
            writing: Arc::new(writing),
            format,
            suffix: None,
            started: Mutex::default(),
        })
    }

    /// What the manifest must tell of the encryption.
    #[must_use]
    pub fn encryption(&self) -> Option<&Encryption> {
        self.encryption.as_ref()
    }

    /// Makes way for a part: what an earlier try left of it goes.
    async fn make_way(&self, stem: &str, [main, side]: &[String; 2]) -> Result<()> {
        let first = {
            let mut started = self.started.lock().unwrap_or_else(PoisonError::into_inner);
            started.insert(stem.to_owned())
        };
        if first {
            return Ok(());
        }
        let writing = Arc::clone(&self.writing);
        let side = format!("{}/{side}", writing.folder);
        let main = format!("{}/{main}", writing.folder);
        apart(move || {
            writing.store.remove(&main)?;
            writing.store.remove(&side)
        })
        .await
    }
}

#[async_trait]
impl BackupSink for RepositorySink {
    fn row_form(&self) -> RowForm {
        self.format.row_form()
    }

    async fn open_part(&self, header: PartHeader) -> Result<Box<dyn PartWriter>> {
        self.writing.claim.check()?;
        let table = header.table.to_path();
        let suffix = self.suffix.as_deref().unwrap_or_default();
        let stem = format!("{DATA_PREFIX}{table}/part-{:05}{suffix}", header.part);
        let names = [
            format!("{stem}.{}", self.format.suffix()),
            format!("{stem}.exact"),
        ];
        self.make_way(&stem, &names).await?;
        let (writing, side) = (Arc::clone(&self.writing), names[1].clone());
        let open_side = Box::new(move || writing.plain(&side));
        let main = match self.format {
            FileFormat::Parquet(_) => self.writing.plain(&names[0])?,
            _ => self.writing.object(&names[0])?,
        };
        let key = self.writing.sealing.as_ref().map(Sealing::parquet);
        let form = (self.format, IpcLayout::File);
        Ok(Box::new(RepositoryPart {
            files: PartFiles::with_key(main, &header, form, open_side, key)?,
            names,
            writing: Arc::clone(&self.writing),
        }))
    }

    async fn put_object(&self, name: &str, bytes: &[u8]) -> Result<StoredObject> {
        check_object_name(name)?;
        let writing = Arc::clone(&self.writing);
        let (name, bytes) = (name.to_owned(), bytes.to_owned());
        apart(move || {
            let mut object = writing.object(&name)?;
            object
                .write_all(&bytes)
                .map_err(|source| storage(format!("cannot write \"{name}\""), source))?;
            object.finish(stored_object(&name, &bytes))
        })
        .await
    }

    async fn commit(&self, manifest: &[u8]) -> Result<()> {
        let (writing, manifest) = (Arc::clone(&self.writing), manifest.to_owned());
        apart(move || writing.commit(&manifest)).await
    }
}

/// One part while it is written.
#[derive(Debug)]
struct RepositoryPart {
    files: PartFiles<Object>,
    names: [String; 2],
    writing: Arc<Writing>,
}

#[async_trait]
impl PartWriter for RepositoryPart {
    async fn write(&mut self, rows: Rows<'_>) -> Result<()> {
        self.files.write(rows)
    }

    async fn finish(self: Box<Self>) -> Result<PartReceipt> {
        apart(move || {
            let Self {
                files,
                names,
                writing,
            } = *self;
            let finished = files.finish([&names[0], &names[1]])?;
            let mut objects = Vec::new();
            for (object, told) in finished.files {
                objects.push(object.finish(told)?);
            }
            writing.claim.check().inspect_err(|_| {
                // Whoever took the place may not look here again.
                for object in &objects {
                    let _ = writing
                        .store
                        .remove(&format!("{}/{}", writing.folder, object.name));
                }
            })?;
            Ok(PartReceipt {
                rows: finished.rows,
                objects,
            })
        })
        .await
    }
}

#[cfg(test)]
mod tests {
    use super::super::layout::{LOCK, MANIFEST};
    use super::*;

    fn id(n: u32) -> BackupId {
        format!("20261121T013000Z-{n:08x}").parse().unwrap()
    }

    #[test]
    fn a_sweep_takes_what_is_dead_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let repository = Repository::create(place.path().join("r")).unwrap();
        let folder = |n| place.path().join("r").join(BACKUPS).join(id(n).as_str());
        let format = FileFormat::PgCopy(1);
        let alive = RepositorySink::begin(&repository, &id(1), format).unwrap();
        // As kill -9 leaves it: the directory and the file, no lock.
        let dead = folder(2);
        std::fs::create_dir_all(dead.join("data/public.t")).unwrap();
        std::fs::write(dead.join("data/public.t/part-00000.parquet"), "x").unwrap();
        std::fs::write(dead.join(LOCK), "").unwrap();
        // One that never came to its lock.
        std::fs::create_dir(folder(3)).unwrap();
        let complete = folder(4);
        std::fs::create_dir(&complete).unwrap();
        std::fs::write(complete.join(MANIFEST), "{}").unwrap();
        std::fs::write(complete.join(LOCK), "").unwrap();
        assert_eq!(repository.sweep().unwrap(), [id(2), id(3)]);
        assert_eq!(repository.runs().unwrap(), [id(1), id(4)]);
        assert!(!complete.join(LOCK).exists());
        drop(alive);
        assert_eq!(repository.runs().unwrap(), [id(4)]);
    }
}
