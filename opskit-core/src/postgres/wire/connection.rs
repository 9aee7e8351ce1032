//! A session: statements, and the guarantee that it is never used out of step.

use super::canceller::Canceller;
use super::resolved::ResolvedHost;
use super::result_set::{Collector, ResultSet};
use super::server_error::{lost, out_of_protocol, sendable};
use super::stream::{Notice, Stream};
use super::transport::Transport;
use super::version::version_num;
use crate::error::{Error, ErrorKind, Result};
use bytes::BytesMut;
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};
use std::{fmt, io};
use tokio::io::AsyncWriteExt as _;

/// What a request to cancel must show.
#[derive(Clone, Copy)]
pub(super) struct BackendKey {
    pub(super) process_id: i32,
    pub(super) secret: i32,
}

/// Whether the next thing the server says is known.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    /// It waits for us.
    Ready,
    /// It is doing something. A connection found in this state by anyone but the call that started
    /// it was left there by a future that was dropped.
    Busy,
    /// The session is over or not to be used.
    Broken,
}

/// One session with a server, on our own small client: simple queries and COPY at full speed.
///
/// It cannot get out of step: a call that fails half-way or is dropped makes the connection
/// unusable, cancels what the server is doing for it, and says so from then on.
///
/// Made by [`WireConnection::connect`].
pub struct WireConnection {
    pub(super) stream: Box<Stream>,
    pub(super) step: Step,
    resolved: ResolvedHost,
    key: Option<BackendKey>,
}

impl WireConnection {
    pub(super) fn ready(stream: Stream, resolved: ResolvedHost, key: Option<BackendKey>) -> Self {
        Self {
            stream: Box::new(stream),
            step: Step::Ready,
            resolved,
            key,
        }
    }

    /// The server this is connected to, for further connections to the same one.
    #[must_use]
    pub fn resolved(&self) -> &ResolvedHost {
        &self.resolved
    }

    /// The number of the server process, as it was told at start-up (a pooler tells its own); zero
    /// when it was not told.
    #[must_use]
    pub fn process_id(&self) -> i32 {
        self.key.map_or(0, |key| key.process_id)
    }

    /// A setting that the server reports by itself: `server_version`, `TimeZone`, ….
    #[must_use]
    pub fn parameter(&self, name: &str) -> Option<&str> {
        self.stream.parameters.get(name).map(String::as_str)
    }

    /// The server's version as a number, 150018 for 15.18; zero when it did not tell.
    #[must_use]
    pub fn server_version_num(&self) -> u32 {
        self.parameter("server_version").map_or(0, version_num)
    }

    /// What cancels the statement that this session is running.
    #[must_use]
    pub fn canceller(&self) -> Canceller {
        Canceller::new(&self.resolved, self.key, &self.stream.asked)
    }

    /// Sets how long a server that sends nothing is waited for; `None`, as at first, means for ever.
    pub fn set_patience(&mut self, patience: Option<Duration>) {
        self.stream.patience = patience;
    }

    /// Takes the notices that came since the last call, at most the last hundred.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.stream.notices)
    }

    /// Runs one or more statements and returns the rows of each.
    ///
    /// A statement that fails leaves the connection usable. Dropping the future before it is done
    /// does not: the statement is cancelled, and later calls fail.
    pub async fn query(&mut self, sql: &str) -> Result<Vec<ResultSet>> {
        self.begin(sql).await?;
        match self.collect().await {
            Ok(answer) => answer,
            Err(error) => {
                self.abandon();
                Err(error)
            }
        }
    }

    /// Runs one or more statements whose rows do not matter.
    pub async fn execute(&mut self, sql: &str) -> Result<()> {
        self.query(sql).await.map(drop)
    }

    /// Sends statements without waiting for their answers, and returns what became of each, and when it did. Behind
    /// one that fails, the server goes on with the next: within a transaction that fails as well.
    ///
    /// All of it must fit the buffers of a socket: nothing is read before all is sent.
    pub(crate) async fn pipeline(
        &mut self,
        statements: &[&str],
    ) -> Result<Vec<(Result<Vec<ResultSet>>, Instant)>> {
        self.start(|outbox| {
            let mut all = statements.iter();
            all.try_for_each(|sql| frontend::query(sql, outbox))
        })
        .await?;
        let mut answers = Vec::with_capacity(statements.len());
        for _ in statements {
            self.step = Step::Busy;
            match self.collect().await {
                Ok(answer) => answers.push((answer, Instant::now())),
                Err(error) => {
                    self.abandon();
                    return Err(error);
                }
            }
        }
        Ok(answers)
    }

    /// Ends the session in good order.
    pub async fn close(mut self) {
        self.say_goodbye().await;
    }

    /// The same, and waits until the server has let go of it: then it is none of its connections any more.
    pub(crate) async fn end(mut self) {
        self.say_goodbye().await;
        while self.stream.next().await.is_ok() {}
    }

    async fn say_goodbye(&mut self) {
        if self.step == Step::Ready {
            self.step = Step::Broken;
            frontend::terminate(&mut self.stream.outbox);
            // It may be gone already, which is as good.
            let _ = self.stream.send().await;
        }
        let _ = self.stream.transport.shutdown().await;
    }

    /// Runs one statement and returns its rows. The server refuses text that holds a second one, so
    /// that text of somebody else's cannot bring along statements of its own.
    ///
    /// Fails as [`WireConnection::query`] does.
    ///
    /// ```no_run
    /// # use opskit_core::postgres::wire::WireConnection;
    /// # async fn example(connection: &mut WireConnection) -> opskit_core::Result<()> {
    /// connection.query_one("create table t (i int)").await?;
    /// assert!(connection.query_one("select 1; select 2").await.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn query_one(&mut self, sql: &str) -> Result<ResultSet> {
        self.start(|outbox| super::extended::one_statement(sql, outbox))
            .await?;
        match self.collect().await {
            Ok(answer) => Ok(answer?.pop().unwrap_or_default()),
            Err(error) => {
                self.abandon();
                Err(error)
            }
        }
    }

    /// Sends a statement; from here to the server's readiness the connection is busy.
    pub(super) async fn begin(&mut self, sql: &str) -> Result<()> {
        self.start(|outbox| frontend::query(sql, outbox)).await
    }

    /// Sends what `build` writes, which the server answers with its readiness at the end.
    async fn start(&mut self, build: impl FnOnce(&mut BytesMut) -> io::Result<()>) -> Result<()> {
        match self.step {
            Step::Ready => {}
            Step::Busy => {
                self.abandon();
                return Err(out_of_step());
            }
            Step::Broken => return Err(out_of_step()),
        }
        self.stream.cancel.check()?;
        self.stream.asked.store(false, Ordering::Release);
        let built = build(&mut self.stream.outbox);
        if built.is_err() {
            // A message that was refused half-way must not be sent before the next one.
            self.stream.outbox.clear();
        }
        sendable("statement", built)?;
        self.step = Step::Busy;
        let sent = self.stream.send().await;
        if sent.is_err() {
            self.abandon();
        }
        sent
    }

    /// Reads to the server's readiness. The outer result is the connection's, the inner one the
    /// statement's.
    async fn collect(&mut self) -> Result<Result<Vec<ResultSet>>> {
        let mut collector = Collector::default();
        let mut failure = None;
        loop {
            let message = match self.stream.next().await {
                Ok(message) => message,
                // What the server said last explains why it went.
                Err(error) => return Err(failure.unwrap_or(error)),
            };
            match message {
                Message::ReadyForQuery(_) => {
                    self.step = Step::Ready;
                    return Ok(failure.map_or_else(|| Ok(collector.finish()), Err));
                }
                Message::ErrorResponse(body) => {
                    failure.get_or_insert(self.stream.reported(&body));
                }
                Message::CopyInResponse(_) | Message::CopyOutResponse(_) | Message::CopyData(_) => {
                    return Err(Error::new(
                        ErrorKind::InvalidInput,
                        "a COPY statement cannot run as a query",
                    ));
                }
                // The server got that far with a statement of the extended protocol.
                Message::ParseComplete | Message::BindComplete | Message::NoData => {}
                message => collector.take(message)?,
            }
        }
    }

    /// Gives the connection up: what the server does for it is cancelled in the background.
    pub(super) fn abandon(&mut self) {
        if self.step == Step::Busy {
            self.canceller().cancel_in_background();
        }
        self.step = Step::Broken;
    }

    /// Gives the connection up like dropping it does, but returns only once the server was asked to
    /// cancel: for callers whose runtime is about to end.
    pub async fn abort(mut self) -> Result<()> {
        let busy = self.step == Step::Busy;
        self.step = Step::Broken;
        if busy {
            self.canceller().cancel().await
        } else {
            Ok(())
        }
    }

    /// Whether no statement can be sent any more.
    pub(crate) fn is_broken(&self) -> bool {
        self.step != Step::Ready
    }

    /// Changes who watches the socket; a connection that is lost on the way is given up.
    pub(super) fn rewire(
        &mut self,
        change: impl FnOnce(Transport) -> io::Result<Transport>,
    ) -> Result<()> {
        let transport = std::mem::replace(&mut self.stream.transport, Transport::Gone);
        let changed = change(transport).map_err(lost);
        self.stream.transport = self.keep_if_ok(changed)?;
        Ok(())
    }

    /// Passes on how a step of a COPY went; after a failure the connection is given up.
    pub(super) fn keep_if_ok<T>(&mut self, result: Result<T>) -> Result<T> {
        if result.is_err() {
            self.abandon();
        }
        result
    }

    /// Fails unless a statement of the caller's is running.
    pub(super) fn check_busy(&self) -> Result<()> {
        if self.step == Step::Busy {
            Ok(())
        } else {
            Err(out_of_step())
        }
    }

    /// Reads from the end of the data to the server's readiness, and returns the number of rows.
    pub(super) async fn copy_result(&mut self) -> Result<u64> {
        let mut rows = None;
        loop {
            match self.stream.next().await? {
                Message::CommandComplete(body) => {
                    let tag = body.tag().map_err(super::server_error::malformed)?;
                    rows = tag.strip_prefix("COPY ").and_then(|rows| rows.parse().ok());
                }
                Message::ReadyForQuery(_) => {
                    self.step = Step::Ready;
                    return rows
                        .ok_or_else(|| out_of_protocol("COPY ended without a number of rows"));
                }
                Message::ErrorResponse(body) => {
                    self.step = Step::Broken;
                    return Err(self.stream.reported(&body));
                }
                _ => return Err(out_of_protocol("an unknown message after COPY")),
            }
        }
    }
}

pub(super) fn out_of_step() -> Error {
    Error::new(
        ErrorKind::Connection,
        "the connection is out of step: an earlier call failed or was dropped before its end",
    )
    .with_hint("Connect anew.")
}

impl Drop for WireConnection {
    fn drop(&mut self) {
        self.abandon();
    }
}

impl fmt::Debug for WireConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WireConnection")
            .field("resolved", &self.resolved)
            .field("process_id", &self.process_id())
            .field("step", &self.step)
            .finish_non_exhaustive()
    }
}
