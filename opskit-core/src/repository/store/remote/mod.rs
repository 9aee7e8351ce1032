//! Object stores, through the crate `object_store`: memory, S3, GCS, Azure.

mod client;
mod conditional;
mod download;
mod lease;
mod removal;
mod sweep;
mod upload;
mod worker;

pub(crate) use client::Backend;
pub(in crate::repository) use client::shown;

use super::{Claim, Hidden, Opened, Standing, Store, Upload};
use crate::error::Result;
use crate::repository::BackupId;
use client::{AT_ONCE, Client};
use futures::{StreamExt as _, TryStreamExt as _};
use std::sync::Arc;
use std::time::Duration;
use worker::Worker;

/// What a remote store is asked for, and how patiently.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Terms {
    /// How often something is tried before it has failed.
    pub(crate) attempts: u32,
    /// The pause after the first try; each further one is twice as long.
    pub(crate) first_pause: Duration,
    /// The size of the parts of an upload, but the last. An upload has at most 10,000.
    pub(crate) part_bytes: usize,
    /// How often a writer says that it lives.
    pub(crate) renew_every: Duration,
    /// How long a writer that says nothing is taken to live, by the server's clock.
    pub(crate) expires_after: Duration,
}

impl Default for Terms {
    fn default() -> Self {
        Self {
            attempts: 4,
            first_pause: Duration::from_millis(300),
            part_bytes: 8 << 20,
            renew_every: Duration::from_secs(60),
            expires_after: Duration::from_secs(15 * 60),
        }
    }
}

/// A repository in an object store.
#[derive(Debug)]
pub(in crate::repository) struct Remote {
    client: Arc<Client>,
    worker: Arc<Worker>,
}

impl Remote {
    /// A place in a store. `place` is what people are told.
    pub(in crate::repository) fn new(
        backend: Arc<dyn Backend>,
        prefix: &str,
        place: String,
        terms: Terms,
    ) -> Result<Self> {
        let client = Client::new(backend, prefix, place, terms);
        client.path("opskit")?;
        Ok(Self {
            client: Arc::new(client),
            worker: Arc::new(Worker::start()?),
        })
    }

    /// Does what `work` makes of the client, and waits for it.
    fn wait<T, F>(&self, work: impl FnOnce(Arc<Client>) -> F) -> Result<T>
    where
        T: Send + 'static,
        F: Future<Output = Result<T>> + Send + 'static,
    {
        self.worker.wait(work(Arc::clone(&self.client)))
    }
}

impl Store for Remote {
    fn place(&self) -> &str {
        &self.client.place
    }

    fn read(&self, name: &str, bytes_max: u64) -> Result<Vec<u8>> {
        let name = name.to_owned();
        self.wait(|client| async move { Ok(client.read(&name, bytes_max).await?.to_vec()) })
    }

    fn open(&self, name: &str, bytes: u64) -> Result<Opened> {
        download::download(&self.client, &self.worker, name, bytes)
    }

    fn size(&self, name: &str) -> Result<u64> {
        let name = name.to_owned();
        self.wait(|client| async move { Ok(client.head(&name).await?.size) })
    }

    fn taken(&self, names: &[String]) -> Result<Vec<bool>> {
        let names = names.to_vec();
        self.wait(|client| async move {
            let look = |name: String| {
                let client = Arc::clone(&client);
                async move { client.has(&name).await }
            };
            let looking = futures::stream::iter(names).map(look).buffered(AT_ONCE);
            looking.try_collect().await
        })
    }

    fn entries(&self, folder: &str) -> Result<Vec<String>> {
        let folder = folder.to_owned();
        self.wait(|client| async move { client.entries(&folder).await })
    }

    fn objects(&self, folder: &str) -> Result<Vec<String>> {
        let folder = folder.to_owned();
        self.wait(|client| async move {
            let listed = client.list(&folder).await?.into_iter();
            let above = match folder.is_empty() {
                true => folder,
                false => format!("{folder}/"),
            };
            let below = |name: String| name.strip_prefix(&above).map(str::to_owned);
            Ok(listed.filter_map(|listed| below(listed.name)).collect())
        })
    }

    fn create(&self, name: &str, bytes: &[u8]) -> Result<()> {
        let (name, bytes) = (name.to_owned(), bytes.to_vec().into());
        self.wait(|client| async move { client.create(&name, bytes).await })
    }

    fn upload(&self, name: &str) -> Result<Box<dyn Upload>> {
        Ok(Box::new(upload::Uploading::new(
            &self.client,
            &self.worker,
            name,
        )))
    }

    fn upload_bytes(&self) -> usize {
        (upload::IN_FLIGHT + 1) * self.client.terms.part_bytes
    }

    fn remove(&self, name: &str) -> Result<()> {
        let name = name.to_owned();
        self.wait(|client| async move { client.remove(&name).await })
    }

    fn claim(&self, id: &BackupId) -> Result<Box<dyn Claim>> {
        let leased = lease::Leased::take(&self.client, &self.worker, id)?;
        Ok(Box::new(leased))
    }

    fn standing(&self, id: &BackupId) -> Result<Standing> {
        let id = id.clone();
        self.wait(|client| async move { sweep::standing(&client, &id).await })
    }

    fn hide(&self, id: &BackupId) -> Result<Box<dyn Hidden>> {
        removal::hide(&self.client, &self.worker, id)
    }

    fn sweep(&self, id: &BackupId) -> Result<bool> {
        let id = id.clone();
        self.wait(|client| async move { sweep::sweep(&client, &id).await })
    }

    fn warning(&self) -> Option<String> {
        let keeps_to_conditions = self.client.conditional.get();
        (keeps_to_conditions == Some(&false)).then(|| {
            format!(
                "the server of \"{}\" ignores conditional requests: that two writers meet is noticed by their leases and by reading again what was written, not prevented by the server",
                self.client.place
            )
        })
    }

    fn settle(&self) -> Result<()> {
        self.worker.settle()
    }
}

#[cfg(test)]
mod tests;
