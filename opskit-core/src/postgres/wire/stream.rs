//! Messages over a transport: what to send, what came, and what is set aside on the way.

use super::server_error::{ServerFields, lost, malformed, out_of_protocol, server_error};
use super::transport::Transport;
use crate::cancel::{Cancel, cancelled};
use crate::error::{Error, ErrorKind, Result};
use bytes::BytesMut;
use postgres_protocol::message::backend::{ErrorResponseBody, Header, Message};
use std::collections::BTreeMap;
use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

/// Notices beyond this many are counted off from the oldest: a server can send any number.
const MAX_NOTICES: usize = 100;

/// How much is read at once where no bulk data is expected.
const CONTROL_READ_BYTES: usize = 16 * 1024;

/// The longest message taken from a server that has not proved who it is.
const MAX_UNAUTHENTICATED_BYTES: usize = 64 * 1024;

/// Something the server wants known that is not an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// `WARNING`, `NOTICE`, …
    pub severity: String,
    /// The SQLSTATE.
    pub code: String,
    /// The text.
    pub message: String,
}

pub(super) struct Stream {
    pub(super) transport: Transport,
    /// Bytes that came and are not read yet.
    pub(super) inbox: BytesMut,
    /// Messages that are built and not sent yet.
    pub(super) outbox: BytesMut,
    pub(super) cancel: Cancel,
    /// Whether somebody here asked the server to cancel the statement.
    pub(super) asked: Arc<AtomicBool>,
    /// How long a silent server is waited for.
    pub(super) patience: Option<Duration>,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) notices: Vec<Notice>,
    max_message_bytes: usize,
}

impl Stream {
    pub(super) fn new(transport: Transport, cancel: Cancel) -> Self {
        Self {
            transport,
            inbox: BytesMut::new(),
            outbox: BytesMut::new(),
            cancel,
            asked: Arc::default(),
            patience: None,
            parameters: BTreeMap::new(),
            notices: Vec::new(),
            max_message_bytes: MAX_UNAUTHENTICATED_BYTES,
        }
    }

    /// Moves what came together with an earlier answer to `room`; tells how much.
    pub(super) fn take_inbox(&mut self, room: &mut [u8]) -> usize {
        let count = self.inbox.len().min(room.len());
        room[..count].copy_from_slice(&self.inbox.split_to(count));
        count
    }

    /// Takes messages of any length from now on.
    pub(super) fn trust_lengths(&mut self) {
        self.max_message_bytes = usize::MAX;
    }

    /// The next message that is an answer; notices, parameters and notifications are set aside.
    pub(super) async fn next(&mut self) -> Result<Message> {
        loop {
            while let Some(message) = self.take_message()? {
                if let Some(answer) = self.set_aside(message)? {
                    return Ok(answer);
                }
            }
            self.fill().await?;
        }
    }

    /// The next whole message in the inbox.
    fn take_message(&mut self) -> Result<Option<Message>> {
        let Some(header) = Header::parse(&self.inbox).map_err(malformed)? else {
            return Ok(None);
        };
        let length = usize::try_from(header.len()).unwrap_or(usize::MAX);
        if length > self.max_message_bytes {
            return Err(out_of_protocol("a message that is too long"));
        }
        // `Message::parse` makes room for whatever length the header claims: it is only called once
        // all of it is here.
        if self.inbox.len() <= length {
            return Ok(None);
        }
        Message::parse(&mut self.inbox).map_err(malformed)
    }

    /// Keeps what can come at any moment; gives back everything else.
    pub(super) fn set_aside(&mut self, message: Message) -> Result<Option<Message>> {
        match message {
            Message::NoticeResponse(body) => {
                let fields = ServerFields::read(body.fields());
                if self.notices.len() == MAX_NOTICES {
                    self.notices.remove(0);
                }
                self.notices.push(Notice {
                    severity: fields.severity,
                    code: fields.code,
                    message: fields.message,
                });
                Ok(None)
            }
            Message::ParameterStatus(body) => {
                let (name, value) = (
                    body.name().map_err(malformed)?,
                    body.value().map_err(malformed)?,
                );
                self.parameters.insert(name.to_owned(), value.to_owned());
                Ok(None)
            }
            Message::NotificationResponse(_) => Ok(None),
            message => Ok(Some(message)),
        }
    }

    /// What the server reports as an error. It says no more than that a statement was cancelled; whether that
    /// was asked for here is known here.
    pub(super) fn reported(&self, body: &ErrorResponseBody) -> Error {
        let fields = ServerFields::read(body.fields());
        let ours = self.asked.load(Ordering::Acquire) || self.cancel.is_cancelled();
        match fields.code.as_str() {
            "57014" if ours => cancelled(),
            _ => server_error(&fields),
        }
    }

    /// Waits for more bytes.
    async fn fill(&mut self) -> Result<()> {
        self.inbox.reserve(CONTROL_READ_BYTES);
        let read = self.transport.read_buf(&mut self.inbox);
        match guarded(&self.cancel, self.patience, read).await? {
            0 => Err(lost(io::ErrorKind::UnexpectedEof.into())),
            _ => Ok(()),
        }
    }

    /// Sends what is in the outbox.
    pub(super) async fn send(&mut self) -> Result<()> {
        let work = async {
            self.transport.write_all(&self.outbox).await?;
            self.transport.flush().await
        };
        guarded(&self.cancel, self.patience, work).await?;
        self.outbox.clear();
        Ok(())
    }

    /// Sends what is in the outbox and takes in what comes meanwhile: a server that is busy telling
    /// us something may not listen until it was heard.
    pub(super) async fn send_and_listen(&mut self) -> Result<()> {
        while !self.outbox.is_empty() {
            let (transport, inbox, outbox) = (&mut self.transport, &mut self.inbox, &self.outbox);
            let step = poll_fn(|cx| {
                let mut chunk = [0; 4096];
                let mut chunk = ReadBuf::new(&mut chunk);
                if let Poll::Ready(read) = Pin::new(&mut *transport).poll_read(cx, &mut chunk) {
                    read?;
                    if chunk.filled().is_empty() {
                        return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
                    }
                    inbox.extend_from_slice(chunk.filled());
                    return Poll::Ready(Ok(0));
                }
                Pin::new(&mut *transport).poll_write(cx, outbox)
            });
            let sent = guarded(&self.cancel, self.patience, step).await?;
            let _ = self.outbox.split_to(sent);
            if sent == 0 {
                self.refuse_error_in_inbox()?;
            }
        }
        guarded(&self.cancel, self.patience, self.transport.flush()).await
    }

    /// Reads the messages that came while we were sending; an error among them ends the sending.
    fn refuse_error_in_inbox(&mut self) -> Result<()> {
        while let Some(message) = self.take_message()? {
            match self.set_aside(message)? {
                None => {}
                Some(Message::ErrorResponse(body)) => {
                    return Err(self.reported(&body));
                }
                Some(_) => return Err(out_of_protocol("an answer before the end of the data")),
            }
        }
        Ok(())
    }
}

/// Waits for `work`, for the caller to cancel, or for patience to end.
pub(super) async fn guarded<T>(
    cancel: &Cancel,
    patience: Option<Duration>,
    work: impl Future<Output = io::Result<T>>,
) -> Result<T> {
    cancel
        .guard(async {
            match patience {
                None => work.await.map_err(lost),
                Some(patience) => match tokio::time::timeout(patience, work).await {
                    Ok(done) => done.map_err(lost),
                    Err(_) => Err(silent(patience)),
                },
            }
        })
        .await
}

pub(super) fn silent(patience: Duration) -> Error {
    Error::new(
        ErrorKind::Timeout,
        format!("the server sent nothing for {} s", patience.as_secs_f64()),
    )
}
