//! Whether a schedule was kept, by what it wants and not by what happened.

use super::{RunRecord, RunStatus, Selection};
use crate::error::Result;
use crate::repository::{BackupType, Repository};
use serde::Serialize;
use std::time::Duration;
use time::OffsetDateTime;

/// What is missing where a schedule was not kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Overdue {
    /// There is no backup.
    Never,
    /// The last one is older than it may be, by this much.
    By(Duration),
}

impl Repository {
    /// Whether a target has no backup that is younger than its schedule wants. Only backups count that
    /// are still there and hold all rows; the name is the one that their runs were given. Records that cannot
    /// be read count for nothing.
    ///
    /// ```
    /// use opskit_core::repository::{Overdue, Repository};
    /// use std::time::{Duration, SystemTime};
    /// let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// let every = Duration::from_secs(24 * 3600);
    /// let overdue = repository.overdue("shop", every, SystemTime::now().into())?;
    /// assert_eq!(overdue, Some(Overdue::Never));
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`Self::read_history`] and [`Self::backups`].
    pub fn overdue(
        &self,
        target: &str,
        every: Duration,
        now: OffsetDateTime,
    ) -> Result<Option<Overdue>> {
        let there = self.backups()?;
        let keeps_schedule = |record: &RunRecord| {
            record.status == RunStatus::Success
                && record.backup_type == BackupType::Full
                && record.selection == Selection::All
                && record.target.as_deref() == Some(target)
                && there.contains(&record.id)
        };
        let records = self.read_history()?.runs().into_iter();
        let ids = records.filter(keeps_schedule);
        let Some(last) = ids.map(|record| record.id).max() else {
            return Ok(Some(Overdue::Never));
        };
        let age = now - last.started_at()?;
        let late = age - every;
        Ok((late.is_positive()).then(|| Overdue::By(late.unsigned_abs())))
    }
}
