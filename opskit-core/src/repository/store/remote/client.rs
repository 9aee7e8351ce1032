//! What is asked of a remote store, tried again where that may help, with errors of ours.

use super::super::too_large;
use super::Terms;
use crate::error::{Error, ErrorKind, Result};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::multipart::MultipartStore;
use object_store::path::Path;
use object_store::{
    Error as StoreError, GetOptions, GetRange, ObjectMeta, ObjectStore, ObjectStoreExt as _,
    PutMode, PutOptions,
};
use std::fmt;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::OnceCell;

/// Requests for many small things at a time.
pub(super) const AT_ONCE: usize = 16;

/// How much of what a server says is repeated.
const TEXT_MAX: usize = 600;

/// What the adapter needs of a store.
pub(crate) trait Backend: ObjectStore + MultipartStore {}

impl<T: ObjectStore + MultipartStore> Backend for T {}

/// The bytes of an object as they come.
pub(super) type Pieces = BoxStream<'static, object_store::Result<Bytes>>;

/// A store, and the place in it.
pub(super) struct Client {
    pub(super) backend: Arc<dyn Backend>,
    /// What all names start with: nothing, or a path with a slash at its end.
    prefix: String,
    pub(super) place: String,
    pub(super) terms: Terms,
    /// Whether the server keeps to `If-None-Match`.
    pub(super) conditional: OnceCell<bool>,
    /// Whether the server has never called some bytes of an object the whole of it.
    marks_ranges: AtomicBool,
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What the store prints of itself may be its credentials.
        f.debug_struct("Client")
            .field("place", &self.place)
            .field("terms", &self.terms)
            .finish_non_exhaustive()
    }
}

/// An object that a listing told of.
#[derive(Debug, Clone)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) bytes: u64,
    pub(super) modified: time::OffsetDateTime,
}

impl Client {
    pub(super) fn new(
        backend: Arc<dyn Backend>,
        prefix: &str,
        place: String,
        terms: Terms,
    ) -> Self {
        let prefix = prefix.trim_matches('/');
        let prefix = match prefix.is_empty() {
            true => String::new(),
            false => format!("{prefix}/"),
        };
        Self {
            backend,
            prefix,
            place,
            terms,
            conditional: OnceCell::new(),
            marks_ranges: AtomicBool::new(true),
        }
    }

    pub(super) fn path(&self, name: &str) -> Result<Path> {
        let whole = format!("{}{name}", self.prefix);
        Path::parse(whole.trim_end_matches('/')).map_err(|source| {
            Error::new(
                ErrorKind::InvalidInput,
                format!("\"{name}\" cannot be the name of an object"),
            )
            .with_source(source.to_string())
        })
    }

    /// The name of what stands at a path.
    fn name(&self, path: &Path) -> Option<String> {
        let name = path.as_ref().strip_prefix(&self.prefix)?;
        Some(name.to_owned())
    }

    /// Tries again what may pass, with longer and longer pauses.
    pub(super) async fn attempt<T, F>(&self, work: impl Fn() -> F) -> object_store::Result<T>
    where
        F: Future<Output = object_store::Result<T>>,
    {
        let mut pause = self.terms.first_pause;
        for _ in 1..self.terms.attempts {
            match work().await {
                Err(error) if may_pass(&error) => {
                    tracing::debug!(error = %shown(&error), "the store is asked again");
                }
                ended => return ended,
            }
            tokio::time::sleep(pause).await;
            pause *= 2;
        }
        work().await
    }

    pub(super) async fn head(&self, name: &str) -> Result<ObjectMeta> {
        let path = self.path(name)?;
        let asked = self.attempt(|| self.backend.head(&path)).await;
        asked.map_err(|error| failed("look at", name, &error))
    }

    pub(super) async fn has(&self, name: &str) -> Result<bool> {
        match self.head(name).await {
            Ok(_) => Ok(true),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Reads an object whole; its size is looked at before its bytes. `None` for one that is larger.
    pub(super) async fn read(&self, name: &str, bytes_max: u64) -> Result<Bytes> {
        let path = self.path(name)?;
        let get = || async {
            let found = self.backend.get(&path).await?;
            let size = found.meta.size;
            if size > bytes_max {
                return Ok(Err(too_large(name, size, bytes_max)));
            }
            whole(found.bytes().await?, size)
                .ok_or_else(cut_short)
                .map(Ok)
        };
        let read = self.attempt(get).await;
        read.map_err(|error| failed("read", name, &error))?
    }

    /// Reads some bytes of an object that should have `bytes`, and tells how many it has; where that is another
    /// number, nothing is read.
    pub(super) async fn range(
        &self,
        name: &str,
        range: Range<u64>,
        bytes: u64,
    ) -> Result<(Bytes, u64)> {
        let path = self.path(name)?;
        // Some servers answer a range that is everything as if nobody had asked for one.
        let is_part = range != (0..bytes);
        let get = || async {
            let options = GetOptions {
                range: is_part.then(|| GetRange::Bounded(range.clone())),
                ..GetOptions::default()
            };
            let found = self.backend.get_opts(&path, options).await?;
            let (size, given) = (found.meta.size, found.range.clone());
            if size != bytes {
                return Ok((Bytes::new(), size));
            }
            if given != range {
                return Err(incomplete("the store gave another range"));
            }
            let read =
                whole(found.bytes().await?, range.end - range.start).ok_or_else(cut_short)?;
            Ok((read, size))
        };
        let read = self.attempt(get).await;
        read.map_err(|error| {
            if is_unmarked(&error) {
                self.marks_ranges.store(false, Ordering::Relaxed);
            }
            failed("read", name, &error)
        })
    }

    /// Whether objects can be asked for piece by piece. Some servers (`rclone serve s3`) give the right bytes, and
    /// say of them that they are all there is; no client takes them then.
    pub(super) fn gives_ranges(&self) -> bool {
        self.marks_ranges.load(Ordering::Relaxed)
    }

    /// Opens an object to read it in one answer, and tells its size.
    pub(super) async fn stream(&self, name: &str) -> Result<(u64, Pieces)> {
        let path = self.path(name)?;
        let got = self.attempt(|| self.backend.get(&path)).await;
        let got = got.map_err(|error| failed("read", name, &error))?;
        Ok((got.meta.size, got.into_stream()))
    }

    /// Stores a small object, in place of what has the name.
    pub(super) async fn put(&self, name: &str, bytes: Bytes) -> Result<()> {
        let path = self.path(name)?;
        let put = || self.backend.put(&path, bytes.clone().into());
        let put = self.attempt(put).await;
        put.map(drop).map_err(|error| failed("write", name, &error))
    }

    /// Stores a small object where the server sees nothing of that name; tells whether it did.
    pub(super) async fn put_new(&self, name: &str, bytes: Bytes) -> Result<bool> {
        let path = self.path(name)?;
        let put = || {
            let options = PutOptions::from(PutMode::Create);
            self.backend.put_opts(&path, bytes.clone().into(), options)
        };
        match self.attempt(put).await {
            Ok(_) => Ok(true),
            Err(StoreError::AlreadyExists { .. } | StoreError::Precondition { .. }) => Ok(false),
            Err(error) => Err(failed("write", name, &error)),
        }
    }

    /// Removes an object, if it is there.
    pub(super) async fn remove(&self, name: &str) -> Result<()> {
        let path = self.path(name)?;
        match self.attempt(|| self.backend.delete(&path)).await {
            Ok(()) | Err(StoreError::NotFound { .. }) => Ok(()),
            Err(error) => Err(failed("remove", name, &error)),
        }
    }

    /// Removes objects, some at a time.
    pub(super) async fn remove_all(&self, names: Vec<String>) -> Result<()> {
        let removing =
            futures::stream::iter(names).map(|name| async move { self.remove(&name).await });
        removing.buffer_unordered(AT_ONCE).try_collect().await
    }

    /// All objects below a folder, by their whole names, in order.
    pub(super) async fn list(&self, folder: &str) -> Result<Vec<Listed>> {
        let path = self.path(folder)?;
        let list = || async {
            let found: Vec<ObjectMeta> = self.backend.list(Some(&path)).try_collect().await?;
            Ok(found)
        };
        let found = self.attempt(list).await;
        let found = found.map_err(|error| failed("list", folder, &error))?;
        let listed = |meta: ObjectMeta| {
            Some(Listed {
                name: self.name(&meta.location)?,
                bytes: meta.size,
                modified: modified(&meta),
            })
        };
        let mut listed: Vec<Listed> = found.into_iter().filter_map(listed).collect();
        listed.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(listed)
    }

    /// The names of what stands in a folder.
    pub(super) async fn entries(&self, folder: &str) -> Result<Vec<String>> {
        let path = self.path(folder)?;
        let list = || self.backend.list_with_delimiter(Some(&path));
        let found = self.attempt(list).await;
        let found = found.map_err(|error| failed("list", folder, &error))?;
        let objects = found.objects.into_iter().map(|meta| meta.location);
        let paths = found.common_prefixes.into_iter().chain(objects);
        let last = |path: Path| path.filename().map(str::to_owned);
        Ok(paths.filter_map(last).collect())
    }

    /// Whether the object has exactly these bytes.
    pub(super) async fn is(&self, name: &str, bytes: &[u8]) -> Result<Option<bool>> {
        match self.read(name, bytes.len() as u64).await {
            Ok(found) => Ok(Some(found == bytes)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) if error.kind() == ErrorKind::Damaged => Ok(Some(false)),
            Err(error) => Err(error),
        }
    }
}

/// When the server says that an object was written.
pub(super) fn modified(meta: &ObjectMeta) -> time::OffsetDateTime {
    let nanos = meta.last_modified.timestamp_nanos_opt().unwrap_or_default();
    let at = time::OffsetDateTime::from_unix_timestamp_nanos(i128::from(nanos));
    at.unwrap_or(time::OffsetDateTime::UNIX_EPOCH)
}

/// A body that ends early is no body.
fn whole(bytes: Bytes, told: u64) -> Option<Bytes> {
    (bytes.len() as u64 == told).then_some(bytes)
}

fn cut_short() -> StoreError {
    incomplete("the store gave fewer bytes than it told")
}

fn incomplete(what: &'static str) -> StoreError {
    StoreError::Generic {
        store: "store",
        source: what.into(),
    }
}

/// Whether asking once more may help.
fn may_pass(error: &StoreError) -> bool {
    match error {
        StoreError::Generic { .. } => !is_unmarked(error),
        StoreError::JoinError { .. } => true,
        _ => false,
    }
}

/// Whether an answer to a question for a range was not marked as one. The library has no kind of its own for that.
fn is_unmarked(error: &StoreError) -> bool {
    error.to_string().contains("non-partial response")
}

/// What a store says of a failure. The query of a URL may be a signature.
pub(in crate::repository) fn shown(error: &StoreError) -> String {
    let text = error.to_string();
    // Some servers answer with a page.
    let text: String = text.chars().take(TEXT_MAX).collect();
    let words = text
        .split_whitespace()
        .map(|word| match word.split_once('?') {
            Some((url, _)) if url.contains("://") => url,
            _ => word,
        });
    words.collect::<Vec<_>>().join(" ")
}

/// The error of ours.
pub(super) fn failed(doing: &str, name: &str, error: &StoreError) -> Error {
    let message = format!("cannot {doing} \"{name}\"");
    match error {
        StoreError::NotFound { .. } => {
            Error::new(ErrorKind::NotFound, format!("\"{name}\" is not there"))
        }
        StoreError::PermissionDenied { .. } | StoreError::Unauthenticated { .. } => {
            Error::new(ErrorKind::PermissionDenied, message)
                .with_source(shown(error))
                .with_hint("Look at the credentials, and at what they allow in this place.")
        }
        _ => Error::new(ErrorKind::Storage, message).with_source(shown(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signatures_are_not_repeated() {
        let error = incomplete("PUT https://host/box/name?sig=s3cret&x=1 in 3s - no luck?");
        let shown = shown(&error);
        assert!(!shown.contains("s3cret"), "{shown}");
        assert!(
            shown.contains("https://host/box/name in 3s - no luck?"),
            "{shown}"
        );
    }
}
