//! Copying a backup from one repository to another of the same identity.

use super::layout::{BACKUPS, MANIFEST, signature_object};
use super::manifest::MANIFEST_BYTES_MAX;
use super::reader::{BackupReader, damaged, digest};
use super::store::{Opened, Store};
use super::{BackupId, Repository, RepositoryUrl, VerifyLevel, VerifyReport};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result, storage};
use crate::event::Event;
use crate::sink::StoredObject;
use serde::Serialize;
use std::io;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

/// Objects that are copied at the same time: most are small, and a store is far away.
const AT_ONCE: usize = 4;

/// What became of a copy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum CopyOutcome {
    /// It was made, and every object was read again where it arrived.
    Copied,
    /// The same backup was there already.
    AlreadyThere,
}

/// What a copy did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct CopyReport {
    /// The version of this document: `opskit.copy/1`.
    pub schema: &'static str,
    /// The backup.
    pub id: BackupId,
    /// What became of it.
    pub outcome: CopyOutcome,
    /// Where it was read.
    pub from: String,
    /// Where it is now, too.
    pub location: String,
    /// Its objects, the manifest among them.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
    /// How long it took, in milliseconds.
    pub elapsed_ms: u64,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Repository {
    /// Opens a place for copies of the backups of this repository, and makes it where there is none: copies
    /// share their repository's identity.
    ///
    /// ```
    /// use opskit_core::repository::{Repository, RepositoryUrl};
    /// let repository = Repository::create_at(&RepositoryUrl::memory())?;
    /// let copies = repository.copies_at(&RepositoryUrl::memory())?;
    /// assert_eq!(copies.id(), repository.id());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] when another repository is there; otherwise as [`Self::create_at`].
    pub fn copies_at(&self, url: &RepositoryUrl) -> Result<Self> {
        let copies = Self::create_as(url, self.id())?;
        copies.refuse_another(self)?;
        Ok(copies)
    }

    fn refuse_another(&self, original: &Self) -> Result<()> {
        if self.id() == original.id() {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::InvalidInput,
            format!("\"{}\" is another repository", self.place()),
        )
        .with_hint("Backups name their repository, and copies share its identity: name an empty place, or one that has copies of this repository."))
    }

    /// Copies a backup. Every object is checked against the manifest as it is read, and once more where it
    /// arrived; the manifest comes last, so that nobody sees half a copy.
    ///
    /// ```no_run
    /// use opskit_core::context::OpContext;
    /// use opskit_core::repository::{Repository, RepositoryUrl, StoreEnv};
    /// # fn example(repository: &Repository) -> opskit_core::Result<()> {
    /// let url = RepositoryUrl::parse("s3://elsewhere/shop", &StoreEnv::from_process())?;
    /// let copies = repository.copies_at(&url)?;
    /// let report = repository.copy(&OpContext::default(), &repository.find("latest")?, &copies)?;
    /// println!("{} objects in {}", report.objects, report.location);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`] when there is no such backup, [`ErrorKind::Damaged`] when an object is not what
    /// the manifest says, here or there; of kind `Storage` when another backup of this name is there, or
    /// the place cannot be written; `Busy` while somebody else writes it; `Cancelled`.
    pub fn copy(&self, ctx: &OpContext, id: &BackupId, to: &Self) -> Result<CopyReport> {
        let started = ctx.clock().elapsed();
        to.refuse_another(self)?;
        let reader = self.read(id)?;
        reader.check_signed()?;
        let manifest = reader.manifest_text()?;
        let outcome = match to.manifest_of(id)? {
            Some(there) if there == manifest => CopyOutcome::AlreadyThere,
            Some(_) => return Err(another(id, to)),
            None => {
                to.sweep_one(id);
                Copying::new(ctx, &reader, to).run(&manifest)?;
                CopyOutcome::Copied
            }
        };
        let objects = reader.manifest().all_objects().count() as u64 + 1;
        let mut warnings: Vec<String> = to.warning().into_iter().collect();
        if let Err(error) = self.tell_of_copy(ctx, &reader, outcome, to) {
            let why = error.chain().join(": ");
            warnings.push(format!("the copy has no record: {why}"));
        }
        Ok(CopyReport {
            schema: "opskit.copy/1",
            id: id.clone(),
            outcome,
            from: self.location(id),
            location: to.location(id),
            objects,
            bytes: reader.manifest().stored_bytes() + manifest.len() as u64,
            elapsed_ms: (ctx.clock().elapsed() - started).as_millis() as u64,
            warnings,
        })
    }

    /// Retention and history work on copies as they do here, so the run is told there too, and that all objects
    /// were looked at.
    fn tell_of_copy(
        &self,
        ctx: &OpContext,
        reader: &BackupReader,
        outcome: CopyOutcome,
        to: &Self,
    ) -> Result<()> {
        let (manifest, now) = (reader.manifest(), ctx.clock().now());
        if to.run_of(&manifest.id).is_none()
            && let Some(run) = self.run_of(&manifest.id)
        {
            to.record(&run, now)?;
        }
        if outcome == CopyOutcome::AlreadyThere {
            return Ok(());
        }
        let looked = VerifyReport {
            schema: "opskit.verify/1",
            id: manifest.id.clone(),
            level: VerifyLevel::Hash,
            manifest_sha256: Some(reader.manifest_sha256().to_owned()),
            objects: manifest.all_objects().count() as u64,
            bytes: manifest.stored_bytes(),
            rows: 0,
            faults: Vec::new(),
        };
        to.record_verification(&looked, now)
    }

    /// The manifest of a backup as it is stored. None where there is no such backup.
    fn manifest_of(&self, id: &BackupId) -> Result<Option<Vec<u8>>> {
        let name = format!("{BACKUPS}/{id}/{MANIFEST}");
        match self.store.read(&name, MANIFEST_BYTES_MAX) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

/// A copy that is being made.
struct Copying<'a> {
    ctx: &'a OpContext,
    reader: &'a BackupReader,
    to: &'a dyn Store,
    objects: Vec<&'a StoredObject>,
    next: AtomicUsize,
    done: AtomicU64,
}

impl<'a> Copying<'a> {
    fn new(ctx: &'a OpContext, reader: &'a BackupReader, to: &'a Repository) -> Self {
        Self {
            ctx,
            reader,
            to: &*to.store,
            objects: reader.manifest().all_objects().collect(),
            next: AtomicUsize::new(0),
            done: AtomicU64::new(0),
        }
    }

    fn run(&self, manifest: &[u8]) -> Result<()> {
        let claim = self.to.claim(&self.reader.manifest().id)?;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..AT_ONCE).map(|_| scope.spawn(|| self.work())).collect();
            let stopped = |_| Error::new(ErrorKind::Internal, "a thread of the copy stopped");
            let ends = threads.into_iter().map(|thread| thread.join());
            // All are waited for: the first failure is what is told.
            let ends: Vec<Result<()>> = ends
                .map(|end| end.map_err(stopped).and_then(|end| end))
                .collect();
            ends.into_iter().collect::<Result<()>>()
        })?;
        self.beside()?;
        claim.check()?;
        self.ctx.cancel().check()?;
        claim.commit(manifest)
    }

    /// Copies what the manifest does not tell: the wrapped keys, and the signatures.
    fn beside(&self) -> Result<()> {
        let id = &self.reader.manifest().id;
        let signatures = self.reader.signatures()?.into_iter();
        let signatures = signatures.map(|(signer, bytes)| (signature_object(&signer), bytes));
        for (name, bytes) in self.reader.wrapped_keys()?.into_iter().chain(signatures) {
            self.to.create(&format!("{BACKUPS}/{id}/{name}"), &bytes)?;
        }
        Ok(())
    }

    /// Copies objects until there are none left, or something failed.
    fn work(&self) -> Result<()> {
        while let Some(object) = self.objects.get(self.next.fetch_add(1, Ordering::Relaxed)) {
            if let Err(error) = self.one(object) {
                // The others need not go on.
                self.next.store(self.objects.len(), Ordering::Relaxed);
                return Err(error);
            }
        }
        Ok(())
    }

    fn one(&self, object: &StoredObject) -> Result<()> {
        self.ctx.cancel().check()?;
        let name = &object.name;
        let path = format!("{BACKUPS}/{}/{name}", self.reader.manifest().id);
        let mut file = self.reader.open_stored(name)?;
        let mut upload = self.to.upload(&path)?;
        io::copy(&mut file, &mut upload)
            .map_err(|source| storage(format!("cannot copy \"{name}\""), source))?;
        upload.finish()?;
        self.check(&path, object)?;
        self.ctx.emit(Event::ObjectCopied {
            object: name.clone(),
            bytes: object.bytes,
            done: self.done.fetch_add(1, Ordering::Relaxed) + 1,
            of: self.objects.len() as u64,
        });
        Ok(())
    }

    /// Reads an object again where it arrived.
    fn check(&self, path: &str, object: &StoredObject) -> Result<()> {
        let Opened { mut file, sha256 } = self.to.open(path, object.bytes)?;
        let found = match sha256 {
            Some(found) => found,
            None => digest(&mut file, path)?,
        };
        if found == object.sha256 {
            return Ok(());
        }
        Err(damaged(&object.name, "arrived as another one"))
    }
}

fn another(id: &BackupId, to: &Repository) -> Error {
    Error::new(
        ErrorKind::Storage,
        format!("\"{}\" has another backup {id}", to.place()),
    )
    .with_hint("Look at it there with opskit show; nothing is overwritten.")
}
