//! SHA-256 and size of what is written, taken as it passes.

use super::StoredObject;
use crate::name::hex;
use sha2::{Digest, Sha256};
use std::io::{self, Write};

/// Passes bytes on and remembers how many and what they hash to.
#[derive(Debug)]
pub(crate) struct DigestWriter<W> {
    inner: W,
    hasher: Sha256,
    bytes: u64,
}

impl<W: Write> DigestWriter<W> {
    pub(crate) fn new(inner: W) -> Self {
        Self {
            inner,
            hasher: Sha256::new(),
            bytes: 0,
        }
    }

    /// The writer below, and the description of what passed.
    pub(crate) fn finish(self, name: impl Into<String>) -> (W, StoredObject) {
        let object = StoredObject {
            name: name.into(),
            bytes: self.bytes,
            sha256: hex(&self.hasher.finalize()),
        };
        (self.inner, object)
    }
}

impl<W: Write> Write for DigestWriter<W> {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let taken = self.inner.write(buf)?;
        self.hasher.update(&buf[..taken]);
        self.bytes += taken as u64;
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Describes bytes that are stored whole.
pub(crate) fn stored_object(name: &str, bytes: &[u8]) -> StoredObject {
    StoredObject {
        name: name.to_owned(),
        bytes: bytes.len() as u64,
        sha256: hex(&Sha256::digest(bytes)),
    }
}
