//! Starting a session with one server: socket, TLS, authentication, first answers.

use super::auth::{Channel, Failed, Login, authenticate};
use super::binding::end_point_hash;
use super::connection::{BackendKey, WireConnection};
use super::resolved::{Peer, ResolvedHost};
use super::server_error::{ServerFields, out_of_protocol, sendable};
use super::stream::Stream;
use super::tls::{Negotiated, TlsSetup};
use super::transport::Transport;
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::url::{DatabaseUrl, SslMode};
use postgres_protocol::message::backend::Message;
use postgres_protocol::message::frontend;

/// Whether to ask for TLS.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Ask {
    Never,
    /// Go on without when the server has none.
    Gladly,
    Always,
}

/// Connects to `target` within the URL's time limit, with TLS by the target's mode.
pub(super) async fn start(
    url: &DatabaseUrl,
    target: ResolvedHost,
    cancel: &Cancel,
) -> Result<WireConnection> {
    let work = start_by_mode(url, target, cancel);
    within(url, cancel, work).await
}

/// Connects to a server that was reached before, in exactly the way in which it was reached.
pub(super) async fn start_again(
    url: &DatabaseUrl,
    target: &ResolvedHost,
    cancel: &Cancel,
) -> Result<WireConnection> {
    let ask = if target.tls { Ask::Always } else { Ask::Never };
    let work = async {
        let started = attempt(url, target.clone(), ask, cancel).await;
        started.map_err(Failed::into_error)
    };
    within(url, cancel, work).await
}

async fn within<T>(
    url: &DatabaseUrl,
    cancel: &Cancel,
    work: impl Future<Output = Result<T>>,
) -> Result<T> {
    let limited = async {
        match url.connect_timeout() {
            None => work.await,
            Some(limit) => match tokio::time::timeout(limit, work).await {
                Ok(done) => done,
                Err(_) => Err(Error::new(
                    ErrorKind::Timeout,
                    format!("no answer within {} s", limit.as_secs()),
                )
                .with_hint(
                    "Check host, port and firewall; connect_timeout sets how long to wait.",
                )),
            },
        }
    };
    cancel.guard(limited).await
}

/// `allow` and `prefer` have a second way to try.
async fn start_by_mode(
    url: &DatabaseUrl,
    target: ResolvedHost,
    cancel: &Cancel,
) -> Result<WireConnection> {
    let (first, second) = match target.sslmode {
        SslMode::Disable => (Ask::Never, None),
        SslMode::Allow => (Ask::Never, Some(Ask::Always)),
        SslMode::Prefer => (Ask::Gladly, Some(Ask::Never)),
        SslMode::Require | SslMode::VerifyCa | SslMode::VerifyFull => (Ask::Always, None),
    };
    let failed = match attempt(url, target.clone(), first, cancel).await {
        Ok(connection) => return Ok(connection),
        Err(failed) => failed,
    };
    match (second, failed) {
        (Some(second), Failed::NotAdmitted(error) | Failed::Tls(error)) => {
            match attempt(url, target, second, cancel).await {
                Ok(connection) => Ok(connection),
                // The first way is the one that was wanted: unless the second got further, its
                // failure is the one to tell.
                Err(Failed::Final(second_error)) => Err(second_error),
                Err(_) => Err(error),
            }
        }
        (_, failed) => Err(failed.into_error()),
    }
}

async fn attempt(
    url: &DatabaseUrl,
    mut target: ResolvedHost,
    ask: Ask,
    cancel: &Cancel,
) -> Result<WireConnection, Failed> {
    let transport = open(&target, ask).await?;
    if let (Transport::Tls(stream), Some(setup)) = (&transport, &target.setup) {
        let certs = stream.get_ref().1.peer_certificates().unwrap_or_default();
        target.named = certs.first().is_some_and(|cert| setup.is_named_by(cert));
    }
    target.tls = matches!(transport, Transport::Tls(_));
    let channel = channel_of(&transport);
    let mut stream = Stream::new(transport, cancel.clone());
    let login = Login {
        user: url.user(),
        password: target.password.as_ref(),
        wish: url.channel_binding(),
    };
    let mut parameters = vec![
        ("user", url.user()),
        ("database", url.dbname()),
        ("client_encoding", "UTF8"),
        ("application_name", url.application_name()),
    ];
    parameters.extend(url.options().map(|options| ("options", options)));
    sendable(
        "start-up message",
        frontend::startup_message(parameters, &mut stream.outbox),
    )?;
    stream.send().await?;
    authenticate(&mut stream, &login, &channel).await?;
    stream.trust_lengths();
    let key = until_ready(&mut stream).await?;
    Ok(WireConnection::ready(stream, target, key))
}

async fn open(target: &ResolvedHost, ask: Ask) -> Result<Transport, Failed> {
    let address = match &target.peer {
        Peer::Socket(path) => {
            return Ok(Transport::connect_unix(path).await.map_err(unreachable)?);
        }
        Peer::Address(address) => *address,
    };
    let socket = Transport::connect_tcp(address).await.map_err(unreachable)?;
    let setup = match (&target.setup, ask) {
        (_, Ask::Never) => return Ok(Transport::Tcp(socket)),
        (Some(setup), _) => setup,
        (None, _) => {
            return Err(Error::new(ErrorKind::Internal, "TLS is wanted but was not set up").into());
        }
    };
    match setup.negotiate(socket).await.map_err(Failed::Tls)? {
        Negotiated::Tls(transport) => Ok(transport),
        Negotiated::Plain(socket) if ask == Ask::Gladly => Ok(Transport::Tcp(socket)),
        Negotiated::Plain(_) => Err(Failed::Tls(
            Error::new(ErrorKind::Connection, "the server does not support TLS").with_hint(
                "Turn on ssl at the server; only on a network you trust, use sslmode=disable.",
            ),
        )),
    }
}

fn channel_of(transport: &Transport) -> Channel {
    match transport {
        Transport::Tcp(_) => Channel::Open,
        Transport::Unix(_) => Channel::Socket,
        // Nobody starts a session on a socket that is not watched.
        Transport::Detached(_) | Transport::Gone => Channel::Open,
        Transport::Tls(stream) => {
            let certs = stream.get_ref().1.peer_certificates().unwrap_or_default();
            Channel::Tls(certs.first().and_then(|cert| end_point_hash(cert)))
        }
    }
}

/// Reads what the server tells about the session.
async fn until_ready(stream: &mut Stream) -> Result<Option<BackendKey>, Failed> {
    let mut key = None;
    loop {
        match stream.next().await? {
            Message::BackendKeyData(body) => {
                key = Some(BackendKey {
                    process_id: body.process_id(),
                    secret: body.secret_key(),
                });
            }
            Message::ReadyForQuery(_) => return Ok(key),
            Message::ErrorResponse(body) => {
                return Err(Failed::reported(&ServerFields::read(body.fields())));
            }
            _ => return Err(out_of_protocol("an unknown message at start-up").into()),
        }
    }
}

fn unreachable(error: std::io::Error) -> Error {
    use std::io::ErrorKind as Io;
    let (message, hint) = match error.kind() {
        Io::ConnectionRefused => (
            "connection refused",
            "Check that the server runs and listens on this host and port.",
        ),
        Io::NotFound => (
            "there is no such socket",
            "Check that the server runs and that this is its socket directory and port.",
        ),
        Io::PermissionDenied => (
            "permission to use the socket denied",
            "Check the permissions of the socket directory.",
        ),
        _ => (
            "the server cannot be reached",
            "Check host, port and network.",
        ),
    };
    Error::new(ErrorKind::Connection, message)
        .with_hint(hint)
        .with_source(error)
}

/// The handshake for a host; nothing where its mode needs none.
pub(super) fn set_up_tls(url: &DatabaseUrl, host: &str, mode: SslMode) -> Result<Option<TlsSetup>> {
    match mode {
        SslMode::Disable => Ok(None),
        mode => TlsSetup::load(url, host, mode).map(Some),
    }
}
