//! Takes the protocol out of a stream of COPY data, in place. Pure: bytes in, bytes out.
//!
//! The server sends each row as a message of its own, five bytes of header before some hundred of
//! payload. Millions of them come each second, so nothing here allocates, awaits or calls out per
//! row: payloads are moved together over the headers.

use super::server_error::out_of_protocol;
use crate::error::Result;
use bytes::BytesMut;
use postgres_protocol::message::backend::COPY_DATA_TAG;

const HEADER_BYTES: usize = 5;

/// The longest message between rows; errors and notices are far shorter.
const MAX_ASIDE_BYTES: usize = 1 << 20;

/// Where in the stream the last bytes ended.
#[derive(Debug, Default)]
pub(super) struct CopyScanner {
    /// The start of a header that is not complete.
    header: [u8; HEADER_BYTES],
    header_len: usize,
    /// How much of the current row is still to come.
    payload_left: usize,
    /// A message that is not a row, header and all, as far as it came.
    aside: BytesMut,
    aside_left: usize,
}

/// How far a scan of `bytes` got.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Cursor {
    /// Where the next byte to scan stands.
    pub(super) read: usize,
    /// Where the payload moved together ends.
    pub(super) write: usize,
}

impl CopyScanner {
    /// Scans `bytes[cursor.read..]` and moves the payload of rows to `bytes[cursor.write..]`.
    ///
    /// Stops at the end of the bytes, or after a message that is not a row, which it returns whole.
    pub(super) fn scan(
        &mut self,
        bytes: &mut [u8],
        cursor: &mut Cursor,
    ) -> Result<Option<BytesMut>> {
        loop {
            if self.payload_left > 0 {
                self.move_payload(bytes, cursor);
            }
            if self.aside_left > 0 {
                let count = self.aside_left.min(bytes.len() - cursor.read);
                self.aside
                    .extend_from_slice(&bytes[cursor.read..cursor.read + count]);
                cursor.read += count;
                self.aside_left -= count;
                if self.aside_left == 0 {
                    return Ok(Some(std::mem::take(&mut self.aside)));
                }
            }
            let Some(header) = self.next_header(bytes, cursor) else {
                return Ok(None);
            };
            let [tag, length @ ..] = header;
            let length = usize::try_from(i32::from_be_bytes(length)).ok();
            let Some(body) = length.and_then(|length| length.checked_sub(4)) else {
                return Err(out_of_protocol("a message with an impossible length"));
            };
            if tag == COPY_DATA_TAG {
                self.payload_left = body;
                continue;
            }
            if body > MAX_ASIDE_BYTES {
                return Err(out_of_protocol("a message that is too long"));
            }
            self.aside.extend_from_slice(&header);
            self.aside_left = body;
            if body == 0 {
                return Ok(Some(std::mem::take(&mut self.aside)));
            }
        }
    }

    fn move_payload(&mut self, bytes: &mut [u8], cursor: &mut Cursor) {
        let count = self.payload_left.min(bytes.len() - cursor.read);
        if cursor.read != cursor.write {
            bytes.copy_within(cursor.read..cursor.read + count, cursor.write);
        }
        cursor.read += count;
        cursor.write += count;
        self.payload_left -= count;
    }

    /// The next header once all of it is here.
    fn next_header(&mut self, bytes: &[u8], cursor: &mut Cursor) -> Option<[u8; HEADER_BYTES]> {
        let rest = &bytes[cursor.read..];
        if self.header_len == 0
            && let Some(header) = rest.first_chunk()
        {
            cursor.read += HEADER_BYTES;
            return Some(*header);
        }
        let count = rest.len().min(HEADER_BYTES - self.header_len);
        self.header[self.header_len..self.header_len + count].copy_from_slice(&rest[..count]);
        self.header_len += count;
        cursor.read += count;
        if self.header_len < HEADER_BYTES {
            return None;
        }
        self.header_len = 0;
        Some(self.header)
    }
}

#[cfg(test)]
#[expect(
    clippy::result_large_err,
    reason = "the macro of proptest returns its own error"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// What a stream holds, found the simple way: payload of rows, and the other messages whole.
    fn naive(mut stream: &[u8]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let (mut payload, mut asides) = (Vec::new(), Vec::new());
        while !stream.is_empty() {
            let length = u32::from_be_bytes(stream[1..5].try_into().unwrap()) as usize;
            let (message, rest) = stream.split_at(length + 1);
            match message[0] {
                b'd' => payload.extend_from_slice(&message[5..]),
                _ => asides.push(message.to_vec()),
            }
            stream = rest;
        }
        (payload, asides)
    }

    /// Scans the stream in pieces of the given sizes, each read behind what is already there.
    fn scanned(stream: &[u8], sizes: &[usize]) -> (Vec<u8>, Vec<Vec<u8>>) {
        let mut scanner = CopyScanner::default();
        let (mut payload, mut asides) = (Vec::new(), Vec::new());
        let mut sizes = sizes.iter().cycle();
        let mut rest = stream;
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            rest = after;
            // Some bytes stand before, as when a caller keeps the start of a row.
            let mut bytes = b"before".to_vec();
            bytes.extend_from_slice(piece);
            let mut cursor = Cursor { read: 6, write: 6 };
            while let Some(aside) = scanner.scan(&mut bytes, &mut cursor).unwrap() {
                asides.push(aside.to_vec());
            }
            assert_eq!(cursor.read, bytes.len());
            assert_eq!(&bytes[..6], b"before");
            payload.extend_from_slice(&bytes[6..cursor.write]);
        }
        (payload, asides)
    }

    fn message(tag: u8, body: &[u8]) -> Vec<u8> {
        let mut message = vec![tag];
        message.extend_from_slice(&u32::try_from(body.len() + 4).unwrap().to_be_bytes());
        message.extend_from_slice(body);
        message
    }

    #[test]
    fn every_split_in_two_and_every_piece_size() {
        let stream: Vec<u8> = [
            message(b'd', b"PGCOPY"),
            message(b'd', b""),
            message(b'N', b"notice\0"),
            message(b'd', b"row one"),
            message(b'S', b"a\0b\0"),
            message(b'A', b""),
            message(b'd', &[b'x'; 300]),
            message(b'c', b""),
        ]
        .concat();
        let expected = naive(&stream);
        for size in 1..=stream.len() {
            assert_eq!(scanned(&stream, &[size]), expected, "size {size}");
            assert_eq!(
                scanned(&stream, &[size, usize::MAX]),
                expected,
                "split at {size}"
            );
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_simple_way(
            messages in prop::collection::vec(
                (prop::sample::select(b"ddddddNSA".to_vec()), prop::collection::vec(any::<u8>(), 0..60)), 0..40),
            sizes in prop::collection::vec(1_usize..200, 1..20),
        ) {
            let stream: Vec<u8> = messages.iter().flat_map(|(tag, body)| message(*tag, body)).collect();
            prop_assert_eq!(scanned(&stream, &sizes), naive(&stream));
        }

        #[test]
        fn never_panics(bytes in prop::collection::vec(any::<u8>(), 0..200), split in 0_usize..200) {
            let mut scanner = CopyScanner::default();
            let (first, second) = bytes.split_at(split.min(bytes.len()));
            for piece in [first, second] {
                let mut piece = piece.to_vec();
                let mut cursor = Cursor { read: 0, write: 0 };
                while let Ok(Some(_)) = scanner.scan(&mut piece, &mut cursor) {}
            }
        }
    }

    #[test]
    fn lengths_are_not_trusted() {
        for stream in [
            &b"d\0\0\0\x03"[..],
            b"d\xff\xff\xff\xff",
            b"N\x7f\xff\xff\xff",
            b"d\0\0\0\0",
        ] {
            let mut bytes = stream.to_vec();
            let result = CopyScanner::default().scan(&mut bytes, &mut Cursor { read: 0, write: 0 });
            assert!(result.is_err(), "{stream:?}");
        }
        // A row may claim any length: nothing is set aside for it.
        let mut bytes = b"d\x7f\xff\xff\xffabc".to_vec();
        let mut cursor = Cursor { read: 0, write: 0 };
        assert_eq!(
            CopyScanner::default()
                .scan(&mut bytes, &mut cursor)
                .unwrap(),
            None
        );
        assert_eq!(&bytes[..cursor.write], b"abc");
    }
}
