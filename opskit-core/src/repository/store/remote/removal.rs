//! Removing a backup: a claim as a sweep puts it, then the manifest goes, then all else, the claim last.

use super::super::{Hidden, removed_elsewhere};
use super::client::Client;
use super::lease::is_of_sweep;
use super::sweep::{claim_name, has_manifest, is_over};
use super::worker::Worker;
use crate::error::Result;
use crate::repository::BackupId;
use crate::repository::layout::{BACKUPS, MANIFEST};
use bytes::Bytes;
use std::sync::Arc;

#[derive(Debug)]
struct Claimed {
    client: Arc<Client>,
    worker: Arc<Worker>,
    folder: String,
}

pub(super) fn hide(
    client: &Arc<Client>,
    worker: &Arc<Worker>,
    id: &BackupId,
) -> Result<Box<dyn Hidden>> {
    let folder = format!("{BACKUPS}/{id}");
    let (asked, id, hidden) = (Arc::clone(client), id.clone(), folder.clone());
    worker.wait(async move { take_out_of_sight(&asked, &id, &hidden).await })?;
    Ok(Box::new(Claimed {
        client: Arc::clone(client),
        worker: Arc::clone(worker),
        folder,
    }))
}

/// Whoever puts first and looks afterwards cannot miss another who does the same.
async fn take_out_of_sight(client: &Client, id: &BackupId, folder: &str) -> Result<()> {
    let claim = claim_name(folder);
    client.put(&claim, Bytes::from_static(b"{}")).await?;
    match is_free(client, folder, &claim).await {
        Ok(true) => client.remove(&format!("{folder}/{MANIFEST}")).await,
        looked => {
            // The backup stays as it is.
            let _ = client.remove(&claim).await;
            looked.and_then(|_| Err(removed_elsewhere(id)))
        }
    }
}

/// Whether the backup is there and nobody else removes it.
async fn is_free(client: &Client, folder: &str, claim: &str) -> Result<bool> {
    let there = client.list(folder).await?;
    let others = there
        .iter()
        .filter(|it| is_of_sweep(&it.name) && it.name != claim);
    let others = others.map(|it| it.modified).max();
    Ok(has_manifest(&there, folder)
        && match others {
            Some(last) => is_over(client, last).await?,
            None => true,
        })
}

impl Hidden for Claimed {
    fn clear(self: Box<Self>) -> Result<()> {
        let (client, folder) = (Arc::clone(&self.client), self.folder);
        self.worker.wait(async move { client.clear(&folder).await })
    }
}
