//! Data keys wrapped for those who may read a backup: age files (age-encryption.org/v1), one per recipient.

use super::{DataKey, place};
use crate::error::{Error, ErrorKind, Result};
use crate::name::hex;
use crate::secret::Secret;
use age::secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io::{Read as _, Write as _};
use std::str::FromStr;
use zeroize::Zeroizing;

/// What the passphrase is called among recipients.
pub(crate) const PASSPHRASE: &str = "passphrase";
/// The largest wrapped key that is read.
pub(crate) const WRAPPED_BYTES_MAX: u64 = 16 << 10;
/// What is wrapped: a digest of whose key it is, and the key.
const PAYLOAD_BYTES: usize = 64;
/// How many bytes of a digest name a recipient.
const ID_BYTES: usize = 8;

/// Who may read backups: the holder of an age key (X25519), or whoever knows a passphrase.
///
/// ```
/// use opskit_core::seal::{Identity, Recipient};
/// let (identity, _) = Identity::generate();
/// let recipient: Recipient = identity.recipient().to_string().parse()?;
/// assert_eq!(recipient, identity.recipient());
/// assert!("age1nothing".parse::<Recipient>().is_err());
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Recipient(Kind);

#[derive(Clone)]
enum Kind {
    Key(Box<age::x25519::Recipient>),
    Passphrase(Secret),
}

impl Recipient {
    /// Whoever knows this passphrase. It should be one that a machine made: guesses are slow, and not impossible.
    #[must_use]
    pub fn passphrase(passphrase: Secret) -> Self {
        Self(Kind::Passphrase(passphrase))
    }

    /// What names it where a key object is stored: the beginning of a digest of the public key, or `passphrase`.
    ///
    /// ```
    /// use opskit_core::seal::Recipient;
    /// use opskit_core::secret::Secret;
    /// assert_eq!(Recipient::passphrase(Secret::new("x")).id(), "passphrase");
    /// ```
    #[must_use]
    pub fn id(&self) -> String {
        match &self.0 {
            Kind::Key(key) => hex(&Sha256::digest(key.to_string())[..ID_BYTES]),
            Kind::Passphrase(_) => PASSPHRASE.to_owned(),
        }
    }

    pub(crate) fn is_passphrase(&self) -> bool {
        matches!(self.0, Kind::Passphrase(_))
    }

    /// Wraps a key for this recipient. The text says whose key it is; it opens nothing else.
    pub(crate) fn wrap(&self, key: &DataKey, of: &[&str]) -> Result<Vec<u8>> {
        let mut payload = Zeroizing::new([0; PAYLOAD_BYTES]);
        payload[..32].copy_from_slice(&place(of));
        payload[32..].copy_from_slice(key.as_bytes());
        let encryptor = match &self.0 {
            Kind::Key(key) => {
                let key: &dyn age::Recipient = &**key;
                age::Encryptor::with_recipients(std::iter::once(key)).map_err(cannot_wrap)?
            }
            Kind::Passphrase(secret) => {
                age::Encryptor::with_user_passphrase(SecretString::from(secret.expose()))
            }
        };
        let mut wrapped = Vec::new();
        let mut writer = encryptor.wrap_output(&mut wrapped).map_err(cannot_wrap)?;
        writer.write_all(&*payload).map_err(cannot_wrap)?;
        writer.finish().map_err(cannot_wrap)?;
        Ok(wrapped)
    }
}

impl PartialEq for Recipient {
    fn eq(&self, other: &Self) -> bool {
        match (&self.0, &other.0) {
            (Kind::Key(one), Kind::Key(other)) => one.to_string() == other.to_string(),
            (Kind::Passphrase(one), Kind::Passphrase(other)) => one == other,
            _ => false,
        }
    }
}

impl FromStr for Recipient {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let key = text.parse::<age::x25519::Recipient>();
        let key = key.map_err(|_| {
            let error = Error::new(ErrorKind::InvalidInput, "that is no public key of age");
            match text.starts_with("AGE-SECRET-KEY-") {
                true => error.with_hint(
                    "It is a secret key, which belongs into a file of its own: give the public one, age1…",
                ),
                false => error.with_hint("Public keys begin with age1; opskit keys new makes one."),
            }
        })?;
        Ok(Self(Kind::Key(Box::new(key))))
    }
}

/// The public key, or `passphrase`.
impl fmt::Display for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Key(key) => key.fmt(f),
            Kind::Passphrase(_) => f.write_str(PASSPHRASE),
        }
    }
}

impl fmt::Debug for Recipient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient({self})")
    }
}

/// What opens backups: a secret key of age (X25519), or a passphrase. It is never shown.
#[derive(Clone)]
pub struct Identity(Secrets);

#[derive(Clone)]
enum Secrets {
    Key(Box<age::x25519::Identity>),
    Passphrase(Secret),
}

impl Identity {
    /// A new key, and its text, which belongs into a file that nobody else can read.
    ///
    /// ```
    /// use opskit_core::seal::Identity;
    /// let (identity, text) = Identity::generate();
    /// let read = Identity::parse_file(text.expose())?;
    /// assert_eq!(read[0].recipient(), identity.recipient());
    /// assert_eq!(format!("{identity:?}"), format!("Identity({})", identity.recipient()));
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    #[must_use]
    pub fn generate() -> (Self, Secret) {
        let key = age::x25519::Identity::generate();
        let text = Secret::new(key.to_string().expose_secret());
        (Self(Secrets::Key(Box::new(key))), text)
    }

    /// Whoever knows a passphrase.
    #[must_use]
    pub fn passphrase(passphrase: Secret) -> Self {
        Self(Secrets::Passphrase(passphrase))
    }

    /// The keys of a key file: a line each, lines with `#` and empty ones aside.
    ///
    /// ```
    /// use opskit_core::{ErrorKind, seal::Identity};
    /// let error = Identity::parse_file("# nothing\n").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::InvalidInput);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for a line that is no secret key of age, and for no key at all.
    pub fn parse_file(text: &str) -> Result<Vec<Self>> {
        let mut keys = Vec::new();
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let key = line.parse::<age::x25519::Identity>().map_err(|_| {
                let what = format!("line {} is no secret key of age", number + 1);
                Error::new(ErrorKind::InvalidInput, what)
                    .with_hint("A key file has a line AGE-SECRET-KEY-1… for each key; opskit keys new makes one.")
            })?;
            keys.push(Self(Secrets::Key(Box::new(key))));
        }
        match keys.is_empty() {
            true => Err(Error::new(ErrorKind::InvalidInput, "there is no key in it")),
            false => Ok(keys),
        }
    }

    /// Who can be sent to this.
    #[must_use]
    pub fn recipient(&self) -> Recipient {
        match &self.0 {
            Secrets::Key(key) => Recipient(Kind::Key(Box::new(key.to_public()))),
            Secrets::Passphrase(secret) => Recipient::passphrase(secret.clone()),
        }
    }

    /// Opens a wrapped key. None where it was wrapped for somebody else.
    pub(crate) fn unwrap(&self, wrapped: &[u8], of: &[&str]) -> Result<Option<DataKey>> {
        let decryptor = age::Decryptor::new_buffered(wrapped).map_err(|_| damaged())?;
        let opened = match &self.0 {
            Secrets::Key(key) => {
                let key: &dyn age::Identity = &**key;
                decryptor.decrypt(std::iter::once(key))
            }
            Secrets::Passphrase(secret) => {
                let identity = age::scrypt::Identity::new(SecretString::from(secret.expose()));
                let identity: &dyn age::Identity = &identity;
                decryptor.decrypt(std::iter::once(identity))
            }
        };
        let reader = match opened {
            Ok(reader) => reader,
            Err(
                age::DecryptError::NoMatchingKeys
                | age::DecryptError::DecryptionFailed
                | age::DecryptError::KeyDecryptionFailed,
            ) => return Ok(None),
            Err(_) => return Err(damaged()),
        };
        let mut payload = Zeroizing::new(Vec::with_capacity(PAYLOAD_BYTES + 1));
        let read = reader
            .take(PAYLOAD_BYTES as u64 + 1)
            .read_to_end(&mut payload);
        read.map_err(|_| damaged())?;
        let (whose, key) = payload.split_at_checked(32).ok_or_else(damaged)?;
        let key: [u8; 32] = key.try_into().map_err(|_| damaged())?;
        match whose == place(of) {
            true => Ok(Some(DataKey::from_bytes(key))),
            false => Err(Error::new(
                ErrorKind::Damaged,
                "the key is that of another backup or repository",
            )),
        }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({})", self.recipient())
    }
}

fn damaged() -> Error {
    Error::new(ErrorKind::Damaged, "the wrapped key cannot be understood")
}

fn cannot_wrap(source: impl fmt::Display) -> Error {
    Error::new(ErrorKind::Internal, "the data key cannot be wrapped")
        .with_source(source.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const OF: [&str; 2] = ["repository", "backup"];

    #[test]
    fn a_key_opens_what_was_wrapped_for_it_and_nothing_else() {
        let (mine, _) = Identity::generate();
        let (other, _) = Identity::generate();
        let key = DataKey::from_bytes([9; 32]);
        let wrapped = mine.recipient().wrap(&key, &OF).unwrap();
        let opened = mine.unwrap(&wrapped, &OF).unwrap().unwrap();
        assert_eq!(opened.as_bytes(), key.as_bytes());
        assert!(other.unwrap(&wrapped, &OF).unwrap().is_none());
        let error = mine.unwrap(&wrapped, &["repository", "other"]).unwrap_err();
        assert!(error.to_string().contains("another backup"), "{error}");
    }

    #[test]
    fn a_passphrase_does_too() {
        let right = Secret::new("correct horse");
        let key = DataKey::from_bytes([9; 32]);
        let wrapped = Recipient::passphrase(right.clone())
            .wrap(&key, &OF)
            .unwrap();
        let opened = Identity::passphrase(right).unwrap(&wrapped, &OF).unwrap();
        assert_eq!(opened.unwrap().as_bytes(), key.as_bytes());
        let wrong = Identity::passphrase(Secret::new("wrong"));
        assert!(wrong.unwrap(&wrapped, &OF).unwrap().is_none());
        let (key_of_somebody, _) = Identity::generate();
        assert!(key_of_somebody.unwrap(&wrapped, &OF).unwrap().is_none());
    }

    #[test]
    fn every_damage_of_a_wrapped_key_is_told() {
        let (mine, _) = Identity::generate();
        let wrapped = mine
            .recipient()
            .wrap(&DataKey::from_bytes([9; 32]), &OF)
            .unwrap();
        for at in 0..wrapped.len() {
            let mut changed = wrapped.clone();
            changed[at] ^= 1;
            let opened = mine.unwrap(&changed, &OF);
            assert!(!matches!(opened, Ok(Some(_))), "byte {at}");
            assert!(
                !matches!(mine.unwrap(&wrapped[..at], &OF), Ok(Some(_))),
                "cut at {at}"
            );
        }
    }

    #[test]
    fn a_secret_key_is_not_taken_for_a_public_one_nor_repeated() {
        let (_, text) = Identity::generate();
        let error = text.expose().parse::<Recipient>().unwrap_err();
        assert!(error.hint().unwrap().contains("secret key"));
        let told = format!("{error:?}");
        assert!(!told.contains(&text.expose()[20..]), "{told}");
        let error =
            Identity::parse_file(&format!("# made today\n\n{}x\n", text.expose())).unwrap_err();
        assert_eq!(error.to_string(), "line 3 is no secret key of age");
    }
}
