//! The memory that bulk data is read into.

use std::fmt;

/// A byte buffer that is initialised once and used again and again, so that reading into it costs
/// neither an allocation nor the zeroing of memory.
///
/// ```
/// use opskit_core::postgres::wire::CopyBuffer;
/// let buffer = CopyBuffer::with_capacity(1 << 20);
/// assert!(buffer.as_slice().is_empty());
/// assert_eq!(buffer.capacity(), 1 << 20);
/// ```
#[derive(Clone, Default)]
pub struct CopyBuffer {
    /// Always initialised to its whole length; what is valid ends at `len`.
    bytes: Vec<u8>,
    len: usize,
}

impl CopyBuffer {
    /// A buffer that holds `capacity` bytes before it grows.
    #[must_use]
    pub fn with_capacity(capacity: usize) -> Self {
        Self {
            bytes: vec![0; capacity],
            len: 0,
        }
    }

    /// The bytes it holds.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// How many bytes it holds.
    #[must_use]
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether it holds nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// How many bytes it can hold without growing.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.bytes.len()
    }

    /// Forgets everything; the memory stays.
    pub fn clear(&mut self) {
        self.len = 0;
    }

    /// Forgets the first `count` bytes, or all when there are fewer; the rest moves to the front.
    pub fn consume(&mut self, count: usize) {
        let count = count.min(self.len);
        self.bytes.copy_within(count..self.len, 0);
        self.len -= count;
    }

    /// Gives memory beyond `capacity` back, as far as the contents allow: after one huge value.
    pub fn shrink_to(&mut self, capacity: usize) {
        self.bytes.truncate(capacity.max(self.len));
        self.bytes.shrink_to_fit();
    }

    /// Adds bytes at the end.
    pub fn extend_from_slice(&mut self, bytes: &[u8]) {
        self.grow_to(self.len + bytes.len());
        self.bytes[self.len..self.len + bytes.len()].copy_from_slice(bytes);
        self.len += bytes.len();
    }

    /// Makes room for at least `room` more bytes. Grows by half at least, so that filling a buffer
    /// piece by piece stays linear.
    pub(super) fn reserve(&mut self, room: usize) {
        if self.capacity() - self.len < room {
            self.grow_to((self.len + room).max(self.capacity() + self.capacity() / 2));
        }
    }

    fn grow_to(&mut self, capacity: usize) {
        if capacity > self.capacity() {
            self.bytes.resize(capacity, 0);
        }
    }

    /// All of its memory, and how much of it is valid.
    pub(super) fn parts(&mut self) -> (&mut [u8], usize) {
        (&mut self.bytes, self.len)
    }

    /// Declares the first `len` bytes valid.
    pub(super) fn set_len(&mut self, len: usize) {
        self.len = len.min(self.bytes.len());
    }
}

impl fmt::Debug for CopyBuffer {
    /// Sizes only: the bytes are rows of the user.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CopyBuffer")
            .field("len", &self.len)
            .field("capacity", &self.capacity())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_what_is_not_consumed() {
        let mut buffer = CopyBuffer::with_capacity(4);
        buffer.extend_from_slice(b"abcdef");
        buffer.consume(4);
        assert_eq!(buffer.as_slice(), b"ef");
        buffer.extend_from_slice(b"gh");
        assert_eq!(buffer.as_slice(), b"efgh");
        buffer.consume(99);
        assert!(buffer.is_empty());
        buffer.extend_from_slice(b"x");
        buffer.shrink_to(0);
        assert_eq!((buffer.as_slice(), buffer.capacity()), (&b"x"[..], 1));
        assert!(!format!("{buffer:?}").contains('x'));
    }
}
