//! Adding a record: it names those before it by their digests.

use super::name::RecordName;
use super::{Link, RECORD_BYTES_MAX, RecordKind, written};
use crate::error::Result;
use crate::name::hex;
use crate::repository::instant::rfc3339;
use crate::repository::layout::HISTORY;
use crate::repository::{BackupId, Repository};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::time::Duration;
use time::OffsetDateTime;

/// How many records are looked at to find the ends of the chain. It takes one, and as many more as were
/// written at the same time.
const LOOKED_AT_MAX: usize = 64;
/// A writer may be this late: it looked for the end, and its record came after others.
const LATE_MAX: Duration = Duration::from_secs(60);
/// A clock that differs by more is wrong, and no example for others.
const SKEW_MAX: Duration = Duration::from_secs(3600);

/// What every record has besides what it tells.
#[derive(Debug, Serialize)]
struct Chained<'a, T> {
    #[serde(flatten)]
    record: &'a T,
    recorded_at: String,
    previous: Vec<Link>,
}

/// The same, of any record that was read. Old ones have neither.
#[derive(Debug, Default, Clone, PartialEq, Eq, Deserialize)]
pub(super) struct Tail {
    #[serde(default)]
    pub(super) recorded_at: Option<String>,
    #[serde(default)]
    pub(super) previous: Option<Vec<Link>>,
}

impl Tail {
    /// What a stored record says; nothing where it is none.
    pub(super) fn of(bytes: &[u8]) -> Self {
        serde_json::from_slice(bytes).unwrap_or_default()
    }
}

impl Repository {
    /// Adds a record about a backup to the end of the chain.
    pub(crate) fn append(
        &self,
        kind: RecordKind,
        backup: &BackupId,
        record: &impl Serialize,
        now: OffsetDateTime,
    ) -> Result<()> {
        let names = self.record_names()?;
        let read = |name: &str| {
            self.store
                .read(&format!("{HISTORY}/{name}"), RECORD_BYTES_MAX)
                .ok()
        };
        let now = not_before(names.last().and_then(RecordName::at), now);
        let text = written(&Chained {
            record,
            recorded_at: rfc3339(now)?,
            previous: ends(&names, read),
        })?;
        let name = RecordName::new(kind, backup, now)?;
        self.store.create(&format!("{HISTORY}/{name}"), &text)
    }
}

/// The time of a record that comes after one of the time `last`: clocks of several machines differ, and one that is
/// a little late must not put its record where nobody looks for the end.
fn not_before(last: Option<OffsetDateTime>, now: OffsetDateTime) -> OffsetDateTime {
    last.filter(|last| *last > now && *last - now < SKEW_MAX)
        .unwrap_or(now)
}

/// Goes back from the latest name until all that is left must have been named by one that was read.
fn ends(names: &[RecordName], read: impl Fn(&str) -> Option<Vec<u8>>) -> Vec<Link> {
    let mut links = Vec::new();
    let mut named = BTreeSet::new();
    // All up to this name were there when the earliest of those that were read was written.
    let mut floor: Option<RecordName> = None;
    let recent = names.last().and_then(|last| Some(last.at()? - LATE_MAX));
    for name in names.iter().rev().take(LOOKED_AT_MAX) {
        let is_old = recent.is_none_or(|recent| name.at().is_none_or(|at| at < recent));
        if is_old && floor.as_ref().is_some_and(|floor| name <= floor) {
            break;
        }
        // What cannot be read has no digest, and must not keep others from being told.
        let Some(bytes) = read(name.as_str()) else {
            continue;
        };
        let previous = Tail::of(&bytes).previous.unwrap_or_default();
        let before = previous
            .iter()
            .filter_map(|link| RecordName::parse(&link.name));
        let before = before.min().unwrap_or_else(|| name.clone());
        floor = Some(floor.map_or(before.clone(), |floor| floor.min(before)));
        named.extend(previous.into_iter().map(|link| link.name));
        links.push(Link {
            name: name.as_str().to_owned(),
            sha256: hex(&Sha256::digest(&bytes)),
        });
    }
    links.retain(|link| !named.contains(&link.name));
    links
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;

    /// Records by their names: `(second, number)`, with the ones that they name.
    #[derive(Default)]
    struct Records(BTreeMap<String, Vec<u8>>);

    fn name(second: u32, number: u32) -> String {
        format!("verify-20261121T0130{second:02}Z-{number:08x}-20261121T013000Z-7f3a9c2e.json")
    }

    impl Records {
        fn names(&self) -> Vec<RecordName> {
            let mut names: Vec<_> = self
                .0
                .keys()
                .filter_map(|name| RecordName::parse(name))
                .collect();
            names.sort();
            names
        }

        fn ends(&self) -> Vec<Link> {
            ends(&self.names(), |name| self.0.get(name).cloned())
        }

        fn put(&mut self, name: String, previous: Vec<Link>) {
            let text = serde_json::json!({ "previous": previous }).to_string();
            self.0.insert(name, text.into_bytes());
        }

        fn add(&mut self, name: String) {
            let previous = self.ends();
            self.put(name, previous);
        }

        fn told(&self) -> Vec<String> {
            self.ends().into_iter().map(|link| link.name).collect()
        }
    }

    #[test]
    fn one_after_the_other_there_is_one_end() {
        let mut records = Records::default();
        assert_eq!(records.told(), [""; 0]);
        // Within one second names are in no order.
        for (second, number) in [(1, 5), (2, 9), (2, 1), (2, 4), (3, 0)] {
            records.add(name(second, number));
            assert_eq!(records.told(), [name(second, number)]);
        }
    }

    #[test]
    fn those_of_one_time_are_all_named_by_the_next() {
        let mut records = Records::default();
        records.add(name(1, 1));
        let before = records.ends();
        for number in [7, 3] {
            records.put(name(2, number), before.clone());
        }
        assert_eq!(records.told(), [name(2, 7), name(2, 3)]);
        records.add(name(3, 0));
        assert_eq!(records.told(), [name(3, 0)]);
        // One that looked for the end long before it wrote.
        records.put(name(2, 5), Vec::new());
        assert_eq!(records.told(), [name(3, 0), name(2, 5)]);
    }

    /// A clock that was far ahead once makes writing no harder, and breaks nothing.
    #[test]
    fn a_clock_that_was_ahead() {
        let mut records = Records::default();
        records.add(name(50, 1));
        for number in 0..100 {
            records.add(name(2, number));
            let last = name(2, number);
            assert!(records.told().contains(&last));
        }
    }

    #[test]
    fn a_clock_that_is_late_comes_after_all_the_same() {
        let at = OffsetDateTime::UNIX_EPOCH;
        let second = Duration::from_secs(1);
        assert_eq!(not_before(None, at), at);
        assert_eq!(not_before(Some(at - second), at), at);
        assert_eq!(not_before(Some(at + second), at), at + second);
        assert_eq!(not_before(Some(at + SKEW_MAX), at), at);
    }

    #[test]
    fn old_records_are_the_beginning() {
        let mut records = Records::default();
        for number in [1, 2] {
            records.0.insert(name(1, number), b"{}".to_vec());
        }
        assert_eq!(records.told(), [name(1, 2), name(1, 1)]);
        records.add(name(2, 0));
        assert_eq!(records.told(), [name(2, 0)]);
        records.0.insert(name(3, 0), b"{".to_vec());
        // What is no JSON names none, and has a digest all the same.
        assert_eq!(records.told(), [name(3, 0), name(2, 0)]);
    }
}
