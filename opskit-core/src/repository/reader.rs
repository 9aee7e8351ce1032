//! Reading one backup: its manifest, and objects that are what the manifest says.

use super::contents::CONTENTS_BYTES_MAX;
use super::layout::{BACKUPS, KEYS, MANIFEST, SEALED, is_key};
use super::manifest::MANIFEST_BYTES_MAX;
use super::sealed::{Sealing, cannot_open};
use super::store::{Opened, Store};
use super::{BackupId, Contents, Keyring, Manifest, Origin, PartEntry, Repository};
use crate::error::{Error, ErrorKind, Result, storage};
use crate::export::parquet::{ParquetKey, ParquetPart};
use crate::name::hex;
use crate::seal::WRAPPED_BYTES_MAX;
use crate::sink::StoredObject;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _};
use std::sync::{Arc, OnceLock};

/// How much of an object is read at a time to take its digest.
const CHUNK_BYTES: usize = 256 << 10;

/// A backup that is complete. What it gives out was checked against the manifest.
///
/// It reads files, and waits for a store that is elsewhere, so async code calls it on a thread that may
/// block. An object of such a store is read into a file without a name in the directory for temporary
/// files, as it is needed.
#[derive(Debug)]
pub struct BackupReader {
    store: Arc<dyn Store>,
    /// What the names of its objects start with.
    folder: String,
    manifest: Manifest,
    /// SHA-256 of the manifest as it is stored.
    manifest_sha256: String,
    objects: HashMap<String, StoredObject>,
    pub(super) keyring: Arc<Keyring>,
    /// What opens its objects, once it was needed.
    sealing: OnceLock<Sealing>,
    /// Set once its signatures were found to be as the settings ask for.
    pub(super) signed: OnceLock<()>,
}

impl BackupReader {
    /// Reads the manifest of a backup, which must be the one of this identity.
    pub(super) fn open(of: &Repository, id: &BackupId) -> Result<Self> {
        let (store, repository) = (Arc::clone(&of.store), of.id());
        let folder = format!("{BACKUPS}/{id}");
        let text = store
            .read(&format!("{folder}/{MANIFEST}"), MANIFEST_BYTES_MAX)
            .map_err(|error| about(id, error))?;
        let manifest = Manifest::parse(&text).map_err(|error| about(id, error))?;
        if &manifest.id != id || manifest.repository != repository {
            return Err(about(
                id,
                Error::new(
                    ErrorKind::Damaged,
                    format!(
                        "the manifest is that of backup {} of repository {:?}",
                        manifest.id, manifest.repository
                    ),
                ),
            ));
        }
        let objects = manifest.all_objects();
        let objects = objects.map(|object| (object.name.clone(), object.clone()));
        Ok(Self {
            objects: objects.collect(),
            store,
            folder,
            manifest,
            manifest_sha256: hex(&Sha256::digest(&text)),
            keyring: Arc::clone(&of.keyring),
            sealing: OnceLock::new(),
            signed: OnceLock::new(),
        })
    }

    /// Whether its objects are encrypted.
    #[must_use]
    pub fn is_sealed(&self) -> bool {
        self.manifest.encryption.is_some()
    }

    /// What opens its objects. None where they are in the clear, and may be. Nothing is opened that is not signed
    /// where it is to be.
    pub(super) fn sealing(&self) -> Result<Option<&Sealing>> {
        self.check_signed()?;
        if !self.is_sealed() {
            self.keyring.check_clear(&self.manifest.id)?;
        }
        self.any_sealing()
    }

    /// The same, where it does not matter who made the backup.
    fn any_sealing(&self) -> Result<Option<&Sealing>> {
        let id = &self.manifest.id;
        let Some(encryption) = &self.manifest.encryption else {
            return Ok(None);
        };
        if let Some(sealing) = self.sealing.get() {
            return Ok(Some(sealing));
        }
        let repository = &self.manifest.repository;
        let key = self
            .keyring
            .unwrap(&*self.store, repository, id, encryption)?;
        let sealing = Sealing::new(key, repository, id);
        Ok(Some(self.sealing.get_or_init(|| sealing)))
    }

    /// The key of its Parquet files, to hand to another program. None where they are in the clear.
    ///
    /// # Errors
    /// [`ErrorKind::PermissionDenied`] when no key at hand opens the backup.
    pub fn parquet_key(&self) -> Result<Option<ParquetKey>> {
        Ok(self.sealing()?.map(Sealing::parquet))
    }

    /// The clear half of the manifest.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) fn manifest_sha256(&self) -> &str {
        &self.manifest_sha256
    }

    /// Which database the backup is of.
    ///
    /// ```no_run
    /// # fn example(backup: &opskit_core::repository::BackupReader) -> opskit_core::Result<()> {
    /// println!("{} is of {}", backup.manifest().id, backup.origin()?);
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Self::contents`].
    pub fn origin(&self) -> Result<Origin> {
        let bytes = self.read_sealed();
        let bytes = bytes.map_err(|error| about(&self.manifest.id, error))?;
        let origin = Origin::parse(self.manifest.backup_type, &bytes);
        origin.map_err(|error| about(&self.manifest.id, error))
    }

    /// What the backup holds.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] when it is not what the manifest says, [`ErrorKind::Unsupported`] for
    /// one of a later version.
    pub fn contents(&self) -> Result<Contents> {
        let bytes = self.read_object(SEALED, CONTENTS_BYTES_MAX);
        let bytes = bytes.map_err(|error| about(&self.manifest.id, error))?;
        let contents = Contents::parse(&bytes).map_err(|error| about(&self.manifest.id, error))?;
        let same = contents.id == self.manifest.id
            && contents.repository == self.manifest.repository
            && contents.opskit_version == self.manifest.opskit_version;
        if !same {
            return Err(about(
                &self.manifest.id,
                Error::new(
                    ErrorKind::Damaged,
                    "the sealed manifest is that of another backup",
                ),
            ));
        }
        if self.is_sealed() && contents.objects.as_ref() != Some(&self.manifest.objects) {
            return Err(about(
                &self.manifest.id,
                Error::new(
                    ErrorKind::Damaged,
                    "the manifest does not tell the objects that were sealed: somebody edited it",
                ),
            ));
        }
        Ok(contents)
    }

    /// Whether the backup has an object of this name.
    #[must_use]
    pub fn has_object(&self, name: &str) -> bool {
        self.objects.contains_key(name)
    }

    /// Opens an object whose size and digest are those of the manifest, at its beginning, as it is stored: sealed
    /// where the backup is.
    ///
    /// The file that was checked is the file that is given out: it cannot be replaced in between.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] when it is missing or another one, [`ErrorKind::NotFound`] for a name
    /// that the manifest does not have.
    pub fn open_stored(&self, name: &str) -> Result<File> {
        let object = self.object(name)?;
        let Opened { mut file, sha256 } = self.open_sized(object)?;
        let found = match sha256 {
            Some(found) => found,
            None => {
                let found = digest(&mut file, name)?;
                file.rewind()
                    .map_err(|source| storage(format!("cannot read \"{name}\""), source))?;
                found
            }
        };
        if found != object.sha256 {
            return Err(damaged(
                name,
                "does not have the digest that the manifest tells",
            ));
        }
        Ok(file)
    }

    /// Reads an object whole, unless it is larger than `bytes_max`, and opens it where it is sealed.
    ///
    /// ```no_run
    /// # fn example(backup: &opskit_core::repository::BackupReader) -> opskit_core::Result<()> {
    /// let sql = backup.read_object(opskit_core::repository::PRE_DATA, 1 << 30)?;
    /// println!("{}", String::from_utf8_lossy(&sql));
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Self::open_stored`]; [`ErrorKind::Damaged`] for one that is too large;
    /// [`ErrorKind::PermissionDenied`] when no key at hand opens the backup.
    pub fn read_object(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>> {
        let sealing = self.sealing()?;
        let bytes = self.read_stored(name, bytes_max)?;
        match sealing {
            Some(sealing) => sealing.open_whole(&bytes, name),
            None => Ok(bytes),
        }
    }

    /// Reads `manifest.sealed`, for a list or a plan of what to keep: it may be in the clear.
    pub(super) fn read_sealed(&self) -> Result<Vec<u8>> {
        if !self.keyring.signers().is_empty() {
            self.check_signed()?;
        }
        let sealing = self.any_sealing()?;
        let bytes = self.read_stored(SEALED, CONTENTS_BYTES_MAX)?;
        match sealing {
            Some(sealing) => sealing.open_whole(&bytes, SEALED),
            None => Ok(bytes),
        }
    }

    fn read_stored(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>> {
        let object = self.object(name)?;
        if object.bytes > bytes_max {
            return Err(damaged(
                name,
                &format!(
                    "has {} bytes, more than the {bytes_max} that are read",
                    object.bytes
                ),
            ));
        }
        let Opened { file, .. } = self.open_sized(object)?;
        let mut bytes = Vec::with_capacity(object.bytes as usize);
        // It was as long as the manifest says a moment ago.
        file.take(object.bytes)
            .read_to_end(&mut bytes)
            .map_err(|source| storage(format!("cannot read \"{name}\""), source))?;
        if hex(&Sha256::digest(&bytes)) != object.sha256 {
            return Err(damaged(
                name,
                "does not have the digest that the manifest tells",
            ));
        }
        Ok(bytes)
    }

    /// Opens a part that was stored as Parquet, with its side file. Both were checked.
    ///
    /// ```no_run
    /// # fn example(backup: &opskit_core::repository::BackupReader) -> opskit_core::Result<()> {
    /// for part in &backup.contents()?.tables[0].parts {
    ///     for batch in backup.open_part(part)? {
    ///         println!("{} rows", batch?.batch.num_rows());
    ///     }
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`Self::open_stored`]; [`ErrorKind::Damaged`] when it does not have the rows that the
    /// backup tells.
    pub fn open_part(&self, part: &PartEntry) -> Result<ParquetPart> {
        let key = self.parquet_key()?;
        let main = self.open_stored(&part.object)?;
        let side = part.exact.as_deref();
        let side = side.map(|name| self.open_stored(name)).transpose()?;
        let opened = ParquetPart::open_with(main, side, key.as_ref());
        opened.map_err(|error| error.while_doing(format!("cannot read \"{}\"", part.object)))
    }

    /// Opens a part that was stored as the bytes of COPY, and unpacks it.
    ///
    /// # Errors
    /// As [`Self::open_stored`]; reading gives errors where it cannot be unpacked.
    pub fn open_frames(&self, part: &PartEntry) -> Result<impl std::io::Read + Send + use<>> {
        let sealing = self.sealing()?;
        let file = self.open_stored(&part.object)?;
        let clear: Box<dyn std::io::Read + Send> = match sealing {
            Some(sealing) => Box::new(sealing.open(file, &part.object)?),
            None => Box::new(file),
        };
        let decoder = zstd::Decoder::new(clear);
        decoder.map_err(|source| damaged(&part.object, "cannot be unpacked").with_source(source))
    }

    /// Looks whether an object opens to its end, where the backup is sealed.
    pub(super) fn check_opens(&self, name: &str) -> Result<()> {
        if let Some(sealing) = self.sealing()? {
            let mut opened = sealing.open(self.open_stored(name)?, name)?;
            let read = std::io::copy(&mut opened, &mut std::io::sink());
            read.map_err(|source| cannot_open(name, source))?;
        }
        Ok(())
    }

    /// Looks whether an object has the size that the manifest tells.
    pub(super) fn check_size(&self, name: &str) -> Result<()> {
        let object = self.object(name)?;
        let found = self.store.size(&self.path(name));
        let found = found.map_err(|error| gone(name, error))?;
        if found == object.bytes {
            return Ok(());
        }
        Err(damaged(
            name,
            &format!(
                "has {found} bytes where the manifest tells {}",
                object.bytes
            ),
        ))
    }

    /// The manifest as it is stored, which must still be the one that was read.
    pub(super) fn manifest_text(&self) -> Result<Vec<u8>> {
        let text = self.store.read(&self.path(MANIFEST), MANIFEST_BYTES_MAX)?;
        if hex(&Sha256::digest(&text)) == self.manifest_sha256 {
            return Ok(text);
        }
        Err(damaged(MANIFEST, "changed while it was read"))
    }

    /// What stands in a folder of the backup, by names that start with the folder's.
    pub(super) fn names_in(&self, folder: &str) -> Result<Vec<String>> {
        let names = self
            .store
            .objects(&self.path(folder.trim_end_matches('/')))?;
        Ok(names
            .into_iter()
            .map(|name| format!("{folder}{name}"))
            .collect())
    }

    /// Reads an object that stands beside those of the manifest.
    pub(super) fn read_beside(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>> {
        self.store.read(&self.path(name), bytes_max)
    }

    /// Those of these names that are keys for somebody whom the settings do not name.
    pub(super) fn strangers<'a>(&self, names: &'a [String]) -> Vec<&'a String> {
        self.keyring
            .strangers(names.iter().filter(|name| is_key(name)))
    }

    /// The keys that were wrapped for somebody, by their names.
    pub(super) fn wrapped_keys(&self) -> Result<Vec<(String, Vec<u8>)>> {
        if !self.is_sealed() {
            return Ok(Vec::new());
        }
        let names = self.names_in(KEYS)?.into_iter();
        let read = |name: String| {
            let wrapped = self.read_beside(&name, WRAPPED_BYTES_MAX)?;
            Ok((name, wrapped))
        };
        names.filter(|name| is_key(name)).map(read).collect()
    }

    /// What of the backup the store has, by the names of a manifest.
    pub(super) fn stored_names(&self) -> Result<Vec<String>> {
        self.store.objects(&self.folder)
    }

    fn object(&self, name: &str) -> Result<&StoredObject> {
        self.objects.get(name).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("backup {} has no object \"{name}\"", self.manifest.id),
            )
        })
    }

    /// Opens an object that has the size that the manifest tells.
    fn open_sized(&self, object: &StoredObject) -> Result<Opened> {
        let opened = self.store.open(&self.path(&object.name), object.bytes);
        opened.map_err(|error| gone(&object.name, error))
    }

    fn path(&self, name: &str) -> String {
        format!("{}/{name}", self.folder)
    }
}

/// An object of a manifest that is not there is damage.
fn gone(name: &str, error: Error) -> Error {
    match error.kind() {
        ErrorKind::NotFound => damaged(name, "is missing"),
        _ => error,
    }
}

/// SHA-256 of what is left of a file.
pub(super) fn digest(file: &mut File, name: &str) -> Result<String> {
    let mut hasher = Sha256::new();
    let mut chunk = vec![0; CHUNK_BYTES];
    loop {
        let read = file
            .read(&mut chunk)
            .map_err(|source| storage(format!("cannot read \"{name}\""), source))?;
        if read == 0 {
            return Ok(hex(&hasher.finalize()));
        }
        hasher.update(&chunk[..read]);
    }
}

pub(super) fn damaged(name: &str, what: &str) -> Error {
    Error::new(ErrorKind::Damaged, format!("object \"{name}\" {what}"))
}

/// Says of which backup an error is.
fn about(id: &BackupId, error: Error) -> Error {
    error.while_doing(format!("cannot read backup {id}"))
}
