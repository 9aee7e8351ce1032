//! The names of records: what of, when, and of which backup.

use super::RecordKind;
use crate::error::Result;
use crate::name::random_hex;
use crate::repository::BackupId;
use crate::repository::instant::{is_stamp, parse_stamp, stamp};
use std::fmt;
use time::OffsetDateTime;

/// The name of a record: `<time>-<backup>.json` of a run, `<kind>-<time>-<random>-<backup>.json` of all else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RecordName {
    /// First, so that names are in the order of time.
    pub(super) stamp: String,
    /// The file.
    text: String,
    pub(super) kind: RecordKind,
    pub(super) backup: BackupId,
}

impl RecordName {
    /// A name that no other record has.
    pub(super) fn new(kind: RecordKind, backup: &BackupId, now: OffsetDateTime) -> Result<Self> {
        let stamp = stamp(now)?;
        let text = match kind {
            // There is one run of a backup.
            RecordKind::Run => format!("{stamp}-{backup}.json"),
            _ => {
                let random = &random_hex()[..8];
                format!("{}-{stamp}-{random}-{backup}.json", kind.as_str())
            }
        };
        Ok(Self {
            stamp,
            text,
            kind,
            backup: backup.clone(),
        })
    }

    /// What a file's name says; none where it is no record.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let stem = text.strip_suffix(".json")?;
        let (first, rest) = stem.split_once('-')?;
        let (kind, stamp, rest) = match is_stamp(first) {
            true => (RecordKind::Run, first, rest),
            false => {
                let kind = RecordKind::ALL
                    .into_iter()
                    .find(|kind| kind.as_str() == first)?;
                let (stamp, rest) = rest.split_once('-')?;
                let (random, rest) = rest.split_once('-')?;
                // The same form as a backup's name has.
                format!("{stamp}-{random}").parse::<BackupId>().ok()?;
                (kind, stamp, rest)
            }
        };
        Some(Self {
            stamp: stamp.to_owned(),
            text: text.to_owned(),
            kind,
            backup: rest.parse().ok()?,
        })
    }

    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// The second that it tells; none where there is no such time.
    pub(super) fn at(&self) -> Option<OffsetDateTime> {
        parse_stamp(&self.stamp)
    }
}

impl fmt::Display for RecordName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn every_name_that_we_give_is_understood() {
        let backup: BackupId = "20261121T013000Z-7f3a9c2e".parse().unwrap();
        for kind in RecordKind::ALL {
            let name = RecordName::new(kind, &backup, datetime!(2026-11-21 02:00:00 UTC)).unwrap();
            assert_eq!(RecordName::parse(name.as_str()), Some(name.clone()));
            assert_eq!(name.at(), Some(datetime!(2026-11-21 02:00:00 UTC)));
            assert_eq!((name.kind, &name.backup), (kind, &backup));
        }
    }

    #[test]
    fn the_order_is_that_of_time_whatever_the_kind() {
        let names = [
            "verify-20261121T020000Z-00000000-20261121T013000Z-7f3a9c2e.json",
            "20261121T030000Z-20261121T013000Z-7f3a9c2e.json",
            "drill-20261121T040000Z-00000000-20261121T013000Z-7f3a9c2e.json",
        ];
        assert!(names.map(RecordName::parse).is_sorted());
    }

    #[test]
    fn other_files_are_no_records() {
        for name in [
            "",
            "notes.json",
            ".20261121T030000Z-20261121T013000Z-7f3a9c2e.json.partial-00",
            "20261121T030000Z-20261121T013000Z.json",
            "20261121T030000Z-20261121T013000Z-7f3a9c2e",
            "party-20261121T020000Z-00000000-20261121T013000Z-7f3a9c2e.json",
            "drill-20261121T020000Z-0000000-20261121T013000Z-7f3a9c2e.json",
            "drill-20261121T020000Z-00000000-../../etc/passwd.json",
        ] {
            assert_eq!(RecordName::parse(name), None, "{name}");
        }
    }
}
