//! The same connection for `sqlx`, which runs the control statements.

use super::{ChannelBinding, DatabaseUrl, RootCert, SslMode, encode};
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::wire::{Peer, ResolvedHost};
use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

impl DatabaseUrl {
    /// What `sqlx` needs to reach the server that the wire client found, with the TLS it agreed on.
    ///
    /// A name is kept where TLS is used, since the server may be chosen by it and its certificate is
    /// checked against it; otherwise the address is used as it was resolved.
    ///
    /// Fails where `sqlx` would be laxer than what was asked for: it cannot bind a password exchange
    /// to the channel, and it cannot check a name while connecting to another address.
    pub(crate) fn sqlx_options(&self, resolved: &ResolvedHost) -> Result<PgConnectOptions> {
        let is_socket = matches!(resolved.peer(), Peer::Socket(_));
        if self.channel_binding() == ChannelBinding::Require && !is_socket {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "channel_binding=require cannot be kept by the client that runs control statements",
            )
            .with_hint("Use channel_binding=prefer with sslmode=verify-full: a checked certificate keeps third parties out too."));
        }
        let mut options = self
            .base_options()?
            .port(resolved.port())
            .username(self.user())
            .database(self.dbname())
            // Always set, or `sqlx` looks for a password of its own.
            .password(resolved.password().map_or("", |password| password.expose()))
            .application_name(self.application_name())
            .ssl_mode(PgSslMode::Disable)
            .disable_statement_logging();
        options = match resolved.peer() {
            Peer::Socket(_) => options.socket(resolved.host()),
            Peer::Address(address) if !resolved.is_tls() => options.host(&address.ip().to_string()),
            Peer::Address(_) => self.tls_options(options, resolved)?,
        };
        Ok(options)
    }

    /// Options with the server's command-line options. There is no setter that takes them verbatim,
    /// but a URL does.
    fn base_options(&self) -> Result<PgConnectOptions> {
        let empty = PgConnectOptions::new_without_pgpass();
        match self.options() {
            // `sqlx` reads PGOPTIONS by itself.
            Some(ours) if empty.get_options() != Some(ours) => {
                format!("postgres://localhost/?options={}", encode(ours))
                    .parse()
                    .map_err(|_| {
                        Error::new(
                            ErrorKind::InvalidInput,
                            "connection parameter \"options\" is malformed",
                        )
                    })
            }
            _ => Ok(empty),
        }
    }

    fn tls_options(
        &self,
        options: PgConnectOptions,
        resolved: &ResolvedHost,
    ) -> Result<PgConnectOptions> {
        let mode = resolved.sslmode();
        if resolved.is_pinned() && mode == SslMode::VerifyFull {
            return Err(Error::new(
                ErrorKind::Unsupported,
                "hostaddr together with sslmode=verify-full cannot be kept by the client that runs control statements",
            )
            .with_hint("Leave hostaddr out and let the host name be looked up."));
        }
        let host = if resolved.is_pinned() {
            match resolved.peer() {
                Peer::Address(address) => address.ip().to_string(),
                Peer::Socket(_) => resolved.host().to_owned(),
            }
        } else {
            resolved.host().to_owned()
        };
        let mut options = options.host(&host).ssl_mode(match mode {
            SslMode::VerifyFull => PgSslMode::VerifyFull,
            // `sqlx` trusts the system's authorities besides the given one, and those vouch for
            // anyone: where the name fits, it is checked as well.
            SslMode::VerifyCa if resolved.is_named_by_certificate() && !resolved.is_pinned() => {
                PgSslMode::VerifyFull
            }
            SslMode::VerifyCa => PgSslMode::VerifyCa,
            // TLS was agreed on: falling back to plain text is no longer an option.
            SslMode::Disable | SslMode::Allow | SslMode::Prefer | SslMode::Require => {
                PgSslMode::Require
            }
        });
        if let Some(RootCert::File(path)) = self.root_cert() {
            options = options.ssl_root_cert(path);
        }
        if let Some(client) = self.client_cert() {
            options = options
                .ssl_client_cert(&client.cert)
                .ssl_client_key(&client.key);
        }
        Ok(options)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::postgres::url::ConnectEnv;
    use std::path::PathBuf;

    fn parse(text: &str) -> DatabaseUrl {
        DatabaseUrl::parse(text, &ConnectEnv::default()).unwrap()
    }

    fn at(address: &str) -> Peer {
        Peer::Address(address.parse().unwrap())
    }

    #[test]
    fn follow_what_was_resolved() {
        let url = parse(r"host=db.example user=ann dbname=shop options='-c a=b\\ c -e'");
        let secured =
            ResolvedHost::sample("db.example", at("10.0.0.1:5433"), SslMode::Prefer).encrypted();
        let options = url.sqlx_options(&secured).unwrap();
        assert_eq!(
            (options.get_host(), options.get_port()),
            ("db.example", 5433)
        );
        assert!(matches!(options.get_ssl_mode(), PgSslMode::Require));
        assert_eq!(options.get_options(), Some(r"-c a=b\ c -e"));
        assert_eq!(options.get_username(), "ann");
        assert_eq!(options.get_database(), Some("shop"));
        assert_eq!(options.get_application_name(), Some("opskit"));

        let open = ResolvedHost::sample("localhost", at("[::1]:5433"), SslMode::Prefer);
        let options = url.sqlx_options(&open).unwrap();
        assert_eq!(options.get_host(), "::1");
        assert!(matches!(options.get_ssl_mode(), PgSslMode::Disable));

        let path = PathBuf::from("/run/pg/.s.PGSQL.5433");
        let socket = ResolvedHost::sample("/run/pg", Peer::Socket(path), SslMode::Disable);
        let options = url.sqlx_options(&socket).unwrap();
        assert_eq!(options.get_socket(), Some(&PathBuf::from("/run/pg")));
    }

    #[test]
    fn never_laxer_than_asked() {
        let secured = ResolvedHost::sample("db.example", at("10.0.0.1:5433"), SslMode::VerifyFull)
            .encrypted();
        let error = parse("host=h user=u channel_binding=require")
            .sqlx_options(&secured)
            .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        let options = parse("host=h user=u").sqlx_options(&secured).unwrap();
        assert!(matches!(options.get_ssl_mode(), PgSslMode::VerifyFull));
    }
}
