//! What to keep of the backups, as it is written and checked.

use super::raw::Checker;
use super::{TargetClass, parse_duration};
use crate::error::Result;
use serde::Deserialize;
use std::time::Duration;
use toml::Spanned;

/// The most that a rule can count.
const COUNT_MAX: u32 = 100_000;

/// Which backups to keep: a backup stays when one of these says so.
///
/// ```
/// use opskit_core::config::Retention;
/// let mut rules = Retention::default();
/// assert!(!rules.says_something());
/// rules.keep_daily = Some(7);
/// assert!(rules.says_something());
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Retention {
    /// The last ones, this many.
    pub keep_last: Option<u32>,
    /// All that are not older than the newest by more than this.
    pub keep_within: Option<Duration>,
    /// The last one of each hour, of this many hours that have any.
    pub keep_hourly: Option<u32>,
    /// The last one of each day.
    pub keep_daily: Option<u32>,
    /// The last one of each ISO week.
    pub keep_weekly: Option<u32>,
    /// The last one of each month.
    pub keep_monthly: Option<u32>,
    /// The last one of each quarter of a year.
    pub keep_quarterly: Option<u32>,
    /// The last one of each year.
    pub keep_yearly: Option<u32>,
    /// Never leave fewer than this many that were found good.
    pub keep_verified: Option<u32>,
    /// Tags whose values tell backups of one database apart.
    pub group_by: Vec<String>,
}

impl Retention {
    /// Whether a rule says what to keep. A minimum of verified ones alone says nothing.
    #[must_use]
    pub fn says_something(&self) -> bool {
        let counts = [
            self.keep_last,
            self.keep_hourly,
            self.keep_daily,
            self.keep_weekly,
            self.keep_monthly,
            self.keep_quarterly,
            self.keep_yearly,
        ];
        self.keep_within.is_some() || counts.iter().any(Option::is_some)
    }

    /// What holds for a class of targets where nobody says: 30 days of production, 7 days of staging. What may be
    /// thrown away is not thrown away unasked.
    ///
    /// ```
    /// use opskit_core::config::{Retention, TargetClass};
    /// let rules = Retention::of_class(TargetClass::Production).unwrap();
    /// assert_eq!(rules.keep_within.unwrap().as_secs(), 30 * 86_400);
    /// assert_eq!(Retention::of_class(TargetClass::Scratch), None);
    /// ```
    #[must_use]
    pub fn of_class(class: TargetClass) -> Option<Self> {
        let days = match class {
            TargetClass::Production => 30,
            TargetClass::Staging => 7,
            TargetClass::Scratch => return None,
        };
        Some(Self {
            keep_within: Some(Duration::from_secs(days * 86_400)),
            ..Self::default()
        })
    }
}

/// What holds for classes of targets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct ClassRetention {
    /// Of production.
    pub production: Option<Retention>,
    /// Of staging.
    pub staging: Option<Retention>,
    /// Of what may be thrown away.
    pub scratch: Option<Retention>,
}

impl ClassRetention {
    pub(super) fn of(&self, class: TargetClass) -> Option<&Retention> {
        match class {
            TargetClass::Production => self.production.as_ref(),
            TargetClass::Staging => self.staging.as_ref(),
            TargetClass::Scratch => self.scratch.as_ref(),
        }
    }
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawClassRetention {
    production: Option<Spanned<RawRetention>>,
    staging: Option<Spanned<RawRetention>>,
    scratch: Option<Spanned<RawRetention>>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawRetention {
    keep_last: Option<Spanned<u32>>,
    keep_within: Option<Spanned<String>>,
    keep_hourly: Option<Spanned<u32>>,
    keep_daily: Option<Spanned<u32>>,
    keep_weekly: Option<Spanned<u32>>,
    keep_monthly: Option<Spanned<u32>>,
    keep_quarterly: Option<Spanned<u32>>,
    keep_yearly: Option<Spanned<u32>>,
    keep_verified: Option<Spanned<u32>>,
    #[serde(default)]
    group_by: Vec<String>,
}

impl Checker<'_> {
    pub(super) fn class_retention(&self, raw: RawClassRetention) -> Result<ClassRetention> {
        Ok(ClassRetention {
            production: self.retention(raw.production)?,
            staging: self.retention(raw.staging)?,
            scratch: self.retention(raw.scratch)?,
        })
    }

    pub(super) fn retention(
        &self,
        raw: Option<Spanned<RawRetention>>,
    ) -> Result<Option<Retention>> {
        let Some(raw) = raw else { return Ok(None) };
        let span = raw.span();
        let raw = raw.into_inner();
        let rules = Retention {
            keep_last: self.count("keep_last", raw.keep_last.as_ref())?,
            keep_within: self.parsed(raw.keep_within.as_ref(), parse_duration)?,
            keep_hourly: self.count("keep_hourly", raw.keep_hourly.as_ref())?,
            keep_daily: self.count("keep_daily", raw.keep_daily.as_ref())?,
            keep_weekly: self.count("keep_weekly", raw.keep_weekly.as_ref())?,
            keep_monthly: self.count("keep_monthly", raw.keep_monthly.as_ref())?,
            keep_quarterly: self.count("keep_quarterly", raw.keep_quarterly.as_ref())?,
            keep_yearly: self.count("keep_yearly", raw.keep_yearly.as_ref())?,
            keep_verified: self.count("keep_verified", raw.keep_verified.as_ref())?,
            group_by: raw.group_by,
        };
        if rules.says_something() {
            return Ok(Some(rules));
        }
        let what = "these rules do not say what to keep";
        Err(self.wrong(&span, what).with_hint(
            "Add one of keep_last, keep_within, keep_hourly, keep_daily, keep_weekly, keep_monthly, keep_quarterly, keep_yearly.",
        ))
    }

    fn count(&self, key: &str, raw: Option<&Spanned<u32>>) -> Result<Option<u32>> {
        match raw {
            Some(raw) if !(1..=COUNT_MAX).contains(raw.get_ref()) => {
                let what = format!("{key} is a number from 1 to {COUNT_MAX}");
                Err(self.wrong(&raw.span(), what))
            }
            raw => Ok(raw.map(|raw| *raw.get_ref())),
        }
    }
}
