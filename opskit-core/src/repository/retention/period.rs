//! The spans of the calendar that backups fall into, in UTC.

use super::Every;
use time::{OffsetDateTime, UtcOffset};

impl Every {
    /// The name of the span that an instant falls into: the same for two instants when they share it.
    pub(super) fn period(self, at: OffsetDateTime) -> String {
        let at = at.to_offset(UtcOffset::UTC);
        let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
        match self {
            Self::Hour => format!("{year:04}-{month:02}-{day:02}T{:02}", at.hour()),
            Self::Day => format!("{year:04}-{month:02}-{day:02}"),
            Self::Week => {
                let (year, week, _) = at.to_iso_week_date();
                format!("{year:04}-W{week:02}")
            }
            Self::Month => format!("{year:04}-{month:02}"),
            Self::Quarter => format!("{year:04}-Q{}", (month - 1) / 3 + 1),
            Self::Year => format!("{year:04}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use time::macros::datetime;

    #[test]
    fn spans_are_those_of_the_calendar() {
        let at = datetime!(2026-11-21 00:30:00 +1);
        let told = Every::ALL.map(|every| every.period(at));
        assert_eq!(
            told,
            [
                "2026-11-20T23",
                "2026-11-20",
                "2026-W47",
                "2026-11",
                "2026-Q4",
                "2026"
            ]
        );
    }

    /// The first days of January may be of the last week of the year before, and the last ones of December of the
    /// first of the next.
    #[test]
    fn weeks_are_those_of_iso_8601() {
        let week = |at| Every::Week.period(at);
        assert_eq!(week(datetime!(2027-01-03 12:00 UTC)), "2026-W53");
        assert_eq!(week(datetime!(2027-01-04 00:00 UTC)), "2027-W01");
        assert_eq!(week(datetime!(2024-12-30 00:00 UTC)), "2025-W01");
        assert_eq!(week(datetime!(2024-12-29 23:59 UTC)), "2024-W52");
    }
}
