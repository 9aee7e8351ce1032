//! An object in a file without a name, whose digest was taken as it came: what is read is what was checked.

use super::client::Client;
use super::worker::{Pending, Worker};
use crate::error::{ErrorKind, Result, storage};
use crate::name::hex;
use crate::repository::store::{Opened, other_size};
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use std::io::{Seek as _, Write as _};
use std::ops::Range;
use std::sync::Arc;

/// How much is asked for at a time. What breaks is asked for again from there.
const RANGE_BYTES: u64 = 8 << 20;

/// Reads an object of this size. One range is on its way while the one before is hashed and written, so
/// that two are in memory.
pub(super) fn download(
    client: &Arc<Client>,
    worker: &Worker,
    name: &str,
    bytes: u64,
) -> Result<Opened> {
    let failed = |source| {
        storage(
            format!("cannot keep \"{name}\" in a temporary file"),
            source,
        )
    };
    let mut file = tempfile::tempfile().map_err(failed)?;
    let mut hasher = Sha256::new();
    let ask = |range: Range<u64>| -> Pending<Result<(Bytes, u64)>> {
        let (client, name) = (Arc::clone(client), name.to_owned());
        worker.ask(async move { client.range(&name, range, bytes).await })
    };
    let mut next = range_from(0, bytes).map(ask);
    if next.is_none() {
        check_size(client, worker, name, bytes)?;
    }
    let mut had = 0;
    while let Some(asked) = next {
        let (chunk, size) = asked.wait()?.or_else(|error| {
            // A range that an object does not have is an error of the server's.
            check_size(client, worker, name, bytes).and(Err(error))
        })?;
        if size != bytes {
            return Err(other_size(name, size, bytes));
        }
        had += chunk.len() as u64;
        next = range_from(had, bytes).map(ask);
        hasher.update(&chunk);
        file.write_all(&chunk).map_err(failed)?;
    }
    file.rewind().map_err(failed)?;
    Ok(Opened {
        file,
        sha256: Some(hex(&hasher.finalize())),
    })
}

fn range_from(start: u64, bytes: u64) -> Option<Range<u64>> {
    (start < bytes).then(|| start..bytes.min(start + RANGE_BYTES))
}

/// Tells an object of another size as that.
fn check_size(client: &Arc<Client>, worker: &Worker, name: &str, bytes: u64) -> Result<()> {
    let (client, asked) = (Arc::clone(client), name.to_owned());
    let found = worker.wait(async move { Ok(client.head(&asked).await?.size) });
    match found {
        Ok(found) if found != bytes => Err(other_size(name, found, bytes)),
        Err(error) if error.kind() == ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
