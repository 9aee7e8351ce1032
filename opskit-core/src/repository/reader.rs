//! Reading one backup: its manifest, and objects that are what the manifest says.

use super::contents::CONTENTS_BYTES_MAX;
use super::layout::{MANIFEST, Root, SEALED};
use super::manifest::MANIFEST_BYTES_MAX;
use super::{BackupId, Contents, Manifest, Origin, PartEntry};
use crate::error::{Error, ErrorKind, Result, storage};
use crate::export::parquet::ParquetPart;
use crate::name::hex;
use crate::sink::StoredObject;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs::File;
use std::io::{Read as _, Seek as _};

/// How much of an object is read at a time to take its digest.
const CHUNK_BYTES: usize = 256 << 10;

/// A backup that is complete. What it gives out was checked against the manifest.
///
/// It reads files, so async code calls it on a thread that may block.
#[derive(Debug)]
pub struct BackupReader {
    root: Root,
    manifest: Manifest,
    /// SHA-256 of the manifest as it is stored.
    manifest_sha256: String,
    objects: HashMap<String, StoredObject>,
}

impl BackupReader {
    /// Reads the manifest of the backup in a directory, which must be the one of this identity.
    pub(super) fn open(root: Root, id: &BackupId, repository: &str) -> Result<Self> {
        let text = root
            .read(MANIFEST, MANIFEST_BYTES_MAX)
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
            root,
            manifest,
            manifest_sha256: hex(&Sha256::digest(&text)),
        })
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
        let bytes = self.read_object(SEALED, CONTENTS_BYTES_MAX);
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
        Ok(contents)
    }

    /// Whether the backup has an object of this name.
    #[must_use]
    pub fn has_object(&self, name: &str) -> bool {
        self.objects.contains_key(name)
    }

    /// Opens an object whose size and digest are those of the manifest, at its beginning.
    ///
    /// The file that was checked is the file that is given out: it cannot be replaced in between.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] when it is missing or another one, [`ErrorKind::NotFound`] for a name
    /// that the manifest does not have.
    pub fn open_object(&self, name: &str) -> Result<File> {
        let (mut file, object) = self.open_unchecked(name)?;
        let found = digest(&mut file, name)?;
        if found != object.sha256 {
            return Err(damaged(
                name,
                "does not have the digest that the manifest tells",
            ));
        }
        file.rewind()
            .map_err(|source| storage(format!("cannot read \"{name}\""), source))?;
        Ok(file)
    }

    /// Reads an object whole, unless it is larger than `bytes_max`.
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
    /// As [`Self::open_object`]; [`ErrorKind::Damaged`] for one that is too large.
    pub fn read_object(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>> {
        let (file, object) = self.open_unchecked(name)?;
        if object.bytes > bytes_max {
            return Err(damaged(
                name,
                &format!(
                    "has {} bytes, more than the {bytes_max} that are read",
                    object.bytes
                ),
            ));
        }
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
    /// As [`Self::open_object`]; [`ErrorKind::Damaged`] when it does not have the rows that the
    /// backup tells.
    pub fn open_part(&self, part: &PartEntry) -> Result<ParquetPart> {
        let main = self.open_object(&part.object)?;
        let side = part.exact.as_deref();
        let side = side.map(|name| self.open_object(name)).transpose()?;
        let opened = ParquetPart::open(main, side);
        opened.map_err(|error| error.while_doing(format!("cannot read \"{}\"", part.object)))
    }

    /// Opens a part that was stored as the bytes of COPY, and unpacks it.
    ///
    /// # Errors
    /// As [`Self::open_object`]; reading gives errors where it cannot be unpacked.
    pub fn open_frames(&self, part: &PartEntry) -> Result<impl std::io::Read + Send + use<>> {
        let file = self.open_object(&part.object)?;
        let decoder = zstd::Decoder::new(file);
        decoder.map_err(|source| damaged(&part.object, "cannot be unpacked").with_source(source))
    }

    /// Opens an object that has the size that the manifest tells.
    pub(super) fn open_unchecked(&self, name: &str) -> Result<(File, &StoredObject)> {
        let object = self.objects.get(name).ok_or_else(|| {
            Error::new(
                ErrorKind::NotFound,
                format!("backup {} has no object \"{name}\"", self.manifest.id),
            )
        })?;
        let (file, bytes) = self.root.file(name).map_err(|error| match error.kind() {
            ErrorKind::NotFound => damaged(name, "is missing"),
            _ => error,
        })?;
        if bytes == object.bytes {
            return Ok((file, object));
        }
        Err(damaged(
            name,
            &format!(
                "has {bytes} bytes where the manifest tells {}",
                object.bytes
            ),
        ))
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
