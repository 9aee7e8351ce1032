//! Asking a server to stop what one of its sessions is doing.

use super::connection::BackendKey;
use super::resolved::{Peer, ResolvedHost};
use super::server_error::lost;
use super::tls::Negotiated;
use super::transport::Transport;
use crate::error::{Error, ErrorKind, Result};
use bytes::BytesMut;
use postgres_protocol::message::frontend;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

/// How long a server has to take a request to cancel.
const DEADLINE: Duration = Duration::from_secs(5);

/// Cancels what a session is doing, from anywhere, while the session itself is in use. Cheap to
/// clone.
#[derive(Clone)]
pub struct Canceller {
    session: Arc<(ResolvedHost, Option<BackendKey>)>,
    /// Tells the session that it was asked to.
    asked: Arc<AtomicBool>,
}

impl Canceller {
    pub(super) fn new(
        resolved: &ResolvedHost,
        key: Option<BackendKey>,
        asked: &Arc<AtomicBool>,
    ) -> Self {
        Self {
            session: Arc::new((resolved.clone(), key)),
            asked: Arc::clone(asked),
        }
    }

    /// Asks the server to cancel, over TLS when the session uses TLS. `Ok` means that the server
    /// took the request; whether the statement was still running then is for the session to see.
    ///
    /// ```no_run
    /// # use opskit_core::postgres::wire::WireConnection;
    /// # async fn example(mut connection: WireConnection) -> opskit_core::Result<()> {
    /// let canceller = connection.canceller();
    /// let (answer, cancelled) = tokio::join!(connection.query("select pg_sleep(60)"), canceller.cancel());
    /// cancelled?;
    /// assert!(answer.is_err());
    /// # Ok(())
    /// # }
    /// ```
    pub async fn cancel(&self) -> Result<()> {
        let (resolved, Some(key)) = &*self.session else {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "the server gave no key to cancel with",
            ));
        };
        self.asked.store(true, Ordering::Release);
        match tokio::time::timeout(DEADLINE, request(resolved, key)).await {
            Ok(done) => done,
            Err(_) => Err(Error::new(
                ErrorKind::Timeout,
                "the server did not take the request to cancel",
            )),
        }
    }

    /// Asks without waiting for an answer, where a runtime is there to do it.
    pub(crate) fn cancel_in_background(self) {
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move {
                // Nobody is left to tell; the closed socket ends the statement at its next output.
                if let Err(error) = self.cancel().await {
                    tracing::debug!(%error, "an abandoned statement could not be cancelled");
                }
            });
        }
    }
}

async fn request(resolved: &ResolvedHost, key: &BackendKey) -> Result<()> {
    let mut transport = match (&resolved.peer, &resolved.setup) {
        (Peer::Socket(path), _) => Transport::connect_unix(path).await.map_err(lost)?,
        (Peer::Address(address), Some(setup)) if resolved.tls => {
            let socket = Transport::connect_tcp(*address).await.map_err(lost)?;
            match setup.negotiate(socket).await? {
                Negotiated::Tls(transport) => transport,
                // The key is not for others to read.
                Negotiated::Plain(_) => {
                    return Err(Error::new(
                        ErrorKind::Connection,
                        "the server does not support TLS any more",
                    ));
                }
            }
        }
        (Peer::Address(address), _) => {
            Transport::Tcp(Transport::connect_tcp(*address).await.map_err(lost)?)
        }
    };
    let mut message = BytesMut::new();
    frontend::cancel_request(key.process_id, key.secret, &mut message);
    transport.write_all(&message).await.map_err(lost)?;
    transport.flush().await.map_err(lost)?;
    // The server answers nothing and closes once it has acted. How it closes does not matter.
    let _ = transport.read(&mut [0; 1]).await;
    Ok(())
}

impl fmt::Debug for Canceller {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Canceller").field(&self.session.0).finish()
    }
}
