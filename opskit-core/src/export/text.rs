//! The server's own text, on its way to a file: CSV as it is, JSON documents out of COPY's escapes.

use crate::error::{Error, ErrorKind, Result};

/// Turns `COPY (SELECT to_json(…)) TO STDOUT` into one document per line, and counts them.
///
/// COPY's text format escapes backslashes and control characters; a document that holds a line break
/// (between its tokens: inside strings JSON has none) gets a blank instead.
#[derive(Debug, Default)]
pub(crate) struct JsonLines {
    escaped: bool,
    rows: u64,
}

impl JsonLines {
    /// Appends the next bytes, which may be cut anywhere, to `out`.
    pub(crate) fn push(&mut self, bytes: &[u8], out: &mut Vec<u8>) -> Result<()> {
        out.reserve(bytes.len());
        for byte in bytes {
            if self.escaped {
                self.escaped = false;
                out.push(match byte {
                    b'\\' => b'\\',
                    b'n' | b'r' | b't' | b'b' | b'f' | b'v' => b' ',
                    _ => {
                        return Err(Error::new(
                            ErrorKind::Damaged,
                            "the COPY stream has an escape that JSON text cannot have",
                        ));
                    }
                });
            } else if *byte == b'\\' {
                self.escaped = true;
            } else {
                self.rows += u64::from(*byte == b'\n');
                out.push(*byte);
            }
        }
        Ok(())
    }

    pub(crate) fn rows(&self) -> u64 {
        self.rows
    }
}

/// Counts the records of CSV by its quotes: a line break inside them ends nothing.
#[derive(Debug, Default)]
pub(crate) struct CsvCounter {
    quoted: bool,
    records: u64,
}

impl CsvCounter {
    /// Takes the next bytes, which may be cut anywhere.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            // A doubled quote inside quotes closes and opens again, which changes nothing.
            match byte {
                b'"' => self.quoted = !self.quoted,
                b'\n' if !self.quoted => self.records += 1,
                _ => {}
            }
        }
    }

    pub(crate) fn records(&self) -> u64 {
        self.records
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_comes_out_of_its_escapes_wherever_it_is_cut() {
        let copy = br#"{"a":"x\\ny \\"q\\""}"#.to_vec();
        let stream = [&copy[..], b"\n", b"{\"j\":\\n {}}\n"].concat();
        let expected = b"{\"a\":\"x\\ny \\\"q\\\"\"}\n{\"j\":  {}}\n";
        for cut in 0..stream.len() {
            let mut lines = JsonLines::default();
            let mut out = Vec::new();
            lines.push(&stream[..cut], &mut out).unwrap();
            lines.push(&stream[cut..], &mut out).unwrap();
            assert_eq!(out, expected);
            assert_eq!(lines.rows(), 2);
        }
    }

    #[test]
    fn csv_records_are_not_lines() {
        let mut counter = CsvCounter::default();
        counter.push(b"a,b\n1,\"x\ny \"\"q\"\"\n\"\n");
        assert_eq!(counter.records(), 2);
    }
}
