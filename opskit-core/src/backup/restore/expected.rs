//! What a backup says of its objects, in short. The facts of many tables are large: they are checked before anything is
//! done, and read again only where the database is found to be another.

use crate::backup::DOCUMENT_BYTES_MAX;
use crate::catalog::facts::{Facts, FactsOptions};
use crate::error::{Error, ErrorKind, Result};
use crate::repository::{BackupReader, FACTS};
use std::sync::Arc;

/// The facts of a backup by their digest.
#[derive(Debug)]
pub(super) struct Expected {
    /// What is to be looked at, to be compared with them.
    pub(super) options: FactsOptions,
    pub(super) digest: String,
    pub(super) count: usize,
}

impl Expected {
    /// None where the backup has no facts.
    pub(super) fn read(reader: &BackupReader) -> Result<Option<Self>> {
        if !reader.has_object(FACTS) {
            return Ok(None);
        }
        let facts = parse(reader)?;
        Ok(Some(Self {
            options: FactsOptions::like(&facts),
            digest: facts.digest(),
            count: facts.objects.len(),
        }))
    }
}

/// The facts themselves, read on a thread that may block.
pub(super) async fn facts(reader: &Arc<BackupReader>) -> Result<Facts> {
    let reader = Arc::clone(reader);
    let reading = tokio::task::spawn_blocking(move || parse(&reader));
    reading.await.map_err(|source| {
        Error::new(ErrorKind::Internal, "the reader of the facts stopped").with_source(source)
    })?
}

fn parse(reader: &BackupReader) -> Result<Facts> {
    Facts::from_json(&reader.read_object(FACTS, DOCUMENT_BYTES_MAX)?)
}
