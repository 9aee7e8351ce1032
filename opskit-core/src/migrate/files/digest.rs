//! Digests of files, so that one that was changed after it ran is told.

use crate::name::hex;
use serde::Serialize;
use sha2::{Digest as _, Sha256, Sha384};

/// Two digests of one file, in hexadecimal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Digests {
    /// SHA-256 of the bytes as they are.
    pub raw: String,
    /// SHA-256 of the text without a byte-order mark and with `\n` at the ends of lines: what stays the same when a
    /// checkout changes the line ends.
    pub text: String,
}

impl Digests {
    pub(crate) fn of(file: &str) -> Self {
        Self {
            raw: hex(&Sha256::digest(file)),
            text: text_digest(file),
        }
    }

    /// Whether both are of the same text, line ends apart.
    #[must_use]
    pub fn is_same_text(&self, other: &Self) -> bool {
        self.raw == other.raw || self.text == other.text
    }
}

fn text_digest(file: &str) -> String {
    let text = file.strip_prefix('\u{feff}').unwrap_or(file);
    let mut digest = Sha256::new();
    for (at, line) in text.split("\r\n").enumerate() {
        if at > 0 {
            digest.update("\n");
        }
        digest.update(line);
    }
    hex(&digest.finalize())
}

/// What `sqlx` keeps of a file.
pub(crate) fn sqlx_checksum(file: &str) -> String {
    hex(&Sha384::digest(file))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_ends_and_the_mark_change_the_raw_digest_alone() {
        let unix = Digests::of("select 1;\nselect 2;\n");
        let windows = Digests::of("\u{feff}select 1;\r\nselect 2;\r\n");
        assert_ne!(unix.raw, windows.raw);
        assert!(unix.is_same_text(&windows));
        assert!(!unix.is_same_text(&Digests::of("select 1;\n\nselect 2;\n")));
    }
}
