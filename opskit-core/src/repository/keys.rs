//! Keys of backups that are there: whether they open, and wrapping them anew. No data is touched.

use super::keyring::{is_for, name_of};
use super::layout::{BACKUPS, is_key};
use super::{BackupId, Repository};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::seal::Recipient;
use serde::Serialize;

/// What became of the keys of one backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackupKeys {
    /// The backup.
    pub id: BackupId,
    /// Whether it is encrypted.
    pub encrypted: bool,
    /// Why the keys at hand do not open it; none where they do, or where it is in the clear.
    pub problem: Option<String>,
    /// The wrapped keys that are there, by the names of their recipients.
    pub recipients: Vec<String>,
    /// Those of them that the settings do not name.
    pub strangers: Vec<String>,
}

/// A look at keys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct KeyCheck {
    /// The version of this document: `opskit.keys-check/1`.
    pub schema: &'static str,
    /// The backups that were looked at, the newest first.
    pub backups: Vec<BackupKeys>,
}

impl KeyCheck {
    /// Whether the keys at hand open all of them, and nobody else's do.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let sound = |keys: &BackupKeys| keys.problem.is_none() && keys.strangers.is_empty();
        self.backups.iter().all(sound)
    }
}

/// What wrapping keys anew did.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[non_exhaustive]
pub struct RekeyReport {
    /// The version of this document: `opskit.keys-rekey/1`.
    pub schema: &'static str,
    /// Encrypted backups whose keys are as they were asked to be.
    pub backups: u64,
    /// Backups in the clear, which have none.
    pub clear: u64,
    /// Wrapped keys that were added.
    pub added: u64,
    /// Wrapped keys that were removed.
    pub removed: u64,
}

/// What becomes of the keys that were wrapped for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Others {
    /// They stay.
    Keep,
    /// They go. Whoever has read a backup with one may have kept its data key.
    Remove,
}

impl Repository {
    /// Proves that the keys at hand open the newest backups: each is opened, and its contents are read.
    ///
    /// ```
    /// use opskit_core::{context::OpContext, repository::Repository};
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// assert!(repository.check_keys(&OpContext::default(), 5)?.is_sound());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind `Storage` when the repository cannot be read; `Cancelled`.
    pub fn check_keys(&self, ctx: &OpContext, newest: usize) -> Result<KeyCheck> {
        let mut backups = Vec::new();
        for id in self.backups()?.into_iter().rev().take(newest) {
            ctx.cancel().check()?;
            backups.push(self.keys_of(id)?);
        }
        Ok(KeyCheck {
            schema: "opskit.keys-check/1",
            backups,
        })
    }

    fn keys_of(&self, id: BackupId) -> Result<BackupKeys> {
        let reader = self.read(&id)?;
        let names = reader.stored_names()?;
        let names: Vec<&String> = names.iter().filter(|name| is_key(name)).collect();
        let recipient = |name: &&String| recipient_of(name).to_owned();
        let strangers = self.keyring.strangers(names.iter().copied());
        let problem = reader.contents().err();
        Ok(BackupKeys {
            encrypted: reader.is_sealed(),
            problem: problem.map(|error| error.chain().join(": ")),
            recipients: names.iter().map(recipient).collect(),
            strangers: strangers.iter().map(recipient).collect(),
            id,
        })
    }

    /// Wraps the keys of all encrypted backups for these too, and takes those of others away or lets them be.
    ///
    /// A backup has at each moment a key that was wrapped for somebody who is asked for. What was interrupted is
    /// run again.
    ///
    /// ```
    /// use opskit_core::context::OpContext;
    /// use opskit_core::repository::{Others, Repository};
    /// use opskit_core::seal::Identity;
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// let (identity, _) = Identity::generate();
    /// let wanted = [identity.recipient()];
    /// let report = repository.rekey(&OpContext::default(), &wanted, Others::Keep)?;
    /// assert_eq!(report.added, 0);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for no recipient, `PermissionDenied` when the keys at hand do not open a backup
    /// (nothing of it is changed then), of kind `Storage`, `Cancelled`.
    pub fn rekey(
        &self,
        ctx: &OpContext,
        wanted: &[Recipient],
        others: Others,
    ) -> Result<RekeyReport> {
        if wanted.is_empty() {
            let what = "there is nobody to wrap keys for";
            return Err(Error::new(ErrorKind::InvalidInput, what));
        }
        let mut report = RekeyReport {
            schema: "opskit.keys-rekey/1",
            ..RekeyReport::default()
        };
        for id in self.backups()? {
            ctx.cancel().check()?;
            self.rekey_one(&id, wanted, others, &mut report)?;
        }
        Ok(report)
    }

    fn rekey_one(
        &self,
        id: &BackupId,
        wanted: &[Recipient],
        others: Others,
        report: &mut RekeyReport,
    ) -> Result<()> {
        let reader = self.read(id)?;
        if !reader.is_sealed() {
            report.clear += 1;
            return Ok(());
        }
        let Some(sealing) = reader.sealing()? else {
            return Ok(());
        };
        let mut names = reader.stored_names()?;
        names.retain(|name| is_key(name));
        let mut kept: Vec<String> = Vec::new();
        for recipient in wanted {
            let own = names.iter().find(|name| is_for(name, &recipient.id()));
            // The passphrase may be another one by now.
            if let Some(own) = own.filter(|_| !recipient.is_passphrase()) {
                kept.push(own.clone());
                continue;
            }
            let wrapped = recipient.wrap(sealing.key(), &[self.id(), id.as_str()])?;
            let name = name_of(recipient, &wrapped);
            self.store
                .create(&format!("{BACKUPS}/{id}/{name}"), &wrapped)?;
            report.added += 1;
            kept.push(name);
        }
        let replaced = |name: &String| {
            wanted
                .iter()
                .any(|it| it.is_passphrase() && is_for(name, &it.id()))
        };
        let goes =
            |name: &&String| !kept.contains(name) && (others == Others::Remove || replaced(name));
        for name in names.iter().filter(goes) {
            self.store.remove(&format!("{BACKUPS}/{id}/{name}"))?;
            report.removed += 1;
        }
        report.backups += 1;
        Ok(())
    }

    /// Takes the wrapped keys of a recipient away, by [`Recipient::id`], where somebody else's is left that is at hand.
    ///
    /// # Errors
    /// `PermissionDenied` when the keys at hand do not open a backup without it (nothing of it is changed then), of kind
    /// `Storage`, `Cancelled`.
    pub fn remove_recipient(&self, ctx: &OpContext, recipient: &str) -> Result<RekeyReport> {
        let mut report = RekeyReport {
            schema: "opskit.keys-rekey/1",
            ..RekeyReport::default()
        };
        let left = self.keyring.identities().iter();
        let left = left.filter(|it| it.recipient().id() != recipient).cloned();
        // Signatures are asked for as ever; what is in the clear has no keys to take away.
        let keyring = self.keyring.opening_only_with(left).accepting_clear();
        let rest = self.clone().with_keyring(keyring);
        for id in self.backups()? {
            ctx.cancel().check()?;
            let reader = rest.read(&id)?;
            let mut names = reader.stored_names()?;
            names.retain(|name| is_key(name) && is_for(name, recipient));
            if !reader.is_sealed() {
                report.clear += 1;
                continue;
            }
            if !names.is_empty() {
                reader.sealing()?;
            }
            for name in &names {
                self.store.remove(&format!("{BACKUPS}/{id}/{name}"))?;
                report.removed += 1;
            }
            report.backups += 1;
        }
        Ok(report)
    }

    /// Refuses to add to a repository whose newest backup somebody has a key to whom the settings do not name.
    pub(crate) fn refuse_strangers(&self) -> Result<()> {
        let newest = match self.keyring.seals() {
            true => self.backups()?.pop(),
            false => None,
        };
        let Some(id) = newest else { return Ok(()) };
        let keys = self.keys_there(&id)?;
        let strangers = self.keyring.strangers(keys.iter());
        let Some(stranger) = strangers.first() else {
            return Ok(());
        };
        Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "backup {id} has a key for {}, whom the settings do not name",
                recipient_of(stranger)
            ),
        )
        .with_hint("If you took that recipient out of the settings, opskit keys rekey takes the keys away; otherwise somebody put it there."))
    }

    fn keys_there(&self, id: &BackupId) -> Result<Vec<String>> {
        let mut names = self.store.objects(&format!("{BACKUPS}/{id}"))?;
        names.retain(|name| is_key(name));
        Ok(names)
    }
}

/// The recipient in the name of a wrapped key.
fn recipient_of(name: &str) -> &str {
    let name = name.rsplit('/').next().unwrap_or(name);
    name.trim_end_matches(".age")
}
