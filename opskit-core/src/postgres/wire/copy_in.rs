//! COPY … FROM STDIN.

use super::canceller::Canceller;
use super::connection::WireConnection;
use super::copy_out::Format;
use super::server_error::{
    ServerFields, malformed, out_of_protocol, sendable, server_error, unsendable,
};
use crate::error::Result;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::message::backend::{CopyInResponseBody, Message};
use postgres_protocol::message::frontend::{self, CopyData};

/// How much is gathered before it is sent.
const SEND_BYTES: usize = 128 << 10;

/// The longest message that data is put into. The server gathers a message before it looks at rows: one of
/// this size is still in its cache then.
const MAX_MESSAGE_BYTES: usize = 64 << 10;

/// A running `COPY … FROM STDIN`. Owns the connection, so that nothing else can use it meanwhile.
///
/// Dropping it before [`CopyIn::finish`] cancels the statement, which then loads nothing, and closes
/// the connection. So does any error.
#[derive(Debug)]
pub struct CopyIn {
    connection: WireConnection,
    columns: usize,
    format: Format,
}

impl WireConnection {
    /// Starts a `COPY … FROM STDIN`. A statement that the server refuses costs the connection.
    ///
    /// ```no_run
    /// # use opskit_core::postgres::wire::WireConnection;
    /// # async fn example(connection: WireConnection) -> opskit_core::Result<()> {
    /// let mut copy = connection.copy_in("copy numbers from stdin").await?;
    /// copy.write(b"1\n2\n").await?;
    /// let (connection, rows) = copy.finish().await?;
    /// assert_eq!(rows, 2);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn copy_in(mut self, sql: &str) -> Result<CopyIn> {
        self.begin(sql).await?;
        match self.stream.next().await? {
            Message::CopyInResponse(body) => CopyIn::new(self, &body),
            other => Err(self.refused(other, "COPY … FROM STDIN")),
        }
    }
}

impl CopyIn {
    fn new(connection: WireConnection, body: &CopyInResponseBody) -> Result<Self> {
        Ok(Self {
            connection,
            columns: body.column_formats().count().map_err(malformed)?,
            format: Format::from_code(body.format())?,
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

    /// Sends data, cut anywhere; small pieces are gathered. What the server says meanwhile is heard:
    /// an error ends the COPY here.
    ///
    /// The future must not be dropped half-way if more is to be written.
    pub async fn write(&mut self, bytes: &[u8]) -> Result<()> {
        for piece in bytes.chunks(MAX_MESSAGE_BYTES) {
            let stream = &mut *self.connection.stream;
            CopyData::new(piece)
                .map_err(unsendable("data"))?
                .write(&mut stream.outbox);
            if stream.outbox.len() >= SEND_BYTES {
                self.send().await?;
            }
        }
        Ok(())
    }

    /// Ends the data and waits until the server has loaded it. Returns the connection, ready for use,
    /// and the number of rows that the server counted.
    pub async fn finish(mut self) -> Result<(WireConnection, u64)> {
        frontend::copy_done(&mut self.connection.stream.outbox);
        self.send().await?;
        let rows = self.connection.copy_result().await?;
        Ok((self.connection, rows))
    }

    /// Ends the COPY so that nothing is loaded, and waits until the server has seen to it. `reason`
    /// shows in the server's log. The connection is closed.
    pub async fn fail(mut self, reason: &str) -> Result<()> {
        sendable(
            "reason",
            frontend::copy_fail(reason, &mut self.connection.stream.outbox),
        )?;
        self.send().await?;
        match self.connection.stream.next().await? {
            Message::ErrorResponse(body) => {
                let fields = ServerFields::read(body.fields());
                self.connection.step = super::connection::Step::Broken;
                // 57014 is how the server names a COPY that its client ended.
                if fields.code == "57014" {
                    Ok(())
                } else {
                    Err(server_error(&fields))
                }
            }
            _ => Err(out_of_protocol("an unknown answer to the end of COPY")),
        }
    }

    /// Stops like dropping does, but returns only once the server was asked to cancel.
    pub async fn abort(self) -> Result<()> {
        self.connection.abort().await
    }

    /// Takes the notices that came since the last call.
    pub fn take_notices(&mut self) -> Vec<super::Notice> {
        self.connection.take_notices()
    }

    async fn send(&mut self) -> Result<()> {
        self.connection.check_busy()?;
        let sent = self.connection.stream.send_and_listen().await;
        self.connection.keep_if_ok(sent)
    }
}
