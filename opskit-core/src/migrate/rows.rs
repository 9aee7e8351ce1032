//! The rows that follow a `COPY … FROM STDIN` in the file.

use super::words::Words;
use std::ops::Range;

/// Whether the server will ask for rows: only the grammar tells. It takes `STDOUT` for the same word.
pub(super) fn wanted(sql: &str) -> bool {
    let mut words = Words::new(sql);
    if !words.next_is("copy") {
        return false;
    }
    let mut depth = 0_usize;
    while let Some(token) = words.next() {
        match token.text {
            "(" => depth += 1,
            ")" => depth = depth.saturating_sub(1),
            _ if depth == 0 && token.is_word("from") => {
                return words.next_of(&["stdin", "stdout"]).is_some();
            }
            _ => {}
        }
    }
    false
}

/// Rows, and where the script goes on after them.
pub(super) struct Block {
    pub(super) rows: Range<usize>,
    pub(super) resume: usize,
}

/// The rows from this byte on, up to a line that is `\.` and nothing else, or to the end of the text.
///
/// `psql` sends the last line of a file too when it is `\.` without a line break, and the server takes it for
/// the mark that it is; here it is the mark at once.
pub(super) fn block(text: &str, start: usize) -> Block {
    let mut at = start;
    for line in text.get(start..).unwrap_or_default().split_inclusive('\n') {
        let next = at + line.len();
        if matches!(line, "\\.\n" | "\\.\r\n" | "\\." | "\\.\r") {
            return Block {
                rows: start..at,
                resume: next,
            };
        }
        at = next;
    }
    Block {
        rows: start..at,
        resume: at,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn copy_from_stdin_wants_rows() {
        for sql in [
            "copy t from stdin",
            "COPY s.\"from\" (a, \"from\") FROM STDIN WITH (format csv)",
            "copy binary t from stdout",
            "copy t /* from */ from -- x\n stdin where a",
        ] {
            assert!(wanted(sql), "{sql}");
        }
        for sql in [
            "copy t to stdout",
            "copy (select 1 from stdin) to stdout",
            "copy t from 'stdin'",
            "copy t from program 'cat'",
            "select copy from stdin",
            "copy t from \"stdin\"",
            "copy",
            "copy t from",
        ] {
            assert!(!wanted(sql), "{sql}");
        }
    }

    #[test]
    fn blocks_end_at_the_mark() {
        let check = |text: &str, rows: &str, rest: &str| {
            let block = block(text, 0);
            assert_eq!(&text[block.rows], rows, "{text:?}");
            assert_eq!(&text[block.resume..], rest, "{text:?}");
        };
        check("1\n2\n\\.\nx", "1\n2\n", "x");
        check("1\r\n\\.\r\nx", "1\r\n", "x");
        check("\\.\n", "", "");
        check("\\.x\n \\.\n\\\\.\n\\.", "\\.x\n \\.\n\\\\.\n", "");
        check("1\n2", "1\n2", "");
        check("", "", "");
    }
}
