//! The server's version as a number.

/// `15.18 (Debian 15.18-1)` is 150018, `16beta1` is 160000, `9.6.24` is 90624.
pub(super) fn version_num(text: &str) -> u32 {
    let mut parts = text
        .split(|c: char| !c.is_ascii_digit() && c != '.')
        .next()
        .unwrap_or_default()
        .split('.')
        .map(|part| part.parse::<u32>().unwrap_or(0).min(9_999));
    let mut next = || parts.next().unwrap_or(0);
    match next() {
        0 => 0,
        major @ 1..10 => major * 10_000 + next() * 100 + next(),
        major => major * 10_000 + next(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_servers_say() {
        let table = [
            ("15.18", 150_018),
            ("15.18 (Debian 15.18-1.pgdg120+1)", 150_018),
            ("16beta1", 160_000),
            ("17devel", 170_000),
            ("18.0", 180_000),
            ("9.6.24", 90_624),
            ("13.3 - Percona", 130_003),
            ("", 0),
            ("bouncer", 0),
            ("99999999999.1", 0),
            ("15.99999999999", 150_000),
        ];
        for (text, expected) in table {
            assert_eq!(version_num(text), expected, "{text}");
        }
    }
}
