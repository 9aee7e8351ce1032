//! Signatures over manifests: Ed25519 (RFC 8032), as `openssl pkeyutl` makes and checks them.

use super::fill_random;
use crate::error::{Error, ErrorKind, Result, storage};
use crate::name::hex;
use crate::secret::Secret;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::pki_types::pem::PemObject as _;
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use zeroize::Zeroizing;

/// How long a signature is.
pub(crate) const SIGNATURE_BYTES: usize = 64;
const KEY_BYTES: usize = 32;
/// What the written form of a public key starts with.
const ALGORITHM: &str = "ed25519:";
/// PKCS#8 (RFC 8410, section 7): a key of Ed25519 follows, and nothing else.
const PKCS8_PREFIX: [u8; 16] = [
    0x30, 0x2e, 0x02, 0x01, 0x00, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x04, 0x22, 0x04, 0x20,
];
const PEM_LABEL: &str = "PRIVATE KEY";

/// The secret key that signs backups. It is never shown.
///
/// ```
/// use opskit_core::seal::{SigningKey, VerifyingKey};
/// let (key, pem) = SigningKey::generate()?;
/// assert_eq!(SigningKey::parse_pem(pem.expose())?.verifying_key(), key.verifying_key());
/// let public: VerifyingKey = key.verifying_key().to_string().parse()?;
/// assert_eq!(public, key.verifying_key());
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Clone)]
pub struct SigningKey(Arc<Ed25519KeyPair>);

impl SigningKey {
    /// Makes a key, and what to keep in its file: PKCS#8 as PEM, which `openssl` reads too.
    ///
    /// # Errors
    /// Of kind `Storage` when the system has no random bytes to give.
    pub fn generate() -> Result<(Self, Secret)> {
        let mut seed = Zeroizing::new([0; KEY_BYTES]);
        fill_random(&mut *seed).map_err(|source| storage("cannot make a key", source))?;
        let key = Ed25519KeyPair::from_seed_unchecked(&*seed);
        let key = key.map_err(|_| Error::new(ErrorKind::Internal, "cannot make a key"))?;
        let mut der = Zeroizing::new(PKCS8_PREFIX.to_vec());
        der.extend_from_slice(&*seed);
        let body = Zeroizing::new(STANDARD.encode(&*der));
        let pem = format!(
            "-----BEGIN {PEM_LABEL}-----\n{}\n-----END {PEM_LABEL}-----\n",
            body.as_str()
        );
        Ok((Self(Arc::new(key)), Secret::new(pem)))
    }

    /// Reads a key file: PKCS#8 as PEM, of [`Self::generate`] or `openssl genpkey -algorithm ed25519`.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for anything else; what was read is not told.
    pub fn parse_pem(text: &str) -> Result<Self> {
        let no_key = || {
            let what = "that is no signing key: PKCS#8 as PEM, of Ed25519";
            Error::new(ErrorKind::InvalidInput, what)
                .with_hint("opskit keys new --signing makes one. Keys under a passphrase, and those of other algorithms, are not read.")
        };
        let der = PrivatePkcs8KeyDer::from_pem_slice(text.as_bytes()).map_err(|_| no_key())?;
        let der = Zeroizing::new(der.secret_pkcs8_der().to_vec());
        let key = Ed25519KeyPair::from_pkcs8_maybe_unchecked(&der).map_err(|_| no_key())?;
        Ok(Self(Arc::new(key)))
    }

    /// The public half.
    #[must_use]
    pub fn verifying_key(&self) -> VerifyingKey {
        let mut key = [0; KEY_BYTES];
        key.copy_from_slice(self.0.public_key().as_ref());
        VerifyingKey(key)
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Vec<u8> {
        self.0.sign(message).as_ref().to_vec()
    }
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SigningKey(… of {})", self.verifying_key())
    }
}

/// The public key that tells whether a signature is that of its secret half. Written as `ed25519:` and 44 characters of
/// base64.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct VerifyingKey([u8; KEY_BYTES]);

impl VerifyingKey {
    /// Whether this key made the signature over these bytes.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let key = UnparsedPublicKey::new(&ED25519, self.0);
        key.verify(message, signature).is_ok()
    }

    /// What names it where a signature is stored: 64 hexadecimal digits.
    pub(crate) fn id(&self) -> String {
        hex(&self.0)
    }

    /// The key of such a name.
    pub(crate) fn of_id(id: &str) -> Option<Self> {
        let digits = id.as_bytes();
        let plain = |byte: &u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(byte);
        if digits.len() != 2 * KEY_BYTES || !digits.iter().all(plain) {
            return None;
        }
        let mut key = [0; KEY_BYTES];
        for (byte, pair) in key.iter_mut().zip(digits.chunks_exact(2)) {
            let pair = std::str::from_utf8(pair).ok()?;
            *byte = u8::from_str_radix(pair, 16).ok()?;
        }
        Some(Self(key))
    }
}

impl FromStr for VerifyingKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let key = text.strip_prefix(ALGORITHM);
        let key = key.and_then(|key| STANDARD.decode(key).ok());
        let key = key.and_then(|key| <[u8; KEY_BYTES]>::try_from(key).ok());
        key.map(Self).ok_or_else(|| {
            let error = Error::new(ErrorKind::InvalidInput, "that is no public key of a signer");
            error.with_hint("It is ed25519: and 44 characters of base64, as opskit keys new --signing prints it.")
        })
    }
}

impl fmt::Display for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{ALGORITHM}{}", STANDARD.encode(self.0))
    }
}

impl fmt::Debug for VerifyingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "VerifyingKey({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 8032, section 7.1, test 2.
    #[test]
    fn signatures_are_those_of_the_standard() {
        let seed = "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb";
        let mut der = PKCS8_PREFIX.to_vec();
        der.extend_from_slice(&VerifyingKey::of_id(seed).unwrap().0);
        let pem = format!(
            "-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n",
            STANDARD.encode(der)
        );
        let key = SigningKey::parse_pem(&pem).unwrap();
        assert_eq!(
            key.verifying_key().id(),
            "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c"
        );
        let signature = key.sign(&[0x72]);
        assert_eq!(
            hex(&signature),
            "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da\
             085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00"
        );
        assert!(key.verifying_key().verifies(&[0x72], &signature));
        assert!(!key.verifying_key().verifies(&[0x73], &signature));
        assert!(!key.verifying_key().verifies(&[0x72], &signature[..63]));
    }

    #[test]
    fn what_is_no_key_is_refused_and_not_told() {
        let (key, pem) = SigningKey::generate().unwrap();
        let cut = pem.expose().replacen("MC4C", "MC4D", 1);
        for text in ["", "AGE-SECRET-KEY-1XX", cut.as_str()] {
            let error = SigningKey::parse_pem(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            let told = format!("{error:?} {error} {:?}", error.hint());
            assert!(text.is_empty() || !told.contains(text), "{told}");
        }
        assert!(!format!("{key:?}").contains("PRIVATE"));
        for text in ["", "ed25519:", "ed25519:AAAA", "age1x", "ed25519:!"] {
            assert!(text.parse::<VerifyingKey>().is_err(), "{text}");
        }
        let upper = key.verifying_key().id().to_uppercase();
        assert_eq!(VerifyingKey::of_id(&upper), None);
        assert_eq!(VerifyingKey::of_id("00"), None);
    }
}
