//! Keys that were named: by options, by variables, and by `opskit.toml`.

use crate::App;
use crate::args::{RepositoryArgs, SigningArgs};
use crate::exit::usage_error;
use opskit_core::config::RepositoryPlace;
use opskit_core::repository::Keyring;
use opskit_core::seal::{Identity, Recipient, SigningKey, VerifyingKey};
use opskit_core::secret::Secret;
use opskit_core::{Error, ErrorKind};
use std::fs;
use std::path::{Path, PathBuf};

/// How a recipient is called that is whoever knows the passphrase.
const PASSPHRASE: &str = "passphrase";
const PASSPHRASE_FILE: &str = "OPSKIT_PASSPHRASE_FILE";
const SIGNING_KEY: &str = "OPSKIT_SIGNING_KEY";

/// What backups are sealed for and opened with, as it was named. Nothing of it is read yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeySettings {
    /// Public keys, or the word for the passphrase.
    pub(crate) recipients: Vec<String>,
    pub(crate) identities: Vec<PathBuf>,
    passphrase_file: Option<PathBuf>,
    pub(crate) accept_clear: bool,
    /// Whose signatures count.
    pub(crate) signers: Vec<VerifyingKey>,
    pub(crate) accept_unsigned: bool,
    signing_key: Option<PathBuf>,
}

impl KeySettings {
    /// What the environment says.
    pub(crate) fn of_environment(app: &App) -> Self {
        let path = |name: &str| app.env.var(name).map(PathBuf::from);
        Self {
            identities: path("OPSKIT_IDENTITY").into_iter().collect(),
            passphrase_file: path(PASSPHRASE_FILE),
            ..Self::default()
        }
    }

    /// The same, as `opskit.toml` says of a repository.
    pub(crate) fn pinned(mut self, settings: &RepositoryPlace) -> Self {
        self.recipients.clone_from(&settings.recipients);
        self.signers.clone_from(&settings.signers);
        self
    }

    /// What reading backups takes, by options.
    pub(crate) fn read_with(&mut self, args: &RepositoryArgs) {
        self.identities.extend(args.identity.iter().cloned());
        self.accept_clear = args.accept_clear;
        self.accept_unsigned = args.accept_unsigned;
        if !args.require_signature.is_empty() {
            self.signers.clone_from(&args.require_signature);
        }
    }

    /// What signs, by an option or by the environment.
    pub(crate) fn sign_with(&mut self, args: &SigningArgs, app: &App) {
        let named = || app.env.var(SIGNING_KEY).map(PathBuf::from);
        self.signing_key = args.signing_key.clone().or_else(named);
    }

    /// Reads the files.
    pub(crate) fn keyring(&self) -> Result<Keyring, Error> {
        let mut keyring = Keyring::new().sealing_for(self.recipients()?);
        for path in &self.identities {
            keyring = keyring.opening_with(identities(path)?);
        }
        if let Some(passphrase) = self.passphrase()? {
            keyring = keyring.opening_with([Identity::passphrase(passphrase)]);
        }
        if self.accept_clear {
            keyring = keyring.accepting_clear();
        }
        if self.accept_unsigned {
            keyring = keyring.accepting_unsigned();
        }
        if let Some(path) = &self.signing_key {
            keyring = keyring.signing_with(signing_key(path)?);
        }
        Ok(keyring.trusting(self.signers.iter().copied()))
    }

    fn recipients(&self) -> Result<Vec<Recipient>, Error> {
        self.recipients
            .iter()
            .map(|text| self.recipient(text))
            .collect()
    }

    /// Reads a recipient as it is written.
    pub(crate) fn recipient(&self, text: &str) -> Result<Recipient, Error> {
        if text != PASSPHRASE {
            return text.parse();
        }
        let passphrase = self.passphrase()?.ok_or_else(|| {
            usage_error(
                "backups are to be sealed with a passphrase, and none is given",
                "Name a file that holds it by OPSKIT_PASSPHRASE_FILE.",
            )
        })?;
        Ok(Recipient::passphrase(passphrase))
    }

    fn passphrase(&self) -> Result<Option<Secret>, Error> {
        let Some(path) = &self.passphrase_file else {
            return Ok(None);
        };
        let text = read(path, "the passphrase")?;
        let first = text.expose().lines().next().unwrap_or_default();
        match first.is_empty() {
            true => Err(usage_error(
                "the file of the passphrase is empty",
                "Its first line is the passphrase.",
            )),
            false => Ok(Some(Secret::new(first))),
        }
    }
}

fn identities(path: &Path) -> Result<Vec<Identity>, Error> {
    let keys = Identity::parse_file(read(path, "the key file")?.expose());
    keys.map_err(|error| error.while_doing(format!("cannot use \"{}\"", path.display())))
}

fn signing_key(path: &Path) -> Result<SigningKey, Error> {
    let key = SigningKey::parse_pem(read(path, "the signing key")?.expose());
    key.map_err(|error| error.while_doing(format!("cannot use \"{}\"", path.display())))
}

fn read(path: &Path, what: &str) -> Result<Secret, Error> {
    fs::read_to_string(path).map(Secret::new).map_err(|source| {
        let kind = match source.kind() {
            std::io::ErrorKind::NotFound => ErrorKind::NotFound,
            std::io::ErrorKind::PermissionDenied => ErrorKind::PermissionDenied,
            _ => ErrorKind::Storage,
        };
        Error::new(kind, format!("cannot read {what} \"{}\"", path.display())).with_source(source)
    })
}
