//! An object store in memory that does what networks and servers do: it fails, answers late or not at all, and
//! gives too little or something else.

use crate::repository::{Backend, BackupId, Repository, RepositoryUrl, Terms};
use async_trait::async_trait;
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{StreamExt as _, TryStreamExt as _};
use object_store::memory::InMemory;
use object_store::multipart::{MultipartStore, PartId};
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, GetResultPayload, ListResult, MultipartId,
    MultipartUpload, ObjectMeta, ObjectStore, PutMode, PutMultipartOptions, PutOptions, PutPayload,
    PutResult, Result,
};
use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Every object of a backup, complete or not, by its name within it.
///
/// ```
/// # use opskit_core::repository::{BackupId, Repository, RepositoryUrl};
/// use opskit_core::testing::store::objects;
/// let repository = Repository::create_at(&RepositoryUrl::memory())?;
/// let id: BackupId = "20261121T013000Z-7f3a9c2e".parse()?;
/// assert!(objects(&repository, &id)?.is_empty());
/// # Ok::<(), opskit_core::Error>(())
/// ```
///
/// # Errors
/// When one cannot be read.
pub fn objects(
    repository: &Repository,
    id: &BackupId,
) -> crate::error::Result<BTreeMap<String, Vec<u8>>> {
    Ok(repository.raw_objects(id)?.into_iter().collect())
}

/// The size of the parts of uploads: small, so that tests have several.
const PART_BYTES: usize = 1 << 10;

/// What is asked of a store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Call {
    /// An object is stored whole.
    Put,
    /// An object is stored unless there is one.
    PutNew,
    /// An upload begins.
    Begin,
    /// A part of an upload is stored.
    PutPart,
    /// An upload is completed.
    Complete,
    /// An upload is given up.
    Abort,
    /// An object, or some of it, is read, or looked at.
    Get,
    /// An object is removed.
    Delete,
    /// Objects are listed.
    List,
}

impl Call {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::Put,
        Self::PutNew,
        Self::Begin,
        Self::PutPart,
        Self::Complete,
        Self::Abort,
        Self::Get,
        Self::Delete,
        Self::List,
    ];
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fault {
    /// It fails, and nothing was done.
    Error,
    /// It is done, and the caller is told that it failed.
    LostAnswer,
    /// It takes this much longer.
    Latency(Duration),
    /// What is read ends early. Nothing happens to a call that reads nothing.
    ShortRead,
    /// A byte of what is read is another one.
    WrongBytes,
}

/// A store in memory whose calls can be made to fail. A clone is the same store.
///
/// ```
/// use opskit_core::repository::Repository;
/// use opskit_core::testing::store::{Call, Fault, FaultyMemory};
/// let store = FaultyMemory::new();
/// let repository = Repository::create_at(&store.url())?;
/// // One failure is tried again.
/// store.fail(Call::List, 1, Fault::Error);
/// assert_eq!(repository.backups()?, []);
/// // Too many are told.
/// for nth in 1..=9 {
///     store.fail(Call::List, nth, Fault::Error);
/// }
/// assert!(repository.backups().is_err());
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
pub struct FaultyMemory {
    inner: InMemory,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    calls: BTreeMap<Call, u64>,
    faults: Vec<(Call, u64, Fault)>,
    /// The state of the dice, and how many calls of a thousand fail.
    dice: Option<(u64, u64)>,
    ignores_conditions: bool,
}

impl FaultyMemory {
    /// An empty store without faults.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Makes the `nth` call of a kind from now on fail; 1 is the next.
    pub fn fail(&self, call: Call, nth: u64, fault: Fault) {
        self.with(|plan| {
            let at = plan.calls.get(&call).unwrap_or(&0) + nth;
            plan.faults.push((call, at, fault));
        });
    }

    /// Makes `per_mille` of a thousand calls fail, by dice that fall alike for the same `seed`. None of what is read
    /// is wrong then: no store could be told from a good one.
    pub fn fail_at_random(&self, seed: u64, per_mille: u64) {
        // A state of zero would stay zero.
        self.with(|plan| plan.dice = Some((seed.wrapping_mul(2) | 1, per_mille)));
    }

    /// Ends all faults.
    pub fn heal(&self) {
        self.with(|plan| {
            plan.faults.clear();
            plan.dice = None;
        });
    }

    /// Lets it overwrite what it is asked not to, as some servers do.
    pub fn ignore_conditions(&self) {
        self.with(|plan| plan.ignores_conditions = true);
    }

    /// How many calls of a kind there were.
    #[must_use]
    pub fn calls(&self, call: Call) -> u64 {
        self.with(|plan| plan.calls.get(&call).copied().unwrap_or(0))
    }

    /// The place, for [`Repository`]. It tries often and soon.
    #[must_use]
    pub fn url(&self) -> RepositoryUrl {
        self.url_with(Terms::default().expires_after)
    }

    /// The same, where a writer counts as gone that has said nothing for so long.
    #[must_use]
    pub fn url_with(&self, expires_after: Duration) -> RepositoryUrl {
        let terms = Terms {
            first_pause: Duration::from_millis(1),
            part_bytes: PART_BYTES,
            expires_after,
            ..Terms::default()
        };
        let backend: Arc<dyn Backend> = Arc::new(self.clone());
        RepositoryUrl::of_backend(backend, "", "memory:".to_owned(), terms)
    }

    fn with<T>(&self, work: impl FnOnce(&mut Plan) -> T) -> T {
        work(&mut self.plan.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Counts a call and does to it what is planned.
    async fn call<T>(&self, call: Call, work: impl Future<Output = Result<T>>) -> Result<T> {
        match self.with(|plan| plan.next(call)) {
            Some(Fault::Error) => Err(fault("it was made to fail")),
            Some(Fault::LostAnswer) => {
                work.await?;
                Err(fault("the answer was lost"))
            }
            Some(Fault::Latency(pause)) => {
                tokio::time::sleep(pause).await;
                work.await
            }
            _ => work.await,
        }
    }
}

impl Plan {
    fn next(&mut self, call: Call) -> Option<Fault> {
        let count = self.calls.entry(call).or_default();
        *count += 1;
        let now = *count;
        let planned = self
            .faults
            .iter()
            .find(|(of, at, _)| (*of, *at) == (call, now));
        planned.map(|(_, _, fault)| *fault).or_else(|| self.throw())
    }

    /// Xorshift: the same seed gives the same run.
    fn throw(&mut self) -> Option<Fault> {
        let (state, per_mille) = self.dice.as_mut()?;
        for shift in [13, -7, 17] {
            *state ^= match shift {
                1.. => *state << shift,
                _ => *state >> -shift,
            };
        }
        let kinds = [Fault::Error, Fault::LostAnswer, Fault::ShortRead];
        (*state % 1000 < *per_mille).then(|| kinds[(*state >> 20) as usize % kinds.len()])
    }
}

fn fault(what: &'static str) -> Error {
    Error::Generic {
        store: "faulty",
        source: what.into(),
    }
}

impl fmt::Display for FaultyMemory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FaultyMemory")
    }
}

#[async_trait]
impl ObjectStore for FaultyMemory {
    async fn put_opts(
        &self,
        location: &Path,
        payload: PutPayload,
        mut options: PutOptions,
    ) -> Result<PutResult> {
        let call = match options.mode {
            PutMode::Create => Call::PutNew,
            _ => Call::Put,
        };
        if self.with(|plan| plan.ignores_conditions) {
            options.mode = PutMode::Overwrite;
        }
        self.call(call, self.inner.put_opts(location, payload, options))
            .await
    }

    async fn put_multipart_opts(
        &self,
        _location: &Path,
        _options: PutMultipartOptions,
    ) -> Result<Box<dyn MultipartUpload>> {
        Err(fault("uploads go by their parts"))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        let fault = self.with(|plan| plan.next(Call::Get));
        let head = options.head;
        match fault {
            Some(Fault::Error | Fault::LostAnswer) => {
                return Err(self::fault("it was made to fail"));
            }
            Some(Fault::Latency(pause)) => tokio::time::sleep(pause).await,
            _ => {}
        }
        let mut found = self.inner.get_opts(location, options).await?;
        if head || !matches!(fault, Some(Fault::ShortRead | Fault::WrongBytes)) {
            return Ok(found);
        }
        let GetResultPayload::Stream(stream) = found.payload;
        let pieces: Vec<Bytes> = stream.try_collect().await?;
        let mut bytes = pieces.concat();
        match fault {
            Some(Fault::ShortRead) => {
                bytes.pop();
            }
            _ => {
                let middle = bytes.len() / 2;
                bytes
                    .iter_mut()
                    .skip(middle)
                    .take(1)
                    .for_each(|byte| *byte ^= 0x20);
            }
        }
        let whole = futures::stream::iter([Ok(Bytes::from(bytes))]);
        found.payload = GetResultPayload::Stream(whole.boxed());
        Ok(found)
    }

    fn delete_stream(
        &self,
        locations: BoxStream<'static, Result<Path>>,
    ) -> BoxStream<'static, Result<Path>> {
        let store = self.clone();
        let deleting = locations.and_then(move |location| {
            let store = store.clone();
            async move {
                let one = futures::stream::iter([Ok(location.clone())]).boxed();
                let work = async {
                    let gone: Vec<Path> = store.inner.delete_stream(one).try_collect().await?;
                    Ok(gone)
                };
                store.call(Call::Delete, work).await.map(|_| location)
            }
        });
        deleting.boxed()
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        match self.with(|plan| plan.next(Call::List)) {
            Some(Fault::Error | Fault::LostAnswer | Fault::ShortRead) => {
                let first = self.inner.list(prefix).take(1);
                let then = futures::stream::iter([Err(fault("the list ends early"))]);
                first.chain(then).boxed()
            }
            _ => self.inner.list(prefix),
        }
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.call(Call::List, self.inner.list_with_delimiter(prefix))
            .await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[async_trait]
impl MultipartStore for FaultyMemory {
    async fn create_multipart(&self, path: &Path) -> Result<MultipartId> {
        self.call(Call::Begin, self.inner.create_multipart(path))
            .await
    }

    async fn put_part(
        &self,
        path: &Path,
        id: &MultipartId,
        part_idx: usize,
        data: PutPayload,
    ) -> Result<PartId> {
        self.call(Call::PutPart, self.inner.put_part(path, id, part_idx, data))
            .await
    }

    async fn complete_multipart(
        &self,
        path: &Path,
        id: &MultipartId,
        parts: Vec<PartId>,
    ) -> Result<PutResult> {
        self.call(
            Call::Complete,
            self.inner.complete_multipart(path, id, parts),
        )
        .await
    }

    async fn abort_multipart(&self, path: &Path, id: &MultipartId) -> Result<()> {
        self.call(Call::Abort, self.inner.abort_multipart(path, id))
            .await
    }
}
