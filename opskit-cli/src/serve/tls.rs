//! TLS by files.

use opskit_core::{Error, ErrorKind, Result};
use std::path::Path;
use std::sync::Arc;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject as _;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// Reads a chain of certificates and its key, as PEM.
pub(crate) fn acceptor(certificates: &Path, key: &Path) -> Result<TlsAcceptor> {
    let chain = CertificateDer::pem_file_iter(certificates)
        .and_then(Iterator::collect)
        .map_err(|source| unusable(certificates, source))?;
    let secret = PrivateKeyDer::from_pem_file(key).map_err(|source| unusable(key, source))?;
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|source| unusable(certificates, source))?
        .with_no_client_auth()
        .with_single_cert(chain, secret)
        .map_err(|source| unusable(certificates, source))?;
    Ok(TlsAcceptor::from(Arc::new(config)))
}

fn unusable(path: &Path, source: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("\"{}\" cannot be used for TLS", path.display()),
    )
    .with_source(source)
    .with_hint("Give a chain of certificates and the key of the first, as PEM.")
}
