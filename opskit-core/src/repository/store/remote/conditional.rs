//! Objects that are made once and never overwritten, on servers that keep to `If-None-Match`, and with care on
//! those that do not.

use super::client::Client;
use crate::error::{Error, ErrorKind, Result};
use crate::name::random_hex;
use crate::repository::layout::{PROBE_PREFIX, STORE_RECORD};
use crate::repository::manifest::parse_json;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

/// The largest record that is read.
const RECORD_BYTES_MAX: u64 = 64 << 10;
/// How often a name is tried that is said to be taken and is not there.
const TRIES: u32 = 3;

/// What was found out about the server, so that it is asked once.
#[derive(Debug, Serialize, Deserialize)]
struct StoreRecord {
    version: u32,
    /// Where it was found out: a copy of the objects may be elsewhere.
    place: String,
    conditional_writes: bool,
}

impl Client {
    /// Stores a small object under a name that nothing has.
    pub(super) async fn create(&self, name: &str, bytes: Bytes) -> Result<()> {
        match self.keeps_to_conditions().await? {
            true => self.create_by_condition(name, bytes).await,
            false => self.create_with_care(name, bytes).await,
        }
    }

    async fn create_by_condition(&self, name: &str, bytes: Bytes) -> Result<()> {
        for _ in 0..TRIES {
            if self.put_new(name, bytes.clone()).await? {
                return Ok(());
            }
            // It may have been ourselves, where the first answer was lost.
            match self.is(name, &bytes).await? {
                Some(true) => return Ok(()),
                Some(false) => return Err(exists(name)),
                // Two writers met, and the other one went.
                None => {}
            }
        }
        Err(Error::new(
            ErrorKind::Busy,
            format!("\"{name}\" is written by somebody else"),
        ))
    }

    async fn create_with_care(&self, name: &str, bytes: Bytes) -> Result<()> {
        match self.is(name, &bytes).await? {
            Some(true) => return Ok(()),
            Some(false) => return Err(exists(name)),
            None => {}
        }
        self.put(name, bytes.clone()).await?;
        match self.is(name, &bytes).await? {
            Some(true) => Ok(()),
            _ => Err(Error::new(
                ErrorKind::Busy,
                format!("\"{name}\" was written by somebody else at the same time"),
            )),
        }
    }

    /// Whether the server refuses to overwrite when it is asked to. It is tried once and written down.
    pub(super) async fn keeps_to_conditions(&self) -> Result<bool> {
        let known = self.conditional.get_or_try_init(|| async {
            match self.recorded().await? {
                Some(recorded) => Ok(recorded),
                None => self.find_out().await,
            }
        });
        known.await.copied()
    }

    async fn recorded(&self) -> Result<Option<bool>> {
        let read = self.read(STORE_RECORD, RECORD_BYTES_MAX).await;
        let text = match read {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        // What cannot be understood is found out anew.
        let record = parse_json::<StoreRecord>(&text, STORE_RECORD).ok();
        let of_here = record.filter(|record| record.place == self.place && record.version == 1);
        Ok(of_here.map(|record| record.conditional_writes))
    }

    async fn find_out(&self) -> Result<bool> {
        let name = format!("{PROBE_PREFIX}{}", random_hex());
        self.put(&name, Bytes::from_static(b"first")).await?;
        let second = self.put_new(&name, Bytes::from_static(b"second")).await;
        let kept = self.is(&name, b"first").await? == Some(true);
        // What is left says nothing wrong.
        let _ = self.remove(&name).await;
        let Ok(second) = second else {
            // The server may not know such requests, or has no time just now: the next one asks again.
            return Ok(false);
        };
        let conditional_writes = !second && kept;
        let record = StoreRecord {
            version: 1,
            place: self.place.clone(),
            conditional_writes,
        };
        let text = serde_json::to_vec_pretty(&record).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write the record of the store")
                .with_source(source)
        })?;
        self.put(STORE_RECORD, text.into()).await?;
        Ok(conditional_writes)
    }
}

pub(super) fn exists(name: &str) -> Error {
    Error::new(ErrorKind::Storage, format!("\"{name}\" exists already"))
        .with_hint("Nothing is overwritten unasked.")
}
