//! COPY … TO STDOUT: the hot path.

use super::canceller::Canceller;
use super::connection::{Step, WireConnection};
use super::copy_buffer::CopyBuffer;
use super::copy_scan::{CopyScanner, Cursor};
use super::server_error::{lost, malformed, out_of_protocol};
use super::stream::guarded;
use crate::error::{Error, ErrorKind, Result};
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::{CopyOutResponseBody, Message};
use tokio::io::AsyncReadExt as _;

/// The most that is asked of the socket at once.
const MAX_READ_BYTES: usize = 1 << 20;

/// The least room that a read is worth.
const MIN_READ_BYTES: usize = 64 << 10;

/// Whether more data can come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum CopyStatus {
    /// More may come.
    More,
    /// The server sent all of it: call [`CopyOut::finish`].
    End,
}

/// A running `COPY … TO STDOUT`. Owns the connection, so that nothing else can use it meanwhile.
///
/// Dropping it before the end cancels the statement on the server and closes the connection. So
/// does any error.
#[derive(Debug)]
pub struct CopyOut {
    pub(super) connection: WireConnection,
    scanner: CopyScanner,
    columns: usize,
    format: Format,
    pub(super) status: CopyStatus,
}

/// How rows are written.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Format {
    Text,
    Binary,
}

impl Format {
    pub(super) fn from_code(code: u8) -> Result<Self> {
        match code {
            0 => Ok(Self::Text),
            1 => Ok(Self::Binary),
            _ => Err(out_of_protocol("an unknown COPY format")),
        }
    }
}

impl WireConnection {
    /// Starts a `COPY … TO STDOUT`. A statement that the server refuses costs the connection.
    ///
    /// ```no_run
    /// use opskit_core::postgres::wire::{CopyBuffer, CopyStatus, WireConnection};
    /// # async fn example(connection: WireConnection) -> opskit_core::Result<()> {
    /// let mut copy = connection.copy_out("copy orders to stdout (format binary)").await?;
    /// let mut buffer = CopyBuffer::with_capacity(1 << 20);
    /// loop {
    ///     let status = copy.read(&mut buffer, 256 << 10).await?;
    ///     // … use buffer.as_slice() …
    ///     buffer.clear();
    ///     if status == CopyStatus::End {
    ///         break;
    ///     }
    /// }
    /// let (connection, rows) = copy.finish().await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn copy_out(mut self, sql: &str) -> Result<CopyOut> {
        self.begin(sql).await?;
        match self.stream.next().await? {
            Message::CopyOutResponse(body) => CopyOut::new(self, &body),
            other => Err(self.refused(other, "COPY … TO STDOUT")),
        }
    }

    /// What to say when a COPY did not start. The connection is not used again.
    pub(super) fn refused(&mut self, answer: Message, wanted: &str) -> Error {
        match answer {
            Message::ErrorResponse(body) => {
                // The statement is over: nothing is left to cancel.
                self.step = Step::Broken;
                self.stream.reported(&body)
            }
            _ => Error::new(
                ErrorKind::InvalidInput,
                format!("the statement is not a {wanted}"),
            ),
        }
    }
}

/// Where the next read of the socket goes.
pub(super) fn room(buffer: &mut CopyBuffer, min: usize) -> &mut [u8] {
    buffer.reserve(MIN_READ_BYTES.max(min - buffer.len()));
    let (bytes, start) = buffer.parts();
    let end = bytes.len().min(start + MAX_READ_BYTES);
    &mut bytes[start..end]
}

impl CopyOut {
    fn new(connection: WireConnection, body: &CopyOutResponseBody) -> Result<Self> {
        Ok(Self {
            connection,
            scanner: CopyScanner::default(),
            columns: body.column_formats().count().map_err(malformed)?,
            format: Format::from_code(body.format())?,
            status: CopyStatus::More,
        })
    }

    /// What cancels the statement, from anywhere.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        self.connection.canceller()
    }

    /// How many columns each row has.
    #[must_use]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// Whether the format is binary.
    #[must_use]
    pub fn is_binary(&self) -> bool {
        self.format == Format::Binary
    }

    /// Adds data to `buffer` until it holds at least `min` bytes or the end has come; one call adds
    /// at least one byte unless it returns [`CopyStatus::End`] or the buffer held `min` already.
    ///
    /// The data is the COPY stream without the protocol's framing, cut anywhere. What the buffer
    /// holds already is kept, so that a caller can leave the start of a row in it
    /// ([`CopyBuffer::consume`]). It grows when it has no room for `min` bytes.
    ///
    /// Dropping the future loses nothing: what had come is in the buffer.
    pub async fn read(&mut self, buffer: &mut CopyBuffer, min: usize) -> Result<CopyStatus> {
        while self.status == CopyStatus::More && buffer.len() < min {
            self.connection.check_busy()?;
            let read = self.read_some(buffer, min).await;
            self.connection.keep_if_ok(read)?;
        }
        Ok(self.status)
    }

    /// One read of the socket.
    async fn read_some(&mut self, buffer: &mut CopyBuffer, min: usize) -> Result<()> {
        let stream = &mut *self.connection.stream;
        let room = room(buffer, min);
        let count = match stream.take_inbox(room) {
            0 => {
                let read = stream.transport.read(room);
                guarded(&stream.cancel, stream.patience, read).await?
            }
            count => count,
        };
        self.take(buffer, count)
    }

    /// Takes `count` bytes that were read behind what the buffer holds.
    pub(super) fn take(&mut self, buffer: &mut CopyBuffer, count: usize) -> Result<()> {
        if count == 0 {
            return Err(lost(std::io::ErrorKind::UnexpectedEof.into()));
        }
        let stream = &mut *self.connection.stream;
        let (bytes, start) = buffer.parts();
        let end = start + count;
        let mut cursor = Cursor {
            read: start,
            write: start,
        };
        while let Some(mut aside) = self.scanner.scan(&mut bytes[..end], &mut cursor)? {
            let Some(message) = Message::parse(&mut aside).map_err(malformed)? else {
                return Err(out_of_protocol("a message cut short"));
            };
            match stream.set_aside(message)? {
                None => {}
                Some(Message::CopyDone) => {
                    self.status = CopyStatus::End;
                    // What follows is read as messages again; some of it may wait in the inbox.
                    let mut rest = bytes::BytesMut::from(&bytes[cursor.read..end]);
                    rest.extend_from_slice(&stream.inbox);
                    stream.inbox = rest;
                    break;
                }
                Some(Message::ErrorResponse(body)) => {
                    self.connection.step = Step::Broken;
                    return Err(stream.reported(&body));
                }
                Some(_) => return Err(out_of_protocol("an unknown message between rows")),
            }
        }
        buffer.set_len(cursor.write);
        Ok(())
    }

    /// Waits for the server's own word that all went well, after [`CopyOut::read`] returned
    /// [`CopyStatus::End`]. Returns the connection, ready for use, and the number of rows that the
    /// server counted.
    pub async fn finish(mut self) -> Result<(WireConnection, u64)> {
        if self.status != CopyStatus::End {
            return Err(Error::new(
                ErrorKind::Internal,
                "COPY was finished before its end",
            ));
        }
        let rows = self.connection.copy_result().await?;
        Ok((self.connection, rows))
    }

    /// Stops like dropping does, but returns only once the server was asked to cancel.
    pub async fn abort(self) -> Result<()> {
        self.connection.abort().await
    }

    /// Takes the notices that came since the last call.
    pub fn take_notices(&mut self) -> Vec<super::Notice> {
        self.connection.take_notices()
    }
}
