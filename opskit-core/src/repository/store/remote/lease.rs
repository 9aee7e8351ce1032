//! Who writes a backup in a remote store: leases stand for them, a new object each time, so that nothing is ever
//! overwritten.
//!
//! A writer puts `lease/<number>-<token>` and then lists the folder: its last lease must be there, and nothing of
//! others. A sweep puts `lease/sweep-<token>`, then looks whether there is a new lease or a manifest, removes the
//! objects, the leases, and its claim last. The writer looks once more after it wrote the manifest. Whoever
//! puts first and looks afterwards cannot miss the other one, so a backup that is visible was not swept, whatever
//! the server makes of conditional requests. It only has to list what was put.

use super::client::Client;
use super::worker::Worker;
use crate::error::{Error, ErrorKind, Result};
use crate::name::random_hex;
use crate::repository::BackupId;
use crate::repository::layout::{BACKUPS, HEADER, LEASES, MANIFEST};
use crate::repository::store::Claim;
use bytes::Bytes;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Mutex;
use tokio::task::JoinHandle;

/// The largest header that is read.
const HEADER_BYTES_MAX: u64 = 64 << 10;

/// A backup that is being written; what there is of it goes away unless it was committed.
#[derive(Debug)]
pub(super) struct Leased {
    client: Arc<Client>,
    worker: Arc<Worker>,
    lease: Arc<Lease>,
    renewing: JoinHandle<()>,
    committed: AtomicBool,
}

/// The leases of one writer.
#[derive(Debug)]
struct Lease {
    /// The folder of the backup.
    folder: String,
    token: String,
    /// The number of the last one; 0 before the first.
    number: Mutex<u64>,
    lost: AtomicBool,
}

impl Lease {
    fn name(&self, number: u64) -> String {
        format!("{}/{LEASES}{number:08}-{}", self.folder, self.token)
    }

    fn is_ours(&self, name: &str) -> bool {
        name.ends_with(&format!("-{}", self.token)) && !is_of_sweep(name)
    }

    /// Puts the next one and looks whether anybody else has put something.
    async fn renew(&self, client: &Client) -> Result<()> {
        let mut number = self.number.lock().await;
        let next = *number + 1;
        client
            .put(&self.name(next), Bytes::from_static(b"{}"))
            .await?;
        let there = self.look(client, *number).await;
        if *number > 0 {
            // One too many says nothing wrong.
            let _ = client.remove(&self.name(*number)).await;
        }
        *number = next;
        there
    }

    /// Fails when somebody else has put something, or has taken the last one away: a sweep that is through
    /// leaves no claim.
    async fn look(&self, client: &Client, last: u64) -> Result<()> {
        let folder = format!("{}/{LEASES}", self.folder);
        let there = client.list(folder.trim_end_matches('/')).await?;
        let mut names = there.iter().map(|listed| &listed.name);
        let last = self.name(last.max(1));
        if names.clone().all(|name| self.is_ours(name)) && names.any(|name| *name == last) {
            return Ok(());
        }
        self.lost.store(true, Ordering::Release);
        Err(lost(&self.folder))
    }
}

impl Leased {
    pub(super) fn take(client: &Arc<Client>, worker: &Arc<Worker>, id: &BackupId) -> Result<Self> {
        let lease = Arc::new(Lease {
            folder: format!("{BACKUPS}/{id}"),
            token: random_hex(),
            number: Mutex::new(0),
            lost: AtomicBool::new(false),
        });
        let (asked, taken) = (Arc::clone(client), Arc::clone(&lease));
        worker.wait(async move {
            refuse_existing(&asked, &taken.folder).await?;
            // It is found out here whether the server keeps to conditions, before any row is read.
            asked.keeps_to_conditions().await?;
            let first = taken.renew(&asked).await;
            if first.is_err() {
                let _ = asked.remove(&taken.name(1)).await;
            }
            first
        })?;
        let (asked, renewed) = (Arc::clone(client), Arc::clone(&lease));
        let renewing = worker.handle().spawn(async move {
            while !renewed.lost.load(Ordering::Acquire) {
                tokio::time::sleep(asked.terms.renew_every).await;
                if let Err(error) = renewed.renew(&asked).await {
                    tracing::warn!(%error, "the lease of a backup could not be renewed");
                }
            }
        });
        Ok(Self {
            client: Arc::clone(client),
            worker: Arc::clone(worker),
            lease,
            renewing,
            committed: AtomicBool::new(false),
        })
    }
}

impl Claim for Leased {
    fn check(&self) -> Result<()> {
        match self.lease.lost.load(Ordering::Acquire) {
            true => Err(lost(&self.lease.folder)),
            false => Ok(()),
        }
    }

    fn commit(&self, manifest: &[u8]) -> Result<()> {
        let (client, lease) = (Arc::clone(&self.client), Arc::clone(&self.lease));
        let bytes = Bytes::from(manifest.to_vec());
        self.worker
            .wait(async move { commit(&client, &lease, bytes).await })?;
        self.committed.store(true, Ordering::Release);
        self.renewing.abort();
        let (client, folder) = (Arc::clone(&self.client), self.lease.folder.clone());
        self.worker.behind(async move {
            // Leases of a complete backup say nothing; a sweep removes them otherwise.
            let _ = client.remove_leases(&folder).await;
        });
        Ok(())
    }
}

async fn commit(client: &Client, lease: &Lease, manifest: Bytes) -> Result<()> {
    lease.renew(client).await?;
    // Where conditions are ignored, somebody may have made the repository anew.
    client.read(HEADER, HEADER_BYTES_MAX).await?;
    let name = format!("{}/{MANIFEST}", lease.folder);
    client.create(&name, manifest).await?;
    let last = *lease.number.lock().await;
    let looked = lease.look(client, last).await;
    if looked.is_err() {
        client.remove(&name).await?;
    }
    looked
}

impl Drop for Leased {
    fn drop(&mut self) {
        if self.committed.load(Ordering::Acquire) {
            return;
        }
        self.renewing.abort();
        let (client, folder) = (Arc::clone(&self.client), self.lease.folder.clone());
        self.worker.behind(async move {
            // What is left is swept by a later backup.
            if let Err(error) = client.clear(&folder).await {
                tracing::debug!(%error, "what was written of a backup could not be removed");
            }
        });
    }
}

impl Client {
    /// Removes a backup's objects: the manifest first, so that nobody sees half of it, the leases last, so that
    /// a sweep can take over.
    pub(super) async fn clear(&self, folder: &str) -> Result<()> {
        self.remove(&format!("{folder}/{MANIFEST}")).await?;
        let leases = format!("{folder}/{LEASES}");
        let there = self.list(folder).await?.into_iter();
        let names = there.map(|listed| listed.name);
        let (last, first) = names.partition::<Vec<String>, _>(|name| name.starts_with(&leases));
        self.remove_all(first).await?;
        let (claims, own) = last.into_iter().partition(|name| is_of_sweep(name));
        self.remove_all(own).await?;
        self.remove_all(claims).await
    }

    /// Removes the leases of a backup.
    pub(super) async fn remove_leases(&self, folder: &str) -> Result<()> {
        let leases = format!("{folder}/{LEASES}");
        let there = self.list(leases.trim_end_matches('/')).await?;
        let names = there.into_iter().map(|listed| listed.name);
        self.remove_all(names.collect()).await
    }
}

/// Whether a lease is a sweep's claim.
pub(super) fn is_of_sweep(name: &str) -> bool {
    let last = name.rsplit('/').next();
    last.is_some_and(|last| last.starts_with("sweep-"))
}

async fn refuse_existing(client: &Client, folder: &str) -> Result<()> {
    let there = client.list(folder).await?;
    if there.is_empty() {
        return Ok(());
    }
    let manifest = format!("{folder}/{MANIFEST}");
    if there.iter().any(|listed| listed.name == manifest) {
        return Err(super::conditional::exists(folder));
    }
    let minutes = client.terms.expires_after.as_secs() / 60;
    Err(Error::new(
        ErrorKind::Busy,
        format!("\"{folder}\" is being written, or was until a moment ago"),
    )
    .with_hint(format!(
        "What a run left that was killed is removed by a backup that starts {minutes} minutes later."
    )))
}

fn lost(folder: &str) -> Error {
    Error::new(
        ErrorKind::Busy,
        format!("\"{folder}\" was taken for abandoned by another run, or has another writer"),
    )
    .with_hint("Was this process suspended, or its network away? Run it again.")
}
