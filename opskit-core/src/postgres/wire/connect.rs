//! Choosing a server: hosts in order, each of their addresses, and what kind of session will do.

use super::connection::WireConnection;
use super::resolved::{Peer, ResolvedHost};
use super::start::{set_up_tls, start, start_again};
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::url::{DatabaseUrl, Host, TargetSession};
use std::net::SocketAddr;

impl WireConnection {
    /// Connects to the first host of `url` that answers and offers the kind of session asked for.
    ///
    /// A wrong password ends the search, so that it is not shown to every server. The connection
    /// keeps `cancel` and heeds it for as long as it lives.
    ///
    /// ```no_run
    /// use opskit_core::cancel::Cancel;
    /// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
    /// use opskit_core::postgres::wire::WireConnection;
    /// # async fn example() -> opskit_core::Result<()> {
    /// let url = DatabaseUrl::parse("postgres://ann@localhost/shop", &ConnectEnv::from_process())?;
    /// let mut connection = WireConnection::connect(&url, &Cancel::never()).await?;
    /// let sets = connection.query("select 1 as one").await?;
    /// assert_eq!(sets[0].rows[0][0].as_deref(), Some("1"));
    /// connection.close().await;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect(url: &DatabaseUrl, cancel: &Cancel) -> Result<Self> {
        let wanted: &[TargetSession] = match url.target_session() {
            TargetSession::PreferStandby => &[TargetSession::Standby, TargetSession::Any],
            TargetSession::Any => &[TargetSession::Any],
            TargetSession::ReadWrite => &[TargetSession::ReadWrite],
            TargetSession::ReadOnly => &[TargetSession::ReadOnly],
            TargetSession::Primary => &[TargetSession::Primary],
            TargetSession::Standby => &[TargetSession::Standby],
        };
        let mut failures = Vec::new();
        for session in wanted {
            failures.clear();
            for host in url.hosts() {
                match connect_host(url, host, *session, cancel).await {
                    Ok(connection) => return Ok(connection),
                    Err(error) => failures.push((host.to_string(), error)),
                }
                let last = failures.last().map(|(_, error)| error.kind());
                if matches!(
                    last,
                    Some(ErrorKind::Cancelled | ErrorKind::PermissionDenied)
                ) {
                    return Err(summary(url, failures));
                }
            }
        }
        Err(summary(url, failures))
    }

    /// Connects once more to a server that was reached before, with the same TLS.
    ///
    /// ```no_run
    /// # use opskit_core::{cancel::Cancel, postgres::{url::DatabaseUrl, wire::WireConnection}};
    /// # async fn example(url: &DatabaseUrl, cancel: &Cancel) -> opskit_core::Result<()> {
    /// let leader = WireConnection::connect(url, cancel).await?;
    /// let worker = WireConnection::connect_resolved(url, leader.resolved(), cancel).await?;
    /// # Ok(())
    /// # }
    /// ```
    pub async fn connect_resolved(
        url: &DatabaseUrl,
        resolved: &ResolvedHost,
        cancel: &Cancel,
    ) -> Result<Self> {
        let connection = Box::pin(start_again(url, resolved, cancel)).await;
        connection.map_err(|error| error.while_doing(format!("cannot connect to \"{resolved}\"")))
    }
}

async fn connect_host(
    url: &DatabaseUrl,
    host: &Host,
    session: TargetSession,
    cancel: &Cancel,
) -> Result<WireConnection> {
    let sslmode = url.sslmode(host);
    let setup = set_up_tls(url, host.name(), sslmode)?;
    let mut last = None;
    for peer in resolve(url, host, cancel).await? {
        let target = ResolvedHost {
            host: host.name().to_owned(),
            port: host.port(),
            peer,
            sslmode,
            pinned: host.address().is_some(),
            password: url.password(host),
            setup: setup.clone(),
            tls: false,
            named: false,
        };
        let started = match Box::pin(start(url, target, cancel)).await {
            Ok(mut connection) => check_session(&mut connection, session)
                .await
                .map(|()| connection),
            Err(error) => Err(error),
        };
        match started {
            Ok(connection) => return Ok(connection),
            Err(error)
                if matches!(
                    error.kind(),
                    ErrorKind::Cancelled | ErrorKind::PermissionDenied
                ) =>
            {
                return Err(error);
            }
            Err(error) => last = Some(error),
        }
    }
    Err(last.unwrap_or_else(|| unknown_host(host)))
}

/// Where a host listens: its socket, its given address, or what its name is looked up to.
async fn resolve(url: &DatabaseUrl, host: &Host, cancel: &Cancel) -> Result<Vec<Peer>> {
    if let Some(path) = host.socket_path() {
        return Ok(vec![Peer::Socket(path)]);
    }
    if let Some(address) = host.address().or_else(|| host.name().parse().ok()) {
        return Ok(vec![Peer::Address(SocketAddr::new(address, host.port()))]);
    }
    let lookup = tokio::net::lookup_host((host.name(), host.port()));
    let limited = async {
        let found = match url.connect_timeout() {
            None => lookup.await,
            Some(limit) => match tokio::time::timeout(limit, lookup).await {
                Ok(found) => found,
                Err(_) => {
                    return Err(Error::new(
                        ErrorKind::Timeout,
                        "the host name was not looked up in time",
                    ));
                }
            },
        };
        found.map_err(|error| unknown_host(host).with_source(error))
    };
    let mut peers: Vec<Peer> = Vec::new();
    for address in cancel.guard(limited).await? {
        let peer = Peer::Address(address);
        if !peers.contains(&peer) {
            peers.push(peer);
        }
    }
    Ok(peers)
}

fn unknown_host(host: &Host) -> Error {
    Error::new(
        ErrorKind::Connection,
        format!("host name \"{}\" is not known", host.name()),
    )
    .with_hint("Check the spelling of the host name, and that this machine can look up names.")
}

/// Asks the server what kind of session this is, when that matters.
async fn check_session(connection: &mut WireConnection, wanted: TargetSession) -> Result<()> {
    if wanted == TargetSession::Any {
        return Ok(());
    }
    let sql = "select pg_catalog.pg_is_in_recovery(), pg_catalog.current_setting('transaction_read_only')";
    let sets = connection.query(sql).await?;
    let cell = |index: usize| sets.first()?.rows.first()?.get(index)?.as_deref();
    let (recovering, read_only) = (cell(0) == Some("t"), cell(1) == Some("on"));
    let (fits, what) = match wanted {
        TargetSession::ReadWrite => (!read_only, "the session is read-only"),
        TargetSession::ReadOnly => (read_only, "the session is not read-only"),
        TargetSession::Primary => (!recovering, "the server is a standby"),
        TargetSession::Standby => (recovering, "the server is not a standby"),
        TargetSession::Any | TargetSession::PreferStandby => (true, ""),
    };
    if fits {
        Ok(())
    } else {
        Err(Error::new(ErrorKind::Connection, what))
    }
}

/// One error for all hosts that failed, with the reason of each.
fn summary(url: &DatabaseUrl, mut failures: Vec<(String, Error)>) -> Error {
    if failures.len() == 1
        && let Some((host, error)) = failures.pop()
    {
        return match error.kind() {
            ErrorKind::Cancelled => error,
            _ => error.while_doing(format!(
                "cannot connect to \"{host}\" as user \"{}\"",
                url.user()
            )),
        };
    }
    let decisive = failures
        .last()
        .map_or(ErrorKind::Connection, |(_, error)| error.kind());
    if decisive == ErrorKind::Cancelled
        && let Some((_, error)) = failures.pop()
    {
        return error;
    }
    let reasons: Vec<String> = failures
        .iter()
        .map(|(host, error)| format!("{host}: {}", error.chain().join(": ")))
        .collect();
    let uniform = decisive == ErrorKind::PermissionDenied
        || failures.iter().all(|(_, error)| error.kind() == decisive);
    let kind = if uniform {
        decisive
    } else {
        ErrorKind::Connection
    };
    let error = Error::new(
        kind,
        format!("cannot connect to any host: {}", reasons.join("; ")),
    );
    match failures.iter().rev().find_map(|(_, error)| error.hint()) {
        Some(hint) => error.with_hint(hint),
        None => error,
    }
}
