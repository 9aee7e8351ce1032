//! The environment as it is written down: digests, no values.

use crate::config::{Variable, VariableClass};
use crate::error::{Error, ErrorKind, Result, unreadable_json};
use crate::name::hex;
use hmac::{Hmac, KeyInit as _, Mac as _};
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use std::collections::BTreeMap;

/// The version of the stored form.
pub const FROZEN_VERSION: u32 = 1;
/// What the stored form is called.
const SCHEMA: &str = "opskit.env/1";
/// Long enough that no two files have the same unasked.
const SALT_BYTES: usize = 32;

/// What digests are salted with. Values compare under one salt only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Salt(String);

impl Salt {
    /// One that nobody had before.
    ///
    /// ```
    /// use opskit_core::environment::Salt;
    /// assert_ne!(Salt::random()?, Salt::random()?);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when the system gives no random bytes.
    pub fn random() -> Result<Self> {
        let mut bytes = [0; SALT_BYTES];
        let random = rustls::crypto::ring::default_provider().secure_random;
        let filled = random.fill(&mut bytes);
        filled.map_err(|_| Error::new(ErrorKind::Internal, "the system gives no random bytes"))?;
        Ok(Self(hex(&bytes)))
    }

    /// The digest of the value of a variable: of another variable with the same value it is another.
    fn digest(&self, name: &str, value: &str) -> Result<String> {
        let mac = Hmac::<Sha256>::new_from_slice(self.0.as_bytes());
        let mut mac = mac.map_err(|_| Error::new(ErrorKind::Internal, "a salt cannot be used"))?;
        mac.update(name.as_bytes());
        mac.update(&[0]);
        mac.update(value.as_bytes());
        Ok(hex(&mac.finalize().into_bytes()))
    }
}

/// One variable, as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenVariable {
    /// What may become of its value.
    pub class: VariableClass,
    /// HMAC-SHA-256 of its name and value. None where it was not set.
    pub hmac_sha256: Option<String>,
}

/// The declared variables of an environment, as they were.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Frozen {
    /// `opskit.env/1`.
    pub schema: String,
    /// [`FROZEN_VERSION`].
    pub version: u32,
    /// What the digests were salted with.
    pub salt: Salt,
    /// The variables by their names.
    pub variables: BTreeMap<String, FrozenVariable>,
}

impl Frozen {
    /// Writes the declared variables down. `value` gives that of a variable which is set and not empty.
    ///
    /// ```
    /// use opskit_core::config::Config;
    /// use opskit_core::environment::{Frozen, Salt};
    /// let config = Config::parse("[env.PROJECT]\nclass = \"frozen\"")?;
    /// let frozen = Frozen::of(&config.variables, |_| Some("s3cret"), Salt::random()?)?;
    /// assert!(!frozen.to_json()?.contains("s3cret"));
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when no digest can be taken.
    pub fn of<'a>(
        variables: &BTreeMap<String, Variable>,
        value: impl Fn(&str) -> Option<&'a str>,
        salt: Salt,
    ) -> Result<Self> {
        let mut frozen = BTreeMap::new();
        for (name, variable) in variables {
            let digest = value(name).map(|value| salt.digest(name, value));
            let variable = FrozenVariable {
                class: variable.class,
                hmac_sha256: digest.transpose()?,
            };
            frozen.insert(name.clone(), variable);
        }
        Ok(Self {
            schema: SCHEMA.to_owned(),
            version: FROZEN_VERSION,
            salt,
            variables: frozen,
        })
    }

    /// The stored form.
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] when it cannot be written.
    pub fn to_json(&self) -> Result<String> {
        let text = serde_json::to_string_pretty(self).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write the environment").with_source(source)
        })?;
        Ok(text + "\n")
    }

    /// Reads the stored form.
    ///
    /// ```
    /// use opskit_core::{ErrorKind, environment::Frozen};
    /// let error = Frozen::from_json(b"{}").unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Damaged);
    /// let error = Frozen::from_json(br#"{"version": 99}"#).unwrap_err();
    /// assert_eq!(error.kind(), ErrorKind::Unsupported);
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Unsupported`] for one of a later version, [`ErrorKind::Damaged`] for what is none.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Versioned {
            version: u32,
        }
        let what = "cannot understand the frozen environment";
        let unreadable = |source| unreadable_json(what.to_owned(), &source);
        let Versioned { version } = serde_json::from_slice(bytes).map_err(unreadable)?;
        if version != FROZEN_VERSION {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "the frozen environment is of version {version}, and this opskit knows {FROZEN_VERSION}"
                ),
            ));
        }
        let frozen: Self = serde_json::from_slice(bytes).map_err(unreadable)?;
        if frozen.schema == SCHEMA {
            return Ok(frozen);
        }
        Err(Error::new(
            ErrorKind::Damaged,
            "this is no frozen environment",
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last one was computed by `openssl dgst -sha256 -hmac`.
    #[test]
    fn digests_are_of_name_and_value() {
        let salt = Salt("00".repeat(SALT_BYTES));
        let of = |name, value| salt.digest(name, value).unwrap();
        assert_eq!(of("A", "x").len(), 64);
        assert_ne!(of("A", "x"), of("B", "x"));
        assert_ne!(of("A", "x"), of("A", "y"));
        assert_ne!(
            of("A", "x"),
            Salt::random().unwrap().digest("A", "x").unwrap()
        );
        assert_eq!(of("A", "x"), OPENSSL);
    }

    const OPENSSL: &str = "0be38fcbb4d13cc245f1949d27d10f4cc4250d82918d6dba5afe9447fdce98e1";
}
