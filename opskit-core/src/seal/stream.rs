//! The envelope of an object that is sealed: AES-256-GCM in the STREAM construction (Hoang, Reyhanitabar, Rogaway
//! and Vizár, 2015), so that no chunk can be cut off, moved, doubled or taken from another object.
//!
//! A header of 15 bytes (`OPSKSL01` and a random prefix of nonces), then chunks of 64 KiB, each with its tag of 16
//! bytes. The nonce of a chunk is the prefix, its number (32 bits, big endian), and 1 for the last chunk, else 0. The
//! last chunk holds at least a byte, unless the object is empty.

use super::ObjectKey;
use aead_stream::{NewStream as _, StreamBE32, StreamPrimitive as _};
use aes_gcm::{Aes256Gcm, KeyInit as _};
use std::fmt;
use std::io::{self, Read, Write};

const MAGIC: [u8; 8] = *b"OPSKSL01";
const PREFIX_BYTES: usize = 7;
/// What a chunk holds.
pub(crate) const CHUNK_BYTES: usize = 64 << 10;
const TAG_BYTES: usize = 16;
const SEALED_BYTES: usize = CHUNK_BYTES + TAG_BYTES;

/// Where a chunk stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Before,
    Last,
}

/// The cipher of one object, and where it is.
struct Cipher {
    stream: StreamBE32<Aes256Gcm>,
    bound: [u8; 32],
    number: u32,
}

impl Cipher {
    fn new(key: &ObjectKey, prefix: &[u8; PREFIX_BYTES]) -> Self {
        let aead = Aes256Gcm::new(&(*key.key).into());
        Self {
            stream: StreamBE32::from_aead(aead, &(*prefix).into()),
            bound: key.bound,
            number: 0,
        }
    }

    fn seal(&mut self, place: Place, chunk: &mut Vec<u8>) -> io::Result<()> {
        let is_last = place == Place::Last;
        let sealed = self
            .stream
            .encrypt_in_place(self.number, is_last, &self.bound, chunk);
        sealed.map_err(|_| io::Error::other("a chunk could not be sealed"))?;
        self.advance()
    }

    fn open(&mut self, place: Place, chunk: &mut Vec<u8>) -> io::Result<()> {
        let is_last = place == Place::Last;
        let opened = self
            .stream
            .decrypt_in_place(self.number, is_last, &self.bound, chunk);
        opened.map_err(|_| no_chunk())?;
        self.advance()
    }

    fn advance(&mut self) -> io::Result<()> {
        let next = self.number.checked_add(1);
        self.number =
            next.ok_or_else(|| io::Error::other("the object is too large to be sealed"))?;
        Ok(())
    }
}

/// Seals what is written to it.
pub(crate) struct SealWriter<W: Write> {
    inner: W,
    cipher: Cipher,
    chunk: Vec<u8>,
}

impl<W: Write> fmt::Debug for SealWriter<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealWriter").finish_non_exhaustive()
    }
}

impl<W: Write> SealWriter<W> {
    pub(crate) fn new(mut inner: W, key: &ObjectKey) -> io::Result<Self> {
        let mut prefix = [0; PREFIX_BYTES];
        super::fill_random(&mut prefix)?;
        inner.write_all(&MAGIC)?;
        inner.write_all(&prefix)?;
        Ok(Self {
            inner,
            cipher: Cipher::new(key, &prefix),
            chunk: Vec::with_capacity(SEALED_BYTES),
        })
    }

    /// Seals the last chunk. What was not finished cannot be opened.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.seal(Place::Last)?;
        Ok(self.inner)
    }

    fn seal(&mut self, place: Place) -> io::Result<()> {
        self.cipher.seal(place, &mut self.chunk)?;
        self.inner.write_all(&self.chunk)?;
        self.chunk.clear();
        Ok(())
    }
}

impl<W: Write> Write for SealWriter<W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // A full chunk may be the last one until there is more.
        if self.chunk.len() == CHUNK_BYTES && !bytes.is_empty() {
            self.seal(Place::Before)?;
        }
        let taken = bytes.len().min(CHUNK_BYTES - self.chunk.len());
        self.chunk.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    /// What is in a chunk is not written before it is full.
    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Opens what was sealed. No byte is given out that was not checked.
pub(crate) struct SealReader<R: Read> {
    inner: R,
    cipher: Cipher,
    /// An opened chunk, and how much of it was given out.
    chunk: Vec<u8>,
    given: usize,
    /// The first byte of the next chunk.
    ahead: Option<u8>,
    ended: bool,
}

impl<R: Read> fmt::Debug for SealReader<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SealReader").finish_non_exhaustive()
    }
}

impl<R: Read> SealReader<R> {
    pub(crate) fn new(mut inner: R, key: &ObjectKey) -> io::Result<Self> {
        let (mut magic, mut prefix) = ([0; MAGIC.len()], [0; PREFIX_BYTES]);
        inner.read_exact(&mut magic).map_err(cut_off)?;
        inner.read_exact(&mut prefix).map_err(cut_off)?;
        if magic != MAGIC {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "it is no sealed object",
            ));
        }
        Ok(Self {
            inner,
            cipher: Cipher::new(key, &prefix),
            chunk: Vec::with_capacity(SEALED_BYTES + 1),
            given: 0,
            ahead: None,
            ended: false,
        })
    }

    /// Opens the next chunk. Whether it is the last is seen by one byte more.
    fn next(&mut self) -> io::Result<()> {
        self.chunk.clear();
        self.given = 0;
        self.chunk.extend(self.ahead.take());
        let wanted = SEALED_BYTES + 1 - self.chunk.len();
        let more = Read::by_ref(&mut self.inner).take(wanted as u64);
        { more }.read_to_end(&mut self.chunk)?;
        let place = match self.chunk.len() <= SEALED_BYTES {
            true => Place::Last,
            false => Place::Before,
        };
        if place == Place::Before {
            self.ahead = self.chunk.pop();
        }
        let is_first = self.cipher.number == 0;
        self.cipher.open(place, &mut self.chunk)?;
        if self.chunk.is_empty() && !is_first {
            return Err(no_chunk());
        }
        self.ended = place == Place::Last;
        Ok(())
    }
}

impl<R: Read> Read for SealReader<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if into.is_empty() {
            return Ok(0);
        }
        while self.given == self.chunk.len() {
            if self.ended {
                return Ok(0);
            }
            self.next()?;
        }
        let left = &self.chunk[self.given..];
        let given = left.len().min(into.len());
        into[..given].copy_from_slice(&left[..given]);
        self.given += given;
        Ok(given)
    }
}

fn no_chunk() -> io::Error {
    io::Error::new(
        io::ErrorKind::InvalidData,
        "it was changed, or sealed with another key, or for another place",
    )
}

fn cut_off(error: io::Error) -> io::Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => {
            io::Error::new(io::ErrorKind::InvalidData, "it ends before it begins")
        }
        _ => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seal::DataKey;
    use proptest::prelude::*;

    fn key(object: &str) -> ObjectKey {
        DataKey::from_bytes([7; 32]).object("repository", "backup", object)
    }

    fn seal(plain: &[u8], step: usize) -> Vec<u8> {
        let mut writer = SealWriter::new(Vec::new(), &key("a")).unwrap();
        for piece in plain.chunks(step.max(1)) {
            writer.write_all(piece).unwrap();
        }
        writer.finish().unwrap()
    }

    fn open(sealed: &[u8], object: &str) -> io::Result<Vec<u8>> {
        let mut opened = Vec::new();
        SealReader::new(sealed, &key(object))?.read_to_end(&mut opened)?;
        Ok(opened)
    }

    fn noise(bytes: usize) -> Vec<u8> {
        (0..bytes).map(|at| (at * 31 % 253) as u8).collect()
    }

    #[test]
    fn what_was_sealed_is_opened() {
        for bytes in [
            0,
            1,
            CHUNK_BYTES - 1,
            CHUNK_BYTES,
            CHUNK_BYTES + 1,
            3 * CHUNK_BYTES,
        ] {
            let plain = noise(bytes);
            let sealed = seal(&plain, 10_007);
            let chunks = bytes.div_ceil(CHUNK_BYTES).max(1);
            assert_eq!(sealed.len(), 15 + bytes + chunks * TAG_BYTES);
            assert_eq!(open(&sealed, "a").unwrap(), plain);
            assert!(open(&sealed, "b").is_err(), "of another object");
        }
    }

    #[test]
    fn two_seals_of_one_thing_are_not_the_same() {
        assert_ne!(seal(b"x", 1), seal(b"x", 1));
    }

    /// At every edge of a chunk, where a lesser construction takes the rest for an end.
    #[test]
    fn nothing_can_be_cut_off_doubled_or_moved() {
        let sealed = seal(&noise(3 * CHUNK_BYTES), CHUNK_BYTES);
        let (head, chunks) = sealed.split_at(15);
        let chunks: Vec<&[u8]> = chunks.chunks(SEALED_BYTES).collect();
        let with = |order: &[usize]| {
            let chosen: Vec<u8> = order.iter().flat_map(|at| chunks[*at].to_vec()).collect();
            open(&[head, &chosen].concat(), "a")
        };
        assert!(with(&[0, 1, 2]).is_ok());
        for order in [
            &[][..],
            &[0],
            &[0, 1],
            &[2],
            &[0, 2],
            &[1, 0, 2],
            &[0, 0, 1, 2],
            &[0, 1, 2, 2],
        ] {
            assert!(with(order).is_err(), "{order:?}");
        }
    }

    proptest! {
        #[test]
        fn no_change_goes_unseen(bytes in 0..200_usize, at in any::<prop::sample::Index>(), flip in 1..=255_u8, cut in any::<bool>()) {
            let mut sealed = seal(&noise(bytes), 7);
            let at = at.index(sealed.len());
            match cut {
                true => sealed.truncate(at),
                false => sealed[at] ^= flip,
            }
            prop_assert!(open(&sealed, "a").is_err());
        }

        #[test]
        fn strange_bytes_are_an_error(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            prop_assert!(open(&bytes, "a").is_err());
        }
    }
}
