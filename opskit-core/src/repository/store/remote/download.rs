//! An object in a file without a name, whose digest was taken as it came: what is read is what was checked.

use super::client::{Client, failed};
use super::worker::{Pending, Worker};
use crate::error::{ErrorKind, Result, storage};
use crate::name::hex;
use crate::repository::store::{Opened, other_size};
use bytes::Bytes;
use futures::StreamExt as _;
use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{Seek as _, Write as _};
use std::ops::Range;
use std::sync::Arc;

/// How much is asked for at a time. What breaks is asked for again from there.
const RANGE_BYTES: u64 = 8 << 20;

/// Reads an object of this size.
pub(super) fn download(
    client: &Arc<Client>,
    worker: &Worker,
    name: &str,
    bytes: u64,
) -> Result<Opened> {
    let mut download = Download {
        client,
        worker,
        name,
        bytes,
        file: tempfile::tempfile().map_err(|source| cannot_keep(name, source))?,
        hasher: Sha256::new(),
        had: 0,
    };
    if client.gives_ranges() {
        download.by_ranges().or_else(|error| {
            // It was found out just now.
            match client.gives_ranges() {
                true => Err(error),
                false => download.in_one_answer(),
            }
        })?;
    } else {
        download.in_one_answer()?;
    }
    download.finish()
}

/// An object that has come so far.
struct Download<'a> {
    client: &'a Arc<Client>,
    worker: &'a Worker,
    name: &'a str,
    /// What it should have.
    bytes: u64,
    file: File,
    hasher: Sha256,
    had: u64,
}

impl Download<'_> {
    /// One range is on its way while the one before is hashed and written, so that two are in memory.
    fn by_ranges(&mut self) -> Result<()> {
        let (client, worker, name, bytes) = (self.client, self.worker, self.name, self.bytes);
        let ask = |range: Range<u64>| -> Pending<Result<(Bytes, u64)>> {
            let (client, name) = (Arc::clone(client), name.to_owned());
            worker.ask(async move { client.range(&name, range, bytes).await })
        };
        let mut next = range_from(0, bytes).map(ask);
        if next.is_none() {
            self.check_size()?;
        }
        while let Some(asked) = next {
            let (chunk, size) = asked.wait()?.or_else(|error| {
                // A range that an object does not have is an error of the server's.
                self.check_size().and(Err(error))
            })?;
            self.expect(size)?;
            next = range_from(self.had + chunk.len() as u64, bytes).map(ask);
            self.take(&chunk)?;
        }
        Ok(())
    }

    /// An answer that breaks is asked for again, and what had come already is passed over.
    fn in_one_answer(&mut self) -> Result<()> {
        let mut attempts = self.client.terms.attempts;
        loop {
            attempts -= 1;
            match self.once() {
                Err(error) if attempts > 0 && error.kind() == ErrorKind::Storage => {
                    tracing::debug!(%error, "the store is asked again");
                }
                ended => return ended,
            }
        }
    }

    fn once(&mut self) -> Result<()> {
        let (client, name) = (Arc::clone(self.client), self.name.to_owned());
        let opened = self
            .worker
            .wait(async move { client.stream(&name).await })?;
        let (size, mut pieces) = opened;
        self.expect(size)?;
        let mut at = 0;
        loop {
            let waited = async move { Ok((pieces.next().await, pieces)) };
            let (piece, rest) = self.worker.wait(waited)?;
            pieces = rest;
            let Some(piece) = piece else { break };
            let piece = piece.map_err(|error| failed("read", self.name, &error))?;
            let new = self.had.saturating_sub(at).min(piece.len() as u64);
            at += piece.len() as u64;
            if at > self.bytes {
                return Err(other_size(self.name, at, self.bytes));
            }
            self.take(&piece[new as usize..])?;
        }
        match at == self.bytes {
            true => Ok(()),
            false => Err(storage(
                format!("cannot read \"{}\"", self.name),
                std::io::ErrorKind::UnexpectedEof.into(),
            )),
        }
    }

    fn take(&mut self, chunk: &[u8]) -> Result<()> {
        self.had += chunk.len() as u64;
        self.hasher.update(chunk);
        let kept = self.file.write_all(chunk);
        kept.map_err(|source| cannot_keep(self.name, source))
    }

    fn finish(mut self) -> Result<Opened> {
        let rewound = self.file.rewind();
        rewound.map_err(|source| cannot_keep(self.name, source))?;
        Ok(Opened {
            file: self.file,
            sha256: Some(hex(&self.hasher.finalize())),
        })
    }

    fn expect(&self, size: u64) -> Result<()> {
        match size == self.bytes {
            true => Ok(()),
            false => Err(other_size(self.name, size, self.bytes)),
        }
    }

    /// Tells an object of another size as that.
    fn check_size(&self) -> Result<()> {
        let (client, asked) = (Arc::clone(self.client), self.name.to_owned());
        let found = self
            .worker
            .wait(async move { Ok(client.head(&asked).await?.size) });
        match found {
            Ok(found) => self.expect(found),
            Err(error) if error.kind() == ErrorKind::NotFound => Err(error),
            Err(_) => Ok(()),
        }
    }
}

fn range_from(start: u64, bytes: u64) -> Option<Range<u64>> {
    (start < bytes).then(|| start..bytes.min(start + RANGE_BYTES))
}

fn cannot_keep(name: &str, source: std::io::Error) -> crate::error::Error {
    storage(
        format!("cannot keep \"{name}\" in a temporary file"),
        source,
    )
}
