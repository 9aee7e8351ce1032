//! The name of a backup: when it was started, and something that no other has.

use super::instant::{is_stamp, parse_stamp, stamp};
use crate::error::{Error, ErrorKind, Result};
use crate::name::random_hex;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use time::OffsetDateTime;

/// The identity of a backup. Later ones sort after earlier ones.
///
/// ```
/// use opskit_core::repository::BackupId;
/// let id: BackupId = "20261121T013000Z-7f3a9c2e".parse()?;
/// assert_eq!(id.to_string(), "20261121T013000Z-7f3a9c2e");
/// assert!("../../etc".parse::<BackupId>().is_err());
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct BackupId(String);

impl BackupId {
    /// A new one for a backup that starts `now`.
    ///
    /// ```
    /// use opskit_core::repository::BackupId;
    /// let id = BackupId::new(std::time::SystemTime::UNIX_EPOCH.into())?;
    /// assert!(id.as_str().starts_with("19700101T000000Z-"));
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::Internal`] for a time that has no year of four digits.
    pub fn new(now: OffsetDateTime) -> Result<Self> {
        let random = &random_hex()[..8];
        Ok(Self(format!("{}-{random}", stamp(now)?)))
    }

    /// When the run was started, to the second.
    ///
    /// ```
    /// use opskit_core::repository::BackupId;
    /// let id: BackupId = "20261121T013000Z-7f3a9c2e".parse()?;
    /// assert_eq!(id.started_at()?.unix_timestamp(), 1_795_224_600);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] where the name tells a time that does not exist.
    pub fn started_at(&self) -> Result<OffsetDateTime> {
        parse_stamp(&self.0).ok_or_else(|| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("backup {self} has a time that does not exist"),
            )
        })
    }

    /// The name as it stands in paths.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for BackupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for BackupId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        let whole = text.split_once('-').is_some_and(|(time, random)| {
            is_stamp(time) && random.len() == 8 && random.bytes().all(is_digit)
        });
        if whole {
            return Ok(Self(text.to_owned()));
        }
        Err(
            Error::new(ErrorKind::InvalidInput, format!("{text:?} is no backup"))
                .with_hint("Backups are named like 20261121T013000Z-7f3a9c2e, or latest."),
        )
    }
}

impl TryFrom<String> for BackupId {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<BackupId> for String {
    fn from(id: BackupId) -> Self {
        id.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn later_backups_sort_after_earlier_ones() {
        let id = |at| BackupId::new(at).unwrap();
        let (first, second) = (
            id(datetime!(2026-11-21 01:30:00 UTC)),
            id(datetime!(2026-11-21 02:30:01 +1)),
        );
        assert!(first < second, "{first} {second}");
        assert_eq!(first.to_string().parse::<BackupId>().unwrap(), first);
        assert_eq!(
            second.started_at().unwrap(),
            datetime!(2026-11-21 01:30:01 UTC)
        );
        let odd: BackupId = "20261341T013000Z-7f3a9c2e".parse().unwrap();
        assert!(odd.started_at().is_err());
    }

    #[test]
    fn nothing_else_is_a_backup() {
        for text in [
            "",
            "latest",
            "20261121T013000Z",
            "20261121T013000Z-7F3A9C2E",
            "20261121T013000Z-7f3a9c2e/",
            "20261121T013000Z-7f3a9c2",
            "2026112aT013000Z-7f3a9c2e",
        ] {
            assert!(text.parse::<BackupId>().is_err(), "{text}");
        }
    }
}
