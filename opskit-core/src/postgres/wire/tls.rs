//! TLS: what is trusted, and the handshake.

use super::server_error::{lost, out_of_protocol};
use super::transport::Transport;
use super::verify::{NameCheck, Trust, Verifier};
use crate::error::{Error, ErrorKind, Result, storage};
use crate::postgres::url::{ClientCert, DatabaseUrl, RootCert, SslMode};
use bytes::BytesMut;
use postgres_protocol::message::frontend;
use rustls::ClientConfig;
use rustls::client::verify_server_name;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, IpAddr, PrivateKeyDer, ServerName};
use rustls::server::ParsedCertificate;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::sync::Arc;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// All that a handshake needs; made once per host and shared by its connections.
#[derive(Clone)]
pub(super) struct TlsSetup {
    config: Arc<ClientConfig>,
    name: ServerName<'static>,
}

impl TlsSetup {
    /// Reads the certificates that `url` names. Blocks shortly on the file system.
    pub(super) fn load(url: &DatabaseUrl, host: &str, mode: SslMode) -> Result<Self> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let trust = load_trust(url, mode, &provider)?;
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| {
                Error::new(ErrorKind::Internal, "cannot set up TLS").with_source(error)
            })?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(Verifier::new(trust, provider)));
        let config = match url.client_cert() {
            None => builder.with_no_client_auth(),
            Some(client) => {
                let (certs, key) = load_client(client)?;
                builder.with_client_auth_cert(certs, key).map_err(|error| {
                    Error::new(
                        ErrorKind::InvalidInput,
                        format!(
                            "client certificate \"{}\" cannot be used",
                            client.cert.display()
                        ),
                    )
                    .with_source(error)
                })?
            }
        };
        Ok(Self {
            config: Arc::new(config),
            name: server_name(host, mode)?,
        })
    }

    /// Whether a certificate names the host.
    pub(super) fn is_named_by(&self, cert: &CertificateDer<'_>) -> bool {
        ParsedCertificate::try_from(cert)
            .is_ok_and(|parsed| verify_server_name(&parsed, &self.name).is_ok())
    }

    /// Asks the server for TLS and shakes hands. Gives the socket back when the server has none.
    pub(super) async fn negotiate(&self, mut socket: TcpStream) -> Result<Negotiated> {
        let mut request = BytesMut::new();
        frontend::ssl_request(&mut request);
        socket.write_all(&request).await.map_err(lost)?;
        // Nothing may follow the answer before our handshake: whatever does was put there by
        // someone in between, to be taken for encrypted data (CVE-2021-23222).
        let mut answer = [0; 64];
        let read = socket.read(&mut answer).await.map_err(lost)?;
        match &answer[..read] {
            [] => Err(lost(std::io::ErrorKind::UnexpectedEof.into())),
            [b'N'] => Ok(Negotiated::Plain(socket)),
            [b'S'] => {
                let connector = TlsConnector::from(Arc::clone(&self.config));
                let handshake = connector.connect(self.name.clone(), Transport::buffered(socket));
                let stream = handshake.await.map_err(handshake_failed)?;
                Ok(Negotiated::Tls(Transport::Tls(Box::new(stream))))
            }
            // An error sent before encryption may come from anyone; its text is not repeated.
            [b'E', ..] => Err(Error::new(
                ErrorKind::Connection,
                "the server answered the request for TLS with an error",
            )),
            [b'S' | b'N', ..] => Err(out_of_protocol(
                "unencrypted data after the answer to the request for TLS",
            )),
            _ => Err(out_of_protocol("an unknown answer to the request for TLS")),
        }
    }
}

/// How the server answered the request for TLS.
pub(super) enum Negotiated {
    Tls(Transport),
    Plain(TcpStream),
}

/// The name to send and to check. Where nothing is checked, any name will do.
fn server_name(host: &str, mode: SslMode) -> Result<ServerName<'static>> {
    match ServerName::try_from(host.to_owned()) {
        Ok(name) => Ok(name),
        Err(_) if mode != SslMode::VerifyFull => Ok(ServerName::IpAddress(IpAddr::from(
            std::net::Ipv4Addr::UNSPECIFIED,
        ))),
        Err(error) => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("host name \"{host}\" cannot be checked against a certificate"),
        )
        .with_source(error)),
    }
}

fn load_trust(
    url: &DatabaseUrl,
    mode: SslMode,
    provider: &Arc<CryptoProvider>,
) -> Result<Option<Trust>> {
    if mode < SslMode::VerifyCa {
        return Ok(None);
    }
    let (roots, what) = match url.root_cert() {
        Some(RootCert::File(path)) => (
            load_certs(path, "root certificate")?,
            path.display().to_string(),
        ),
        Some(RootCert::System) => (
            rustls_native_certs::load_native_certs().certs,
            "system".to_owned(),
        ),
        None => {
            return Err(
                Error::new(ErrorKind::InvalidInput, format!("sslmode={mode} needs a root certificate")).with_hint(
                    "Name the authority's certificate by sslrootcert, put it into ~/.postgresql/root.crt, or use sslrootcert=system with sslmode=verify-full.",
                ),
            );
        }
    };
    let name = match mode {
        SslMode::VerifyFull => NameCheck::Required,
        _ => NameCheck::Skipped,
    };
    let trust = Trust::new(roots, name, provider);
    let unusable = |error| {
        Error::new(
            ErrorKind::InvalidInput,
            format!("root certificate \"{what}\" cannot be used"),
        )
        .with_source(error)
    };
    trust.map(Some).map_err(unusable)
}

fn load_client(
    client: &ClientCert,
) -> Result<(Vec<CertificateDer<'static>>, PrivateKeyDer<'static>)> {
    let certs = load_certs(&client.cert, "client certificate")?;
    let shown = client.key.display();
    let doing = || format!("cannot read client key \"{shown}\"");
    let metadata = std::fs::metadata(&client.key).map_err(|error| storage(doing(), error))?;
    // As libpq: a key of root's may be readable by its group.
    let forbidden = if metadata.uid() == 0 { 0o027 } else { 0o077 };
    if metadata.mode() & forbidden != 0 {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!("client key \"{shown}\" may be read by others"),
        )
        .with_hint(format!("Run chmod 0600 {shown}.")));
    }
    let pem = std::fs::read(&client.key).map_err(|error| storage(doing(), error))?;
    let key = PrivateKeyDer::from_pem_slice(&pem).map_err(|error| {
        Error::new(
            ErrorKind::InvalidInput,
            format!("client key \"{shown}\" holds no private key that can be used"),
        )
        .with_hint("The key must be PEM without a pass phrase.")
        .with_source(error)
    })?;
    Ok((certs, key))
}

fn load_certs(path: &Path, what: &str) -> Result<Vec<CertificateDer<'static>>> {
    let shown = path.display();
    let pem = std::fs::read(path)
        .map_err(|error| storage(format!("cannot read {what} \"{shown}\""), error))?;
    let certs: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&pem).collect();
    match certs {
        Ok(certs) if !certs.is_empty() => Ok(certs),
        Ok(_) => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("{what} \"{shown}\" holds no certificate"),
        )),
        Err(error) => Err(Error::new(
            ErrorKind::InvalidInput,
            format!("{what} \"{shown}\" is not PEM"),
        )
        .with_source(error)),
    }
}

fn handshake_failed(error: std::io::Error) -> Error {
    use rustls::{CertificateError, Error as TlsError};
    let cause = error
        .get_ref()
        .and_then(|inner| inner.downcast_ref::<TlsError>());
    let hint = match cause {
        Some(TlsError::InvalidCertificate(CertificateError::UnknownIssuer)) => Some(
            "The server's certificate is not signed by a trusted authority: name the authority's certificate by sslrootcert.",
        ),
        Some(TlsError::InvalidCertificate(
            CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
        )) => Some(
            "The server's certificate does not name this host as a subject alternative name: connect by a name that it has, or use sslmode=verify-ca.",
        ),
        Some(TlsError::InvalidCertificate(
            CertificateError::Expired | CertificateError::ExpiredContext { .. },
        )) => Some("The server's certificate has expired: renew it."),
        _ => None,
    };
    let failed = Error::new(ErrorKind::Connection, "the TLS handshake failed").with_source(error);
    match hint {
        Some(hint) => failed.with_hint(hint),
        None => failed,
    }
}
