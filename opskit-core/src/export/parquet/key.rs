//! Parquet's own encryption: AES-GCM of every module, the footer too, by one key and without a prefix of additional
//! data, which is what DuckDB, pyarrow and Spark can be given a key for.

use super::{internal, read_error};
use crate::error::Result;
use parquet::encryption::decrypt::FileDecryptionProperties;
use parquet::encryption::encrypt::FileEncryptionProperties;
use std::fmt;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A key of 256 bits for Parquet files. It is never shown.
///
/// ```
/// use opskit_core::export::parquet::ParquetKey;
/// assert_eq!(format!("{:?}", ParquetKey::new([7; 32])), "ParquetKey(…)");
/// ```
#[derive(Clone)]
pub struct ParquetKey(Zeroizing<[u8; 32]>);

impl fmt::Debug for ParquetKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ParquetKey(…)")
    }
}

impl ParquetKey {
    /// A key of these bytes.
    #[must_use]
    pub fn new(key: [u8; 32]) -> Self {
        Self(Zeroizing::new(key))
    }

    /// The key itself, for the one place that hands it to another program.
    #[must_use]
    pub fn expose(&self) -> &[u8; 32] {
        &self.0
    }

    pub(super) fn encryption(&self) -> Result<Arc<FileEncryptionProperties>> {
        let properties = FileEncryptionProperties::builder(self.0.to_vec()).build();
        properties.map_err(|source| internal(source.into()))
    }

    pub(super) fn decryption(&self) -> Result<Arc<FileDecryptionProperties>> {
        let properties = FileDecryptionProperties::builder(self.0.to_vec()).build();
        properties.map_err(read_error)
    }
}
