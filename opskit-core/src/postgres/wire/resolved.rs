//! The one server that a connection was made to.

use super::tls::TlsSetup;
use crate::postgres::url::SslMode;
use crate::secret::Secret;
use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;

/// Where a server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Peer {
    /// An address and a port.
    Address(SocketAddr),
    /// The path of a Unix socket.
    Socket(PathBuf),
}

/// Which of the hosts and addresses of a URL answered, and whether TLS was agreed on: what further
/// connections need to reach the same server in the same way.
#[derive(Clone)]
pub struct ResolvedHost {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) peer: Peer,
    pub(super) sslmode: SslMode,
    pub(super) pinned: bool,
    pub(super) password: Option<Secret>,
    /// What the handshake needs, whether or not there was one.
    pub(super) setup: Option<TlsSetup>,
    pub(super) tls: bool,
    /// Whether the certificate names the host, also where that was not asked for.
    pub(super) named: bool,
}

impl ResolvedHost {
    /// The host as the URL names it: a name, an address, or the directory of a socket.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Where the server listens.
    #[must_use]
    pub fn peer(&self) -> &Peer {
        &self.peer
    }

    /// Whether the connection is encrypted.
    #[must_use]
    pub fn is_tls(&self) -> bool {
        self.tls
    }

    /// The TLS mode that was asked for.
    #[must_use]
    pub fn sslmode(&self) -> SslMode {
        self.sslmode
    }

    /// Whether the server's certificate names the host, also where `sslmode` does not ask for it.
    #[must_use]
    pub fn is_named_by_certificate(&self) -> bool {
        self.named
    }

    /// Whether the URL gave the address itself (`hostaddr`), so that the name is not looked up.
    #[must_use]
    pub fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// One that no connection was made to.
    #[cfg(test)]
    pub(crate) fn sample(host: &str, peer: Peer, sslmode: SslMode) -> Self {
        Self {
            host: host.to_owned(),
            port: 5433,
            peer,
            sslmode,
            pinned: false,
            password: Some(Secret::new("hunter2")),
            setup: None,
            tls: false,
            named: false,
        }
    }

    /// The same, encrypted.
    #[cfg(test)]
    pub(crate) fn encrypted(mut self) -> Self {
        self.tls = true;
        self
    }

    /// The same server, for a login with this password.
    pub(crate) fn with_password(&self, password: Secret) -> Self {
        Self {
            password: Some(password),
            ..self.clone()
        }
    }

    pub(crate) fn password(&self) -> Option<&Secret> {
        self.password.as_ref()
    }
}

impl fmt::Display for ResolvedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.peer {
            Peer::Socket(path) => path.display().fmt(f),
            Peer::Address(address) if address.ip().to_string() == self.host => address.fmt(f),
            Peer::Address(address) => write!(f, "{}:{} ({})", self.host, self.port, address.ip()),
        }
    }
}

impl fmt::Debug for ResolvedHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ResolvedHost")
            .field("host", &self.host)
            .field("port", &self.port)
            .field("peer", &self.peer)
            .field("sslmode", &self.sslmode)
            .field("tls", &self.tls)
            .finish_non_exhaustive()
    }
}
