//! Sizes and durations as people write them.

use std::time::Duration;

const SIZES: [(&str, u64); 10] = [
    ("kib", 1 << 10),
    ("mib", 1 << 20),
    ("gib", 1 << 30),
    ("tib", 1 << 40),
    ("kb", 1_000),
    ("mb", 1_000_000),
    ("gb", 1_000_000_000),
    ("tb", 1_000_000_000_000),
    ("b", 1),
    ("", 1),
];

const DURATIONS_MS: [(&str, u64); 7] = [
    ("ms", 1),
    ("s", 1_000),
    ("min", 60_000),
    ("m", 60_000),
    ("h", 3_600_000),
    ("d", 86_400_000),
    ("w", 604_800_000),
];

/// Reads `128MiB`, `1GB`, `65536`. The error says what to write.
///
/// ```
/// use opskit_core::config::parse_size;
/// assert_eq!(parse_size("128MiB"), Ok(128 << 20));
/// assert!(parse_size("much").is_err());
/// ```
///
/// # Errors
/// A hint, when it is no size or zero.
pub fn parse_size(text: &str) -> Result<u64, String> {
    parse(text, &SIZES).ok_or_else(|| "write a size such as 128MiB or 1GB".to_owned())
}

/// Reads `10s`, `200ms`, `5min`, `24h`, `7d`. The error says what to write.
///
/// ```
/// use opskit_core::config::parse_duration;
/// assert_eq!(parse_duration("24h").unwrap().as_secs(), 86_400);
/// ```
///
/// # Errors
/// A hint, when it is no duration, has no unit, or is zero.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    parse(text, &DURATIONS_MS)
        .map(Duration::from_millis)
        .ok_or_else(|| "write a time with its unit, such as 10s, 5min or 24h".to_owned())
}

/// A whole number above zero with one of the units.
fn parse(text: &str, units: &[(&str, u64)]) -> Option<u64> {
    let text = text.trim();
    let digits = text
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit = unit.trim().to_ascii_lowercase();
    let (_, factor) = units.iter().find(|(name, _)| *name == unit)?;
    number
        .parse::<u64>()
        .ok()?
        .checked_mul(*factor)
        .filter(|value| *value > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_have_both_kinds_of_units() {
        assert_eq!(parse_size("128MiB"), Ok(128 << 20));
        assert_eq!(parse_size("1 GB"), Ok(1_000_000_000));
        assert_eq!(parse_size("65536"), Ok(65536));
        for bad in ["", "0", "MiB", "1.5GB", "-1", "9999999999TiB", "1 pound"] {
            assert!(parse_size(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn durations_need_a_unit() {
        assert_eq!(parse_duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(parse_duration("5min"), Ok(Duration::from_secs(300)));
        assert_eq!(parse_duration("7d"), Ok(Duration::from_secs(7 * 86_400)));
        for bad in ["10", "0s", "s", "1y"] {
            assert!(parse_duration(bad).is_err(), "{bad}");
        }
    }
}
