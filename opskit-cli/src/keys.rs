//! Keys that were named: by options, by variables, and by `opskit.toml`.

use crate::App;
use crate::exit::usage_error;
use opskit_core::repository::Keyring;
use opskit_core::seal::{Identity, Recipient};
use opskit_core::secret::Secret;
use opskit_core::{Error, ErrorKind};
use std::fs;
use std::path::{Path, PathBuf};

/// How a recipient is called that is whoever knows the passphrase.
const PASSPHRASE: &str = "passphrase";
const PASSPHRASE_FILE: &str = "OPSKIT_PASSPHRASE_FILE";

/// What backups are sealed for and opened with, as it was named. Nothing of it is read yet.
#[derive(Debug, Clone, Default)]
pub(crate) struct KeySettings {
    /// Public keys, or the word for the passphrase.
    pub(crate) recipients: Vec<String>,
    pub(crate) identities: Vec<PathBuf>,
    passphrase_file: Option<PathBuf>,
    pub(crate) accept_clear: bool,
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

    /// The same, for these.
    pub(crate) fn sealing_for(mut self, recipients: &[String]) -> Self {
        self.recipients = recipients.to_vec();
        self
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
        Ok(match self.accept_clear {
            true => keyring.accepting_clear(),
            false => keyring,
        })
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
