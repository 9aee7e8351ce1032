//! Signatures over the manifests of backups: anybody who knows the public keys that they are encrypted for could make
//! one up, and nobody without the signing key can sign it.

use super::keyring::Keyring;
use super::layout::{BACKUPS, SIGNATURES, signature_object, signer_of};
use super::reader::BackupReader;
use super::{BackupId, Repository, VerifyLevel};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::seal::{SIGNATURE_BYTES, SigningKey, VerifyingKey};
use serde::Serialize;

/// What signing backups did.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SignReport {
    /// The version of this document: `opskit.keys-sign/1`.
    pub schema: &'static str,
    /// The public key of the signer.
    pub signer: String,
    /// Backups that were signed.
    pub signed: Vec<BackupId>,
    /// How many had this signature already.
    pub already: u64,
}

impl Keyring {
    /// The name and the bytes of the signature over a manifest.
    pub(super) fn sign(&self, manifest: &[u8]) -> Option<(String, Vec<u8>)> {
        let key = self.signing_key()?;
        let name = signature_object(&key.verifying_key());
        Some((name, key.sign(manifest)))
    }

    /// Refuses to make what would be refused when it is read.
    pub(super) fn check_signing(&self) -> Result<()> {
        let signers = self.signers();
        match self.signing_key().map(SigningKey::verifying_key) {
            _ if signers.is_empty() => Ok(()),
            Some(own) if signers.contains(&own) => Ok(()),
            Some(own) => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("the signing key is {own}, whom the settings do not name"),
            )
            .with_hint("Add it to the signers of opskit.toml, or give the key of one of them.")),
            None => Err(Error::new(
                ErrorKind::InvalidInput,
                "backups are to be signed here, and no signing key was given",
            )
            .with_hint("Give its file with --signing-key or OPSKIT_SIGNING_KEY.")),
        }
    }

    /// Whether every signature is over this manifest, and one of them is by somebody whom the settings name, where they
    /// name anybody.
    fn check_signatures(
        &self,
        id: &BackupId,
        manifest: &[u8],
        signatures: &[(VerifyingKey, Vec<u8>)],
    ) -> Result<()> {
        for (signer, signature) in signatures {
            if !signer.verifies(manifest, signature) {
                return Err(refused(format!(
                    "the signature of {signer} is not over this manifest of backup {id}: one of them was changed"
                )));
            }
        }
        let signers = self.signers();
        let is_named = |(signer, _): &(VerifyingKey, Vec<u8>)| signers.contains(signer);
        if signers.is_empty() || signatures.iter().any(is_named) {
            return Ok(());
        }
        match signatures.first() {
            Some((signer, _)) => Err(refused(format!(
                "backup {id} is signed by {signer}, whom the settings do not name"
            ))
            .with_hint("If it is a key of yours, add it to the signers of opskit.toml; otherwise somebody else made this backup.")),
            None if self.accepts_unsigned() => Ok(()),
            None => Err(refused(format!(
                "backup {id} is not signed, and those here are to be: anybody may have put it there"
            ))
            .with_hint("If it was made before signing was switched on, give --accept-unsigned; opskit keys sign signs it.")),
        }
    }
}

impl BackupReader {
    /// Who signed the backup. Whether their signatures are over its manifest is not looked at.
    ///
    /// # Errors
    /// Of kind `Storage` when the repository cannot be read.
    pub fn signers(&self) -> Result<Vec<VerifyingKey>> {
        let names = self.names_in(SIGNATURES)?;
        Ok(names.iter().filter_map(|name| signer_of(name)).collect())
    }

    /// Refuses a backup that is not signed as the settings ask for, or whose signatures are over something else.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] for such a one; of kind `Storage` when the repository cannot be read.
    pub fn check_signed(&self) -> Result<()> {
        if self.signed.get().is_some() {
            return Ok(());
        }
        let signatures = self.signatures()?;
        let asked = !self.keyring.signers().is_empty();
        if asked || !signatures.is_empty() {
            let (id, manifest) = (&self.manifest().id, self.manifest_text()?);
            self.keyring.check_signatures(id, &manifest, &signatures)?;
        }
        let () = self.signed.get_or_init(|| ());
        Ok(())
    }

    /// The signatures, by who made them.
    pub(super) fn signatures(&self) -> Result<Vec<(VerifyingKey, Vec<u8>)>> {
        let read = |signer: VerifyingKey| {
            let signature = self.read_beside(&signature_object(&signer), SIGNATURE_BYTES as u64)?;
            Ok((signer, signature))
        };
        self.signers()?.into_iter().map(read).collect()
    }
}

impl Repository {
    /// Signs backups with the signing key of the keyring. Each is looked at first: whether it is the one that the
    /// history tells of, whether every byte is what was stored, and whether it is signed as the settings ask for,
    /// where they do not accept what is not.
    ///
    /// ```
    /// use opskit_core::context::OpContext;
    /// use opskit_core::repository::{Keyring, Repository};
    /// use opskit_core::seal::SigningKey;
    /// # let place = tempfile::tempdir().unwrap();
    /// let (key, _) = SigningKey::generate()?;
    /// let repository = Repository::create(place.path().join("backups"))?
    ///     .with_keyring(Keyring::new().signing_with(key));
    /// let report = repository.sign(&OpContext::default(), &repository.backups()?)?;
    /// assert!(report.signed.is_empty());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] when there is no signing key, or the settings do not name it;
    /// [`ErrorKind::Damaged`] for the first backup that is not sound, which is not signed; those of [`Self::verify`].
    pub fn sign(&self, ctx: &OpContext, ids: &[BackupId]) -> Result<SignReport> {
        self.keyring.check_signing()?;
        let own = self.keyring.signing_key().map(SigningKey::verifying_key);
        let own = own.ok_or_else(|| {
            let error = Error::new(ErrorKind::InvalidInput, "no signing key was given");
            error.with_hint("Give its file with --signing-key or OPSKIT_SIGNING_KEY.")
        })?;
        let mut report = SignReport {
            schema: "opskit.keys-sign/1",
            signer: own.to_string(),
            signed: Vec::new(),
            already: 0,
        };
        for id in ids {
            ctx.cancel().check()?;
            // The same as an error, which tells the way out.
            self.read(id)?.check_signed()?;
            let looked = self.verify(ctx, id, VerifyLevel::Hash)?;
            if let Some(fault) = looked.faults.first() {
                let what = format!("\"{}\": {}", fault.object, fault.problem);
                let error = Error::new(ErrorKind::Damaged, what);
                return Err(
                    error.while_doing(format!("backup {id} is not signed: it is not sound"))
                );
            }
            let reader = self.read(id)?;
            let manifest = reader.manifest_text()?;
            // What was looked at is what is signed.
            if looked.manifest_sha256.as_deref() != Some(reader.manifest_sha256()) {
                return Err(refused(format!(
                    "backup {id} changed while it was looked at"
                )));
            }
            match self.keyring.sign(&manifest) {
                Some(_) if reader.signers()?.contains(&own) => report.already += 1,
                Some((name, signature)) => {
                    let name = format!("{BACKUPS}/{id}/{name}");
                    self.store.create(&name, &signature)?;
                    report.signed.push(id.clone());
                }
                None => {}
            }
        }
        Ok(report)
    }
}

fn refused(what: String) -> Error {
    Error::new(ErrorKind::Damaged, what)
}
