//! When something is full, by how it grew between two runs.

use super::super::probe::Sample;
use super::super::verdict::State;

/// Below this nothing can be said of a rate.
const SECONDS_MIN: f64 = 60.0;
const DAY: f64 = 86_400.0;

/// A reading, what it may be at most, and when it was taken, in seconds.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fill {
    pub(super) value: f64,
    pub(super) top: f64,
    pub(super) at: f64,
}

impl Fill {
    /// Three fields of a row, from this one on.
    pub(super) fn of(row: &[Option<String>], first: usize) -> Option<Self> {
        let number = |at| Sample::field(row, at)?.parse::<f64>().ok();
        Some(Self {
            value: number(first)?,
            top: number(first + 1)?,
            at: number(first + 2)?,
        })
    }

    /// In how many days it is full, if it goes on growing as it did since `before`.
    pub(super) fn days_left(self, before: Self) -> Option<f64> {
        let (grown, seconds) = (self.value - before.value, self.at - before.at);
        let is_growth = grown > 0.0 && seconds >= SECONDS_MIN;
        is_growth.then(|| ((self.top - self.value).max(0.0) / (grown / seconds)) / DAY)
    }
}

/// How bad it is that something is full in so many days.
pub(super) fn urgency(days: f64) -> Option<State> {
    if days < 7.0 {
        Some(State::Fail)
    } else {
        (days < 30.0).then_some(State::Warn)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_days_left_come_from_what_was_measured() {
        let fill = |value, at| Fill {
            value,
            top: 1000.0,
            at,
        };
        let before = fill(100.0, 0.0);
        assert_eq!(fill(200.0, DAY).days_left(before), Some(8.0));
        assert_eq!(fill(100.0, DAY).days_left(before), None);
        assert_eq!(fill(200.0, 1.0).days_left(before), None);
        assert_eq!(fill(1200.0, DAY).days_left(before), Some(0.0));
        assert_eq!(urgency(8.0), Some(State::Warn));
        assert_eq!(urgency(80.0), None);
    }
}
