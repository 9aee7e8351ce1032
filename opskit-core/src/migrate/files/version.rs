//! What orders migrations.

use crate::error::{Error, ErrorKind, Result};
use serde::{Serialize, Serializer};
use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;

/// The number of a migration: a time (`20261127093000`) or a count (`0007`).
///
/// Versions are compared as numbers, so `7` and `0007` are one. The digits are kept as they were written, because the
/// history table of the Supabase CLI has them as text.
///
/// ```
/// use opskit_core::migrate::Version;
/// let version: Version = "0007".parse()?;
/// assert_eq!(version, "7".parse()?);
/// assert_eq!(version.to_string(), "0007");
/// assert!(version < "20261127093000".parse()?);
/// assert!("7a".parse::<Version>().is_err());
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct Version {
    number: i64,
    digits: Box<str>,
}

impl Version {
    /// The version as a number.
    #[must_use]
    pub fn number(&self) -> i64 {
        self.number
    }
}

impl FromStr for Version {
    type Err = Error;

    /// # Errors
    /// Of kind `InvalidInput` for what is no number that fits 63 bits.
    fn from_str(text: &str) -> Result<Self> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(number) if digits => Ok(Self {
                number,
                digits: text.into(),
            }),
            _ => Err(Error::new(
                ErrorKind::InvalidInput,
                format!("\"{text}\" is no version of a migration"),
            )
            .with_hint("A version is the number that the name of the file starts with.")),
        }
    }
}

impl From<i64> for Version {
    fn from(number: i64) -> Self {
        Self {
            number,
            digits: number.to_string().into(),
        }
    }
}

impl fmt::Display for Version {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.digits)
    }
}

impl Serialize for Version {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.digits)
    }
}

impl PartialEq for Version {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Version {}

impl Hash for Version {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.number.hash(state);
    }
}

impl PartialOrd for Version {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Version {
    fn cmp(&self, other: &Self) -> Ordering {
        self.number.cmp(&other.number)
    }
}

/// Which migration is meant: one with a version runs once; a repeatable one again whenever its text changed, after all
/// that have a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MigrationId {
    /// By its version.
    Versioned(Version),
    /// By its name.
    Repeatable(String),
}

impl MigrationId {
    /// The version, of one that has one.
    #[must_use]
    pub fn version(&self) -> Option<&Version> {
        match self {
            Self::Versioned(version) => Some(version),
            Self::Repeatable(_) => None,
        }
    }

    /// What stands in the history table for it: equal for equal ids.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::Versioned(version) => version.number().to_string(),
            Self::Repeatable(name) => format!("R:{name}"),
        }
    }
}

impl fmt::Display for MigrationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Versioned(version) => version.fmt(f),
            Self::Repeatable(name) => write!(f, "R__{name}"),
        }
    }
}

impl Serialize for MigrationId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
