//! Why a backup stays or goes.

use crate::repository::BackupId;
use serde::Serialize;
use std::fmt;

/// A span of the calendar, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum Every {
    /// An hour.
    Hour,
    /// A day.
    Day,
    /// A week, from Monday on.
    Week,
    /// A month.
    Month,
    /// A quarter of a year.
    Quarter,
    /// A year.
    Year,
}

impl Every {
    /// All of them, the shortest first.
    pub const ALL: [Self; 6] = [
        Self::Hour,
        Self::Day,
        Self::Week,
        Self::Month,
        Self::Quarter,
        Self::Year,
    ];

    fn word(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
            Self::Quarter => "quarter",
            Self::Year => "year",
        }
    }
}

/// Why a backup stays or goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// It is among the last ones.
    Last {
        /// Which, 1 for the newest.
        number: u32,
    },
    /// It is not too old.
    Within {
        /// What is older is.
        since: String,
    },
    /// It is the last one of a span of time.
    LastOf {
        /// The span.
        every: Every,
        /// Which one.
        period: String,
    },
    /// It is among those that were found good and have to stay.
    Verified {
        /// How it was found good.
        how: String,
    },
    /// Somebody pinned it.
    Pinned {
        /// Who.
        by: String,
        /// Why.
        why: Option<String>,
        /// Until when.
        until: Option<String>,
    },
    /// It has a pin that cannot be read.
    UnreadablePin {
        /// Why not.
        problem: String,
    },
    /// It is the newest one of its database from which all can be brought back.
    Newest,
    /// Another one that stays cannot be read without it.
    NeededBy {
        /// That one.
        id: BackupId,
    },
    /// It cannot be read. No rule decides about what nobody knows.
    Unreadable {
        /// Why not.
        problem: String,
    },
    /// It was found bad. What of it is good may be all there is.
    Refuted {
        /// What was found.
        problem: String,
    },
    /// It is of a time that has not come.
    InFuture,
    /// The last run of its database made no backup.
    LastRunFailed {
        /// The backup that it was to be.
        id: BackupId,
    },
    /// Whether the last run of its database made a backup cannot be told.
    LastRunUnknown {
        /// Why not.
        problem: String,
    },
    /// Fewer were found good than have to stay, and what nobody looked at may be all there is.
    TooFewVerified {
        /// How many have to stay.
        wanted: u32,
        /// How many there are.
        found: u32,
    },
    /// No rule holds for it.
    NoRule,
    /// Others were named.
    NotNamed,
    /// No rule keeps it.
    NotKept,
    /// It was named.
    Named,
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Last { number: 1 } => f.write_str("the last one"),
            Self::Last { number } => write!(f, "number {number} of the last"),
            Self::Within { since } => write!(f, "not older than {since}"),
            Self::LastOf { every, period } => write!(f, "the last of {} {period}", every.word()),
            Self::Verified { how } => write!(f, "verified: {how}"),
            Self::Pinned { by, why, until } => {
                write!(f, "pinned by {by}")?;
                if let Some(until) = until {
                    write!(f, " until {until}")?;
                }
                why.as_ref().map_or(Ok(()), |why| write!(f, ": {why}"))
            }
            Self::UnreadablePin { problem } => {
                write!(f, "has a pin that cannot be read: {problem}")
            }
            Self::Newest => f.write_str("the newest whole backup of its database"),
            Self::NeededBy { id } => write!(f, "{id} needs it"),
            Self::Unreadable { problem } => write!(f, "cannot be read: {problem}"),
            Self::Refuted { problem } => write!(f, "found bad: {problem}"),
            Self::InFuture => f.write_str("of a time that has not come: look at the clocks"),
            Self::LastRunFailed { id } => {
                write!(f, "the last run of its database, {id}, made no backup")
            }
            Self::LastRunUnknown { problem } => {
                write!(
                    f,
                    "whether the last run of its database made a backup cannot be told: {problem}"
                )
            }
            Self::TooFewVerified { wanted, found } => write!(
                f,
                "{wanted} verified ones have to stay, and there are {found}: verify some first"
            ),
            Self::NoRule => f.write_str("no rule says anything of it"),
            Self::NotNamed => f.write_str("not named"),
            Self::NotKept => f.write_str("no rule keeps it"),
            Self::Named => f.write_str("named"),
        }
    }
}
