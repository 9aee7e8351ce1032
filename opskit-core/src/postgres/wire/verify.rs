//! Which server certificates are good enough, by `sslmode`.

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{WebPkiServerVerifier, verify_server_name};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::sync::Arc;
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Checks a server's certificate, or takes any. In both cases the server must prove that it holds
/// the certificate's key.
#[derive(Debug)]
pub(super) struct Verifier {
    trust: Option<Trust>,
    provider: Arc<CryptoProvider>,
}

impl Verifier {
    pub(super) fn new(trust: Option<Trust>, provider: Arc<CryptoProvider>) -> Self {
        Self { trust, provider }
    }
}

/// The certificates that are trusted, and whether the host's name counts.
#[derive(Debug)]
pub(super) struct Trust {
    chain: Arc<WebPkiServerVerifier>,
    roots: Vec<CertificateDer<'static>>,
    name: NameCheck,
}

/// Whether a certificate must name the host.
#[derive(Debug, PartialEq)]
pub(super) enum NameCheck {
    Required,
    Skipped,
}

impl Trust {
    pub(super) fn new(
        roots: Vec<CertificateDer<'static>>,
        name: NameCheck,
        provider: &Arc<CryptoProvider>,
    ) -> Result<Self, BoxError> {
        let mut store = RootCertStore::empty();
        store.add_parsable_certificates(roots.iter().cloned());
        let chain =
            WebPkiServerVerifier::builder_with_provider(Arc::new(store), Arc::clone(provider))
                .build()?;
        Ok(Self { chain, roots, name })
    }

    /// What speaks against a server certificate that is itself in the list of trusted ones. `webpki`
    /// refuses one that is its own authority, which is what `openssl req -x509` makes and many
    /// servers have.
    fn objection_to_pinned(
        &self,
        cert: &CertificateDer<'_>,
        host: &ServerName<'_>,
        now: UnixTime,
    ) -> Option<Error> {
        let Ok(parsed) = Certificate::from_der(cert) else {
            return Some(Error::InvalidCertificate(CertificateError::BadEncoding));
        };
        let validity = parsed.tbs_certificate().validity();
        if now.as_secs() < validity.not_before.to_unix_duration().as_secs() {
            return Some(Error::InvalidCertificate(CertificateError::NotValidYet));
        }
        if now.as_secs() > validity.not_after.to_unix_duration().as_secs() {
            return Some(Error::InvalidCertificate(CertificateError::Expired));
        }
        match (&self.name, ParsedCertificate::try_from(cert)) {
            (NameCheck::Skipped, _) => None,
            (NameCheck::Required, Ok(parsed)) => verify_server_name(&parsed, host).err(),
            (NameCheck::Required, Err(error)) => Some(error),
        }
    }
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        cert: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        host: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let Some(trust) = &self.trust else {
            return Ok(ServerCertVerified::assertion());
        };
        match trust
            .chain
            .verify_server_cert(cert, intermediates, host, ocsp_response, now)
        {
            Ok(verified) => Ok(verified),
            // The name is checked last: an objection to it means that the chain is good.
            Err(Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            )) if trust.name == NameCheck::Skipped => Ok(ServerCertVerified::assertion()),
            Err(_) if trust.roots.contains(cert) => {
                match trust.objection_to_pinned(cert, host, now) {
                    None => Ok(ServerCertVerified::assertion()),
                    Some(error) => Err(error),
                }
            }
            Err(error) => Err(error),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls12_signature(
            message,
            cert,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        verify_tls13_signature(
            message,
            cert,
            signature,
            &self.provider.signature_verification_algorithms,
        )
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider
            .signature_verification_algorithms
            .supported_schemes()
    }
}
