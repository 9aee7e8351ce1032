//! Clients for HTTP, all with the same trust: TLS by `rustls` on `ring`, the system's certificates.

use crate::error::{Error, ErrorKind, Result};
use reqwest::redirect::Policy;
use reqwest::{Client, ClientBuilder};
use rustls::{ClientConfig, RootCertStore};
use std::sync::Arc;

/// A client that follows no redirect: what is sent is for the host that was named.
pub(crate) fn client_builder() -> Result<ClientBuilder> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot set up a client for HTTP").with_source(source)
        })?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let client = Client::builder()
        .tls_backend_preconfigured(tls)
        .redirect(Policy::none())
        .user_agent(concat!("opskit/", env!("CARGO_PKG_VERSION")));
    Ok(client)
}

/// The client.
pub(crate) fn build(builder: ClientBuilder) -> Result<Client> {
    builder.build().map_err(|error| {
        Error::new(ErrorKind::Internal, "cannot set up a client for HTTP")
            .with_source(error.without_url())
    })
}
