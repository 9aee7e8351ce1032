//! Proving to the server who we are, and having it prove that it knows the password too.

use super::server_error::{ServerFields, lost, malformed, out_of_protocol, sendable, server_error};
use super::stream::Stream;
use crate::error::{Error, ErrorKind};
use crate::postgres::url::ChannelBinding as Wish;
use crate::secret::Secret;
use fallible_iterator::FallibleIterator as _;
use postgres_protocol::authentication::md5_hash;
use postgres_protocol::authentication::sasl::{
    ChannelBinding, SCRAM_SHA_256, SCRAM_SHA_256_PLUS, ScramSha256,
};
use postgres_protocol::message::backend::{AuthenticationSaslBody, Message};
use postgres_protocol::message::frontend;

/// The most hash rounds a server may ask for, 24 times its default. Without a limit, whoever
/// answers on the server's address decides how long this machine computes (CVE-2026-42198).
/// `postgres-protocol` stops at the same number, with less to say.
const MAX_SCRAM_ITERATIONS: u64 = 100_000;

/// Why a session did not start, as far as it matters for trying again with or without TLS.
pub(super) enum Failed {
    /// The server does not admit this role in this way (SQLSTATE 28000: no line in `pg_hba.conf`).
    NotAdmitted(Error),
    /// TLS could not be agreed on.
    Tls(Error),
    /// Anything that the other way would not change.
    Final(Error),
}

impl Failed {
    pub(super) fn into_error(self) -> Error {
        match self {
            Self::NotAdmitted(error) | Self::Tls(error) | Self::Final(error) => error,
        }
    }

    /// A server's report at start-up.
    pub(super) fn reported(fields: &ServerFields) -> Self {
        let mut error = server_error(fields);
        if error.kind() == ErrorKind::Internal {
            // Poolers report whatever they dislike as an internal error, of theirs.
            let hint = error
                .hint()
                .unwrap_or("Check host, user and database name.")
                .to_owned();
            error = Error::new(ErrorKind::Connection, error.to_string()).with_hint(hint);
        }
        if fields.code == "28000" {
            Self::NotAdmitted(error)
        } else {
            Self::Final(error)
        }
    }
}

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        Self::Final(error)
    }
}

/// Who connects.
pub(super) struct Login<'a> {
    pub(super) user: &'a str,
    pub(super) password: Option<&'a Secret>,
    pub(super) wish: Wish,
}

/// What the bytes travel through.
pub(super) enum Channel {
    /// Others may listen.
    Open,
    /// A socket of this machine.
    Socket,
    /// TLS, with the hash of the server's certificate where it has one.
    Tls(Option<Vec<u8>>),
}

/// Answers the server's questions until it is content.
pub(super) async fn authenticate(
    stream: &mut Stream,
    login: &Login<'_>,
    channel: &Channel,
) -> Result<(), Failed> {
    let must_bind = login.wish == Wish::Require && !matches!(channel, Channel::Socket);
    let mut bound = false;
    loop {
        match stream.next().await? {
            Message::AuthenticationOk if must_bind && !bound => return Err(unbound().into()),
            Message::AuthenticationOk => return Ok(()),
            Message::AuthenticationSasl(body) => {
                bound = scram(stream, login, channel, &body).await?;
            }
            // Nothing but SCRAM binds: refused before anything about the password is sent.
            Message::AuthenticationCleartextPassword | Message::AuthenticationMd5Password(_)
                if must_bind =>
            {
                return Err(unbound().into());
            }
            Message::AuthenticationCleartextPassword => {
                if matches!(channel, Channel::Open) {
                    return Err(unencrypted_password().into());
                }
                answer(stream, password(login)?.expose().as_bytes()).await?;
            }
            Message::AuthenticationMd5Password(body) => {
                let hash = md5_hash(
                    login.user.as_bytes(),
                    password(login)?.expose().as_bytes(),
                    body.salt(),
                );
                answer(stream, hash.as_bytes()).await?;
            }
            Message::ErrorResponse(body) => {
                return Err(Failed::reported(&ServerFields::read(body.fields())));
            }
            Message::AuthenticationGss
            | Message::AuthenticationSspi
            | Message::AuthenticationKerberosV5 => {
                return Err(unsupported_method("GSSAPI").into());
            }
            _ => return Err(out_of_protocol("an unknown request to authenticate").into()),
        }
    }
}

async fn answer(stream: &mut Stream, password: &[u8]) -> Result<(), Error> {
    sendable(
        "password",
        frontend::password_message(password, &mut stream.outbox),
    )?;
    stream.send().await
}

fn password<'a>(login: &Login<'a>) -> Result<&'a Secret, Error> {
    login.password.ok_or_else(|| {
        Error::new(
            ErrorKind::PermissionDenied,
            format!(
                "the server asks for the password of user \"{}\"",
                login.user
            ),
        )
        .with_hint("Set PGPASSWORD or write it into a password file (~/.pgpass, mode 0600).")
    })
}

/// One SCRAM exchange, to the server's own proof. `true` when it was bound to the channel.
async fn scram(
    stream: &mut Stream,
    login: &Login<'_>,
    channel: &Channel,
    body: &AuthenticationSaslBody,
) -> Result<bool, Failed> {
    let offered: Vec<&str> = body.mechanisms().collect().map_err(malformed)?;
    let (mechanism, binding) = choose(&offered, login.wish, channel)?;
    let mut scram = ScramSha256::new(password(login)?.expose().as_bytes(), binding);
    let first = frontend::sasl_initial_response(mechanism, scram.message(), &mut stream.outbox);
    sendable("password", first)?;
    stream.send().await?;
    let challenge = match stream.next().await? {
        Message::AuthenticationSaslContinue(body) => body,
        other => return Err(unexpected(other)),
    };
    limit_iterations(challenge.data())?;
    // Up to 0.1 s of computing: few enough connections are made for that to be done in place.
    scram.update(challenge.data()).map_err(exchange_failed)?;
    sendable(
        "password",
        frontend::sasl_response(scram.message(), &mut stream.outbox),
    )?;
    stream.send().await?;
    // The exchange ends with the server's proof. A server that skips it does not know the password.
    match stream.next().await? {
        Message::AuthenticationSaslFinal(body) => {
            scram.finish(body.data()).map_err(exchange_failed)?;
        }
        other => return Err(unexpected(other)),
    }
    Ok(mechanism == SCRAM_SHA_256_PLUS)
}

/// The mechanism to use and how to bind it.
fn choose(
    offered: &[&str],
    wish: Wish,
    channel: &Channel,
) -> Result<(&'static str, ChannelBinding), Error> {
    let hash = match channel {
        Channel::Tls(Some(hash)) if wish != Wish::Disable => Some(hash),
        _ => None,
    };
    match hash {
        Some(hash) if offered.contains(&SCRAM_SHA_256_PLUS) => Ok((
            SCRAM_SHA_256_PLUS,
            ChannelBinding::tls_server_end_point(hash.clone()),
        )),
        _ if wish == Wish::Require && !matches!(channel, Channel::Socket) => Err(unbound()),
        _ if !offered.contains(&SCRAM_SHA_256) => Err(unsupported_method("SASL")),
        // Tells the server that we could have bound, so that it notices when someone in between
        // removed its offer.
        Some(_) => Ok((SCRAM_SHA_256, ChannelBinding::unrequested())),
        None => Ok((SCRAM_SHA_256, ChannelBinding::unsupported())),
    }
}

/// Refuses an unreasonable number of hash rounds before any is computed.
fn limit_iterations(challenge: &[u8]) -> Result<(), Error> {
    let rounds = String::from_utf8_lossy(challenge)
        .split(',')
        .find_map(|attribute| attribute.strip_prefix("i="))
        .and_then(|rounds| rounds.parse::<u64>().ok());
    match rounds {
        Some(1..=MAX_SCRAM_ITERATIONS) => Ok(()),
        _ => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the server asks for more than {MAX_SCRAM_ITERATIONS} SCRAM iterations, or for none"
            ),
        )
        .with_hint("If this is your server, lower scram_iterations and set the password anew.")),
    }
}

fn unexpected(message: Message) -> Failed {
    match message {
        Message::ErrorResponse(body) => Failed::reported(&ServerFields::read(body.fields())),
        _ => out_of_protocol("the password exchange was cut short").into(),
    }
}

fn exchange_failed(error: std::io::Error) -> Error {
    match error.kind() {
        std::io::ErrorKind::UnexpectedEof => lost(error),
        _ => Error::new(
            ErrorKind::PermissionDenied,
            "the server could not prove that it knows the password",
        )
        .with_hint("Make sure that this is the server you mean: something may sit in between.")
        .with_source(error),
    }
}

fn unbound() -> Error {
    Error::new(ErrorKind::Unsupported, "channel_binding=require, but the server does not bind the password exchange")
        .with_hint("The server needs TLS and a password stored as scram-sha-256; a pooler in between cannot bind.")
}

fn unencrypted_password() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "the server asks for the password over an unencrypted connection",
    )
    .with_hint("Use sslmode=require or stronger, or let the server use scram-sha-256.")
}

fn unsupported_method(method: &str) -> Error {
    Error::new(
        ErrorKind::Unsupported,
        format!("the server asks for {method} authentication, which is not supported"),
    )
    .with_hint("Use scram-sha-256, md5, a client certificate or trust.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn iterations_are_limited_before_computing() {
        let table = [
            ("r=abc,s=c2FsdA==,i=4096", true),
            ("r=abc,s=c2FsdA==,i=100000", true),
            ("r=abc,s=c2FsdA==,i=100001", false),
            ("r=abc,s=c2FsdA==,i=4294967295", false),
            ("r=abc,s=c2FsdA==,i=99999999999999999999999", false),
            ("r=abc,s=c2FsdA==,i=0", false),
            ("r=abc,s=c2FsdA==", false),
            ("", false),
        ];
        for (challenge, fine) in table {
            let result = limit_iterations(challenge.as_bytes());
            assert_eq!(result.is_ok(), fine, "{challenge}");
            assert!(
                result
                    .err()
                    .is_none_or(|error| error.kind() == ErrorKind::Unsupported)
            );
        }
    }

    #[test]
    fn binds_when_both_sides_can() {
        let tls = Channel::Tls(Some(vec![1]));
        let both = [SCRAM_SHA_256_PLUS, SCRAM_SHA_256];
        let chosen = |offered: &[&str], wish, channel: &Channel| {
            choose(offered, wish, channel).map(|(name, _)| name).ok()
        };
        assert_eq!(chosen(&both, Wish::Prefer, &tls), Some(SCRAM_SHA_256_PLUS));
        assert_eq!(chosen(&both, Wish::Require, &tls), Some(SCRAM_SHA_256_PLUS));
        assert_eq!(chosen(&both, Wish::Disable, &tls), Some(SCRAM_SHA_256));
        assert_eq!(
            chosen(&both, Wish::Prefer, &Channel::Open),
            Some(SCRAM_SHA_256)
        );
        assert_eq!(chosen(&both[1..], Wish::Prefer, &tls), Some(SCRAM_SHA_256));
        assert_eq!(chosen(&both[1..], Wish::Require, &tls), None);
        assert_eq!(chosen(&both, Wish::Require, &Channel::Tls(None)), None);
        assert_eq!(
            chosen(&both[1..], Wish::Require, &Channel::Socket),
            Some(SCRAM_SHA_256)
        );
        assert_eq!(chosen(&["OAUTHBEARER"], Wish::Prefer, &tls), None);
    }
}
