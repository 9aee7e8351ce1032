//! Where a byte stands, for people: line, column, and the line itself.

use std::fmt;

/// What some editors put before the text; nobody sees it, so no column counts it.
const BOM: char = '\u{feff}';

/// The most characters of a line that are shown on either side of the caret.
const CONTEXT_CHARS_MAX: usize = 60;

/// A place in a text, both numbers from 1 on; columns count characters.
///
/// ```
/// use opskit_core::migrate::Script;
/// let script = Script::parse("select 'é',\n\tx")?;
/// let byte = script.text().find('x').unwrap();
/// assert_eq!(script.position(byte).to_string(), "2:2");
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub struct Position {
    /// The line; `\n` ends one.
    pub line: usize,
    /// The character within the line.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// The length of the mark at the start of a text, if there is one.
pub(super) fn bom_bytes(text: &str) -> usize {
    match text.starts_with(BOM) {
        true => BOM.len_utf8(),
        false => 0,
    }
}

/// Where each line of a text starts.
#[derive(Debug, Clone)]
pub(super) struct Lines {
    starts: Vec<usize>,
}

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        let breaks = text.bytes().enumerate().filter(|(_, byte)| *byte == b'\n');
        let after = breaks.map(|(at, _)| at + 1);
        Self {
            starts: std::iter::once(bom_bytes(text)).chain(after).collect(),
        }
    }

    /// The line of a byte, from 1 on; of the last one for bytes behind the end.
    pub(super) fn line(&self, byte: usize) -> usize {
        self.starts.partition_point(|start| *start <= byte).max(1)
    }

    pub(super) fn position(&self, text: &str, byte: usize) -> Position {
        let line = self.line(byte);
        let start = self.start(line);
        let byte = text.floor_char_boundary(byte).max(start);
        let before = text.get(start..byte).unwrap_or_default();
        Position {
            line,
            column: before.chars().count() + 1,
        }
    }

    /// The line of a byte, and below it a caret at the byte.
    pub(super) fn excerpt(&self, text: &str, byte: usize) -> String {
        let line = self.line(byte);
        let start = self.start(line);
        let rest = text.get(start..).unwrap_or_default();
        let shown = rest.split('\n').next().unwrap_or_default();
        let shown = shown.strip_suffix('\r').unwrap_or(shown);
        let caret = shown.floor_char_boundary(byte.saturating_sub(start));
        let (before, after) = shown.split_at(caret);
        let before = end_of(before);
        let padding = before.chars().map(|c| if c == '\t' { c } else { ' ' });
        let padding: String = padding.collect();
        format!("{before}{}\n{padding}^", start_of(after))
    }

    fn start(&self, line: usize) -> usize {
        let start = line.checked_sub(1).and_then(|at| self.starts.get(at));
        start.copied().unwrap_or_default()
    }
}

fn start_of(text: &str) -> String {
    let mut chars = text.chars();
    let mut out: String = chars
        .by_ref()
        .take(CONTEXT_CHARS_MAX)
        .map(visible)
        .collect();
    if chars.next().is_some() {
        out.push('…');
    }
    out
}

fn end_of(text: &str) -> String {
    let mut chars = text.char_indices().rev();
    let first = chars.by_ref().take(CONTEXT_CHARS_MAX).last();
    let kept = first.and_then(|(at, _)| text.get(at..)).unwrap_or_default();
    let cut = chars.next().map(|_| '…');
    cut.into_iter().chain(kept.chars().map(visible)).collect()
}

/// Nothing that a terminal would act on.
fn visible(c: char) -> char {
    match c.is_control() && c != '\t' {
        true => char::REPLACEMENT_CHARACTER,
        false => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, byte: usize, position: &str, excerpt: &str) {
        let lines = Lines::of(text);
        assert_eq!(lines.position(text, byte).to_string(), position, "{text:?}");
        assert_eq!(lines.excerpt(text, byte), excerpt, "{text:?}");
    }

    #[test]
    fn places() {
        check("", 0, "1:1", "\n^");
        check("", 9, "1:1", "\n^");
        check("abc", 1, "1:2", "abc\n ^");
        check("abc\n", 3, "1:4", "abc\n   ^");
        check("abc\n", 4, "2:1", "\n^");
        check("a\nbc\nd", 3, "2:2", "bc\n ^");
        check("a\r\nbc\r\n", 5, "2:3", "bc\n  ^");
        check("a\r\nbc\r\n", 6, "2:4", "bc\n  ^");
        check("a\rb", 2, "1:3", "a\u{fffd}b\n  ^");
        check("\té\tx", 4, "1:4", "\té\tx\n\t \t^");
        check("é", 1, "1:1", "é\n^");
        check("é", 2, "1:2", "é\n ^");
        check("\u{feff}ab", 0, "1:1", "ab\n^");
        check("\u{feff}ab", 4, "1:2", "ab\n ^");
        check("a\x1b[1m", 0, "1:1", "a\u{fffd}[1m\n^");
    }

    #[test]
    fn long_lines_are_cut_on_both_sides() {
        let text = format!("{}x{}", "é".repeat(100), "ü".repeat(100));
        let shown = Lines::of(&text).excerpt(&text, 200);
        let (line, caret) = shown.split_once('\n').unwrap();
        let wanted = format!("…{}x{}…", "é".repeat(60), "ü".repeat(59));
        assert_eq!(line, wanted);
        assert_eq!(caret, format!("{}^", " ".repeat(61)));
    }

    #[test]
    fn any_byte_has_a_place() {
        let text = "\u{feff}aé\r\n\n\t€\r";
        for byte in 0..text.len() + 3 {
            let lines = Lines::of(text);
            assert!(lines.position(text, byte) >= Position { line: 1, column: 1 });
            assert_eq!(lines.excerpt(text, byte).lines().count(), 2);
        }
    }
}
