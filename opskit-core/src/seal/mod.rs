//! Encryption at rest: a random data key per backup, wrapped for those who may read it; from it one key per object.
//! And signatures, which tell who made a backup.
//!
//! Keys are derived by HKDF-SHA256 (RFC 5869) without salt: of Parquet files one for all, so that other programs can be
//! given it; of every other object one that is bound to repository, backup and name.

mod sign;
mod stream;
mod wrap;

pub(crate) use sign::SIGNATURE_BYTES;
pub use sign::{SigningKey, VerifyingKey};
pub(crate) use stream::{SealReader, SealWriter};
pub use wrap::{Identity, Recipient};
pub(crate) use wrap::{PASSPHRASE, WRAPPED_BYTES_MAX};

use hkdf::Hkdf;
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::io;
use zeroize::Zeroizing;

const PARQUET_INFO: &[u8] = b"opskit/1 parquet";
const OBJECT_INFO: &[u8] = b"opskit/1 object";

/// The key of one backup.
#[derive(Clone)]
pub(crate) struct DataKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for DataKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("DataKey(…)")
    }
}

/// The key of one object that is sealed.
pub(crate) struct ObjectKey {
    key: Zeroizing<[u8; 32]>,
    /// What stands with each chunk: whose it is.
    bound: [u8; 32],
}

impl DataKey {
    pub(crate) fn random() -> io::Result<Self> {
        let mut key = Zeroizing::new([0; 32]);
        fill_random(&mut *key)?;
        Ok(Self(key))
    }

    pub(crate) fn from_bytes(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The key of all Parquet files, by Parquet's own encryption.
    pub(crate) fn parquet(&self) -> Zeroizing<[u8; 32]> {
        self.derive(&[PARQUET_INFO])
    }

    /// The key of another object.
    pub(crate) fn object(&self, repository: &str, backup: &str, object: &str) -> ObjectKey {
        let place = place(&[repository, backup, object]);
        ObjectKey {
            key: self.derive(&[OBJECT_INFO, &place]),
            bound: place,
        }
    }

    fn derive(&self, info: &[&[u8]]) -> Zeroizing<[u8; 32]> {
        let mut derived = Zeroizing::new([0; 32]);
        let expanded = Hkdf::<Sha256>::new(None, self.as_bytes())
            .expand_multi_info(info, derived.as_mut_slice());
        // One block is never too long.
        debug_assert!(expanded.is_ok());
        derived
    }
}

/// One digest for several words, no two lists of which are alike.
fn place(words: &[&str]) -> [u8; 32] {
    let mut hasher = Sha256::new();
    for word in words {
        hasher.update((word.len() as u64).to_be_bytes());
        hasher.update(word);
    }
    hasher.finalize().into()
}

fn fill_random(bytes: &mut [u8]) -> io::Result<()> {
    getrandom::fill(bytes).map_err(|source| io::Error::other(source.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(bytes: &[u8]) -> String {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// By `openssl kdf -keylen 32 -kdfopt digest:SHA256 -kdfopt hexkey:07… -kdfopt info:'opskit/1 parquet' HKDF`.
    #[test]
    fn keys_are_derived_as_others_derive_them() {
        let key = DataKey::from_bytes([7; 32]);
        assert_eq!(
            hex(&*key.parquet()),
            "3e84139210eb30d2a32e9676de23ae64fee42cf8315edbce46de7094dac60503"
        );
    }

    #[test]
    fn each_object_has_a_key_of_its_own() {
        let key = DataKey::from_bytes([7; 32]);
        let one = key.object("r", "b", "x");
        for (repository, backup, object) in [
            ("r", "b", "y"),
            ("r", "c", "x"),
            ("s", "b", "x"),
            ("rb", "", "x"),
        ] {
            let other = key.object(repository, backup, object);
            assert!(one.key != other.key && one.bound != other.bound);
        }
        assert_eq!(format!("{key:?}"), "DataKey(…)");
    }
}
