//! Whom backups are sealed for and what opens them, who signs them and whose signatures count.

use crate::error::{Error, ErrorKind, Result};
use crate::name::{hex, start_of};
use crate::seal::{
    DataKey, Identity, PASSPHRASE, Recipient, SigningKey, VerifyingKey, WRAPPED_BYTES_MAX,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::BackupId;
use super::layout::{BACKUPS, KEYS, is_key, key_object};
use super::store::Store;

/// The version of the sealed form.
pub const ENCRYPTION_VERSION: u32 = 1;

/// How the objects of a backup are encrypted, as its manifest tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Encryption {
    /// [`ENCRYPTION_VERSION`]: AES-256-GCM, Parquet by its own encryption, all else in an envelope.
    pub version: u32,
    /// Whom the data key was wrapped for, by [`Recipient::id`], when the backup was made.
    pub recipients: Vec<String>,
}

/// Whom new backups are sealed for and what opens those that are there, who signs them and whose signatures count.
///
/// It is never read from the repository: whoever can write there must not be able to add a key, or to
/// switch encryption or signatures off.
///
/// ```
/// use opskit_core::repository::{Keyring, Repository};
/// use opskit_core::seal::Identity;
/// let place = tempfile::tempdir().unwrap();
/// let (identity, _) = Identity::generate();
/// let keyring = Keyring::new().sealing_for([identity.recipient()]).opening_with([identity]);
/// let repository = Repository::create(place.path().join("backups"))?.with_keyring(keyring);
/// assert!(repository.keyring().seals());
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct Keyring {
    recipients: Vec<Recipient>,
    identities: Vec<Identity>,
    accepts_clear: bool,
    signing: Option<SigningKey>,
    signers: Vec<VerifyingKey>,
    accepts_unsigned: bool,
}

impl Keyring {
    /// Nothing: new backups are in the clear, and none is opened that is not.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Seals new backups for these. Those that are read must be sealed too, unless
    /// [`Self::accepting_clear`].
    #[must_use]
    pub fn sealing_for(mut self, recipients: impl IntoIterator<Item = Recipient>) -> Self {
        self.recipients.extend(recipients);
        self
    }

    /// Opens backups with these.
    #[must_use]
    pub fn opening_with(mut self, identities: impl IntoIterator<Item = Identity>) -> Self {
        self.identities.extend(identities);
        self
    }

    /// The same with these identities and no others.
    pub(super) fn opening_only_with(&self, identities: impl IntoIterator<Item = Identity>) -> Self {
        Self {
            identities: identities.into_iter().collect(),
            ..self.clone()
        }
    }

    /// Reads backups in the clear too: those that were made before others were sealed.
    #[must_use]
    pub fn accepting_clear(mut self) -> Self {
        self.accepts_clear = true;
        self
    }

    /// Signs new backups with this key.
    #[must_use]
    pub fn signing_with(mut self, key: SigningKey) -> Self {
        self.signing = Some(key);
        self
    }

    /// Reads only backups that one of these signed, unless [`Self::accepting_unsigned`], and makes no others.
    #[must_use]
    pub fn trusting(mut self, signers: impl IntoIterator<Item = VerifyingKey>) -> Self {
        self.signers.extend(signers);
        self
    }

    /// Reads backups that nobody signed too: those that were made before others were signed.
    #[must_use]
    pub fn accepting_unsigned(mut self) -> Self {
        self.accepts_unsigned = true;
        self
    }

    /// Whether new backups are sealed.
    #[must_use]
    pub fn seals(&self) -> bool {
        !self.recipients.is_empty()
    }

    /// Whom new backups are sealed for.
    #[must_use]
    pub fn recipients(&self) -> &[Recipient] {
        &self.recipients
    }

    /// What opens backups.
    #[must_use]
    pub fn identities(&self) -> &[Identity] {
        &self.identities
    }

    /// What signs new backups.
    #[must_use]
    pub fn signing_key(&self) -> Option<&SigningKey> {
        self.signing.as_ref()
    }

    /// Whose signatures count. Where there is nobody, backups need none.
    #[must_use]
    pub fn signers(&self) -> &[VerifyingKey] {
        &self.signers
    }

    pub(super) fn accepts_unsigned(&self) -> bool {
        self.accepts_unsigned
    }

    /// What a new backup's manifest tells.
    pub(super) fn encryption(&self) -> Option<Encryption> {
        self.seals().then(|| Encryption {
            version: ENCRYPTION_VERSION,
            recipients: self.recipients.iter().map(Recipient::id).collect(),
        })
    }

    /// Wraps a key for each recipient: the names of the objects, and what they hold.
    pub(super) fn wrap(&self, key: &DataKey, of: &[&str]) -> Result<Vec<(String, Vec<u8>)>> {
        let wrap = |recipient: &Recipient| {
            let wrapped = recipient.wrap(key, of)?;
            Ok((name_of(recipient, &wrapped), wrapped))
        };
        self.recipients.iter().map(wrap).collect()
    }

    /// The wrapped keys whose names say that they are for somebody whom the settings do not name.
    pub(super) fn strangers<'a>(&self, names: impl Iterator<Item = &'a String>) -> Vec<&'a String> {
        let known: Vec<String> = self.recipients.iter().map(Recipient::id).collect();
        let is_known = |name: &str| known.iter().any(|id| is_for(name, id));
        match self.seals() {
            true => names.filter(|name| !is_known(name)).collect(),
            // Nobody said who may read.
            false => Vec::new(),
        }
    }

    /// Refuses a backup in the clear where they are to be sealed.
    pub(super) fn check_clear(&self, id: &BackupId) -> Result<()> {
        if !self.seals() || self.accepts_clear {
            return Ok(());
        }
        Err(Error::new(
            ErrorKind::Damaged,
            format!("backup {id} is not encrypted, and those here are to be: anybody may have put it there"),
        )
        .with_hint("If it was made before encryption was switched on, give --accept-clear."))
    }

    /// The key of a backup, by whatever opens it.
    pub(super) fn unwrap(
        &self,
        store: &dyn Store,
        repository: &str,
        id: &BackupId,
        encryption: &Encryption,
    ) -> Result<DataKey> {
        if self.identities.is_empty() {
            return Err(self.no_key(id, encryption));
        }
        let names = store.objects(&format!("{BACKUPS}/{id}/{}", KEYS.trim_end_matches('/')))?;
        // One that is damaged keeps nobody else's from opening.
        let mut broken = None;
        for identity in &self.identities {
            let own = identity.recipient().id();
            for name in names.iter().map(|name| format!("{KEYS}{name}")) {
                if !is_for(&name, &own) {
                    continue;
                }
                let wrapped = store.read(&format!("{BACKUPS}/{id}/{name}"), WRAPPED_BYTES_MAX)?;
                match identity.unwrap(&wrapped, &[repository, id.as_str()]) {
                    Ok(Some(key)) => return Ok(key),
                    Ok(None) => {}
                    Err(error) => {
                        let what = format!("cannot open \"{name}\" of backup {id}");
                        broken = Some(error.while_doing(what));
                    }
                }
            }
        }
        Err(broken.unwrap_or_else(|| self.no_key(id, encryption)))
    }

    fn no_key(&self, id: &BackupId, encryption: &Encryption) -> Error {
        let recipients = encryption
            .recipients
            .iter()
            .take(8)
            .map(|name| start_of(name, 64));
        let recipients = recipients.collect::<Vec<_>>().join(", ");
        let what = match self.identities.len() {
            0 => format!("backup {id} is encrypted, and no key was given"),
            1 => format!("the key at hand does not open backup {id}"),
            keys => format!("none of the {keys} keys at hand opens backup {id}"),
        };
        Error::new(
            ErrorKind::PermissionDenied,
            format!("{what}; it was sealed for {recipients}"),
        )
        .with_hint("Give the key file with --identity or OPSKIT_IDENTITY, or the passphrase with OPSKIT_PASSPHRASE_FILE.")
    }
}

/// The name of a wrapped key. A passphrase can be changed: the key that was wrapped by the new one must not stand in the
/// place of the other before it is there.
pub(super) fn name_of(recipient: &Recipient, wrapped: &[u8]) -> String {
    let id = recipient.id();
    match recipient.is_passphrase() {
        true => key_object(&format!("{id}{}", &hex(&Sha256::digest(wrapped))[..16])),
        false => key_object(&id),
    }
}

/// Whether a wrapped key is for the recipient of this name.
pub(super) fn is_for(name: &str, id: &str) -> bool {
    match id == PASSPHRASE {
        true => is_key(name) && name[KEYS.len()..].starts_with(PASSPHRASE),
        false => name == key_object(id),
    }
}
