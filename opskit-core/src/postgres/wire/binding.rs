//! What ties a password exchange to a TLS channel (`tls-server-end-point`, RFC 5929).

use sha2::{Digest, Sha256, Sha384, Sha512};
use x509_cert::Certificate;
use x509_cert::der::Decode as _;

/// The hash of a server certificate, by the hash function of the certificate's signature; MD5 and
/// SHA-1 count as SHA-256. `None` where the signature has no hash function of its own.
pub(super) fn end_point_hash(cert: &[u8]) -> Option<Vec<u8>> {
    let parsed = Certificate::from_der(cert).ok()?;
    match parsed.signature_algorithm().oid.to_string().as_str() {
        // md5WithRSA, sha1WithRSA, ecdsa-with-SHA1; sha256WithRSA, ecdsa-with-SHA256, dsa-with-sha256
        "1.2.840.113549.1.1.4"
        | "1.2.840.113549.1.1.5"
        | "1.2.840.10045.4.1"
        | "1.2.840.113549.1.1.11"
        | "1.2.840.10045.4.3.2"
        | "2.16.840.1.101.3.4.3.2" => Some(Sha256::digest(cert).to_vec()),
        "1.2.840.113549.1.1.12" | "1.2.840.10045.4.3.3" => Some(Sha384::digest(cert).to_vec()),
        "1.2.840.113549.1.1.13" | "1.2.840.10045.4.3.4" => Some(Sha512::digest(cert).to_vec()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_any_bytes() {
        assert_eq!(end_point_hash(&[]), None);
        assert_eq!(end_point_hash(&[0x30, 0x82, 0xff, 0xff, 0]), None);
    }
}
