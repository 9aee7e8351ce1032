//! Times of day; dates and timestamps from the server's epoch of 2000 to Arrow's of 1970, infinities kept.
//!
//! Infinity is the largest value of the type and -infinity its negative, which DuckDB reads as such;
//! the smallest value would make it abort. The server's own infinities are the two extremes
//! (`timestamp.h`, `date.h`).

/// Microseconds from 1970-01-01 to 2000-01-01.
const EPOCH_US: i64 = 946_684_800_000_000;
/// Days from 1970-01-01 to 2000-01-01.
const EPOCH_DAYS: i32 = 10_957;

/// Microseconds of a day.
const DAY_US: i64 = 86_400_000_000;

/// A time of day, the same in both. `None` outside a day: the server has 24:00:00, Arrow has not.
#[inline]
pub(crate) fn time_to_arrow(server: i64) -> Option<i64> {
    (0..DAY_US).contains(&server).then_some(server)
}

/// Server to Arrow. `None` past the range of Arrow: finite values from 294247-01-10 on.
#[inline]
pub(crate) fn timestamp_to_arrow(server: i64) -> Option<i64> {
    match server {
        i64::MAX => Some(i64::MAX),
        i64::MIN => Some(-i64::MAX),
        _ => server
            .checked_add(EPOCH_US)
            .filter(|us| *us != i64::MAX && *us > -i64::MAX),
    }
}

/// Arrow to server.
#[inline]
pub(crate) fn timestamp_from_arrow(arrow: i64) -> i64 {
    match arrow {
        i64::MAX => i64::MAX,
        _ if arrow == -i64::MAX => i64::MIN,
        _ => arrow.wrapping_sub(EPOCH_US),
    }
}

/// Server to Arrow. `None` past the range of Arrow, which the server's dates do not reach.
#[inline]
pub(crate) fn date_to_arrow(server: i32) -> Option<i32> {
    match server {
        i32::MAX => Some(i32::MAX),
        i32::MIN => Some(-i32::MAX),
        _ => server
            .checked_add(EPOCH_DAYS)
            .filter(|days| *days != i32::MAX && *days > -i32::MAX),
    }
}

/// Arrow to server.
#[inline]
pub(crate) fn date_from_arrow(arrow: i32) -> i32 {
    match arrow {
        i32::MAX => i32::MAX,
        _ if arrow == -i32::MAX => i32::MIN,
        _ => arrow.wrapping_sub(EPOCH_DAYS),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn timestamps_come_back(server in any::<i64>()) {
            if let Some(arrow) = timestamp_to_arrow(server) {
                prop_assert_eq!(timestamp_from_arrow(arrow), server);
            }
        }

        #[test]
        fn dates_come_back(server in any::<i32>()) {
            if let Some(arrow) = date_to_arrow(server) {
                prop_assert_eq!(date_from_arrow(arrow), server);
            }
        }
    }

    #[test]
    fn edges() {
        assert_eq!(timestamp_to_arrow(i64::MAX), Some(i64::MAX));
        assert_eq!(timestamp_to_arrow(i64::MIN), Some(-i64::MAX));
        assert_eq!(timestamp_to_arrow(0), Some(EPOCH_US));
        // 294247-01-10 04:00:54.775807 would read as infinity.
        assert_eq!(timestamp_to_arrow(i64::MAX - EPOCH_US), None);
        assert!(timestamp_to_arrow(i64::MAX - EPOCH_US - 1).is_some());
        assert_eq!(date_to_arrow(i32::MIN), Some(-i32::MAX));
        assert_eq!(time_to_arrow(DAY_US - 1), Some(DAY_US - 1));
        assert_eq!(time_to_arrow(DAY_US), None);
        assert_eq!(time_to_arrow(-1), None);
    }
}
