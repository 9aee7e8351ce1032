//! The commit record of a backup: what anybody may see of it.

use super::keyring::ENCRYPTION_VERSION;
use super::layout::check_object_name;
use super::{BackupId, Encryption};
use crate::error::{Error, ErrorKind, Result, unreadable_json};
use crate::sink::StoredObject;
use serde::{Deserialize, Serialize};
use std::collections::HashSet;

/// The version of the stored form.
pub const MANIFEST_VERSION: u32 = 1;
/// The largest manifest that is read.
pub(crate) const MANIFEST_BYTES_MAX: u64 = 64 << 20;

/// What a backup holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum BackupType {
    /// Objects and rows.
    Full,
    /// Objects only.
    Schema,
}

/// The clear half of a backup's manifest. A backup exists when this exists.
///
/// It names every object with its stored size and digest, so that damage is found without knowing
/// what the objects say. What they say is told by [`Contents`](super::Contents), in `manifest.sealed`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Manifest {
    /// [`MANIFEST_VERSION`].
    pub version: u32,
    /// The repository that it was written to.
    pub repository: String,
    /// The backup.
    pub id: BackupId,
    /// What it holds.
    #[serde(rename = "type")]
    pub backup_type: BackupType,
    /// When the run started, in RFC 3339.
    pub started_at: String,
    /// When the snapshot was taken: the instant that the backup is of.
    pub snapshot_at: String,
    /// When the last object was stored.
    pub finished_at: String,
    /// The version of opskit that wrote it.
    pub opskit_version: String,
    /// How the objects are encrypted; none where they are in the clear.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// The other half of the manifest.
    pub sealed: StoredObject,
    /// All other objects, in order of their names.
    pub objects: Vec<StoredObject>,
}

impl Manifest {
    /// Reads a manifest, and refuses one that points out of its backup.
    ///
    /// ```
    /// use opskit_core::repository::Manifest;
    /// let error = Manifest::parse(br#"{"version": 99}"#).unwrap_err();
    /// assert!(error.to_string().contains("version 99"));
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for one of a later version, [`ErrorKind::Damaged`] for what is none.
    pub fn parse(bytes: &[u8]) -> Result<Self> {
        check_version(bytes, MANIFEST_VERSION, "the manifest")?;
        let manifest: Self = parse_json(bytes, "the manifest")?;
        if let Some(encryption) = &manifest.encryption
            && encryption.version > ENCRYPTION_VERSION
        {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("the backup is encrypted by version {}", encryption.version),
            )
            .with_hint("Use the version of opskit that wrote it, or a later one."));
        }
        let mut names = HashSet::new();
        for object in manifest.all_objects() {
            check_object_name(&object.name)?;
            if !names.insert(&object.name) {
                return Err(Error::new(
                    ErrorKind::Damaged,
                    format!("the manifest names \"{}\" twice", object.name),
                ));
            }
        }
        Ok(manifest)
    }

    /// Every object but the manifest itself.
    pub fn all_objects(&self) -> impl Iterator<Item = &StoredObject> {
        std::iter::once(&self.sealed).chain(&self.objects)
    }

    /// The size of all objects.
    #[must_use]
    pub fn stored_bytes(&self) -> u64 {
        let sizes = self.all_objects().map(|object| object.bytes);
        sizes.fold(0, u64::saturating_add)
    }
}

/// Refuses a document of a later version before its fields are looked at.
pub(super) fn check_version(bytes: &[u8], known: u32, what: &str) -> Result<()> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let Versioned { version } = parse_json(bytes, what)?;
    if (1..=known).contains(&version) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!("{what} is of version {version}, and this opskit knows up to {known}"),
    )
    .with_hint("Use the version of opskit that wrote it, or a later one."))
}

pub(super) fn parse_json<T: for<'de> Deserialize<'de>>(bytes: &[u8], what: &str) -> Result<T> {
    serde_json::from_slice(bytes)
        .map_err(|source| unreadable_json(format!("cannot understand {what}"), &source))
}
