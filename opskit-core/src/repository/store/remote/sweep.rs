//! What writers left that are gone.

use super::client::{Client, Listed, modified};
use super::lease::is_of_sweep;
use super::upload::UploadRecord;
use crate::error::{Error, ErrorKind, Result};
use crate::name::random_hex;
use crate::repository::BackupId;
use crate::repository::layout::{BACKUPS, LEASES, MANIFEST, PROBE_PREFIX, UPLOADS};
use crate::repository::manifest::parse_json;
use crate::repository::store::Standing;
use bytes::Bytes;
use time::OffsetDateTime;

/// The largest record of an upload that is read.
const RECORD_BYTES_MAX: u64 = 64 << 10;

/// Removes what a writer left whose last lease has run out by the server's clock; tells whether it did.
pub(super) async fn sweep(client: &Client, id: &BackupId) -> Result<bool> {
    let folder = format!("{BACKUPS}/{id}");
    let there = client.list(&folder).await?;
    if has_manifest(&there, &folder) {
        let left = |listed: &Listed| {
            let name = listed.name.strip_prefix(&format!("{folder}/"));
            name.is_some_and(|name| name.starts_with(LEASES) || name.starts_with(UPLOADS))
        };
        let left = there.iter().filter(|listed| left(listed));
        // A claim may be that of a removal, which is about to take the manifest away.
        if let Some(last) = left.map(|listed| listed.modified).max()
            && is_over(client, last).await?
        {
            give_up_uploads(client, &there, &folder).await;
            client.remove_leases(&folder).await?;
        }
        return Ok(false);
    }
    let Some(last) = last_sign(&there).filter(|_| is_owned(&there, &folder)) else {
        return Ok(false);
    };
    if !is_over(client, last).await? {
        return Ok(false);
    }
    let claim = claim_name(&folder);
    client.put(&claim, Bytes::from_static(b"{}")).await?;
    // Whoever put something meanwhile lives, and sees the claim. A manifest is a backup.
    let again = client.list(&folder).await?;
    let others = || again.iter().filter(|listed| !is_of_sweep(&listed.name));
    let moved = others().map(|listed| listed.modified).max() > Some(last);
    if moved || has_manifest(&again, &folder) {
        client.remove(&claim).await?;
        return Ok(false);
    }
    give_up_uploads(client, &again, &folder).await;
    client.clear(&folder).await?;
    Ok(true)
}

/// What there is of a backup.
pub(super) async fn standing(client: &Client, id: &BackupId) -> Result<Standing> {
    let folder = format!("{BACKUPS}/{id}");
    let there = client.list(&folder).await?;
    if has_manifest(&there, &folder) {
        return Ok(Standing::Complete);
    }
    if !is_owned(&there, &folder) {
        return Ok(Standing::Unowned);
    }
    // A sweep or a removal that goes on counts here.
    let last = there.iter().map(|listed| listed.modified).max();
    if let Some(last) = last
        && !is_over(client, last).await?
    {
        return Ok(Standing::Busy);
    }
    let leases = format!("{folder}/{LEASES}");
    let objects = there.iter().filter(|it| !it.name.starts_with(&leases));
    Ok(Standing::Left {
        objects: objects.clone().count() as u64,
        bytes: objects.map(|it| it.bytes).sum(),
    })
}

/// A name for the claim of a sweep or a removal.
pub(super) fn claim_name(folder: &str) -> String {
    format!("{folder}/{LEASES}sweep-{}", random_hex())
}

/// Whether who gave this sign is gone by now.
pub(super) async fn is_over(client: &Client, last: OffsetDateTime) -> Result<bool> {
    Ok(server_time(client).await? - last >= client.terms.expires_after)
}

/// Whether a writer or a removal left a sign of itself. Each puts one first and takes it away last, so
/// objects without any are a backup whose manifest somebody took away.
fn is_owned(there: &[Listed], folder: &str) -> bool {
    let leases = format!("{folder}/{LEASES}");
    there.iter().any(|listed| listed.name.starts_with(&leases))
}

pub(super) fn has_manifest(there: &[Listed], folder: &str) -> bool {
    let manifest = format!("{folder}/{MANIFEST}");
    there.iter().any(|listed| listed.name == manifest)
}

/// When a writer was last seen: at its last lease, or where there is none, at its last object.
fn last_sign(there: &[Listed]) -> Option<OffsetDateTime> {
    let of_writer = there.iter().filter(|listed| !is_of_sweep(&listed.name));
    let last = of_writer.map(|listed| listed.modified).max();
    last.or_else(|| there.iter().map(|listed| listed.modified).max())
}

/// What the server's clock says: clocks of machines differ.
async fn server_time(client: &Client) -> Result<OffsetDateTime> {
    let name = format!("{PROBE_PREFIX}{}", random_hex());
    client.put(&name, Bytes::from_static(b"{}")).await?;
    let found = client.head(&name).await;
    let _ = client.remove(&name).await;
    found.map(|meta| modified(&meta))
}

/// Lets the store forget parts of uploads that nobody will complete; they cost money and no listing shows them.
async fn give_up_uploads(client: &Client, there: &[Listed], folder: &str) {
    let uploads = format!("{folder}/{UPLOADS}");
    let records = there
        .iter()
        .filter(|listed| listed.name.starts_with(&uploads));
    for Listed { name, .. } in records {
        if let Ok(upload) = read_record(client, name, folder).await {
            client.give_up(&upload).await;
        }
        let _ = client.remove(name).await;
    }
}

/// A record may be anybody's: it must be of an object of this backup.
async fn read_record(client: &Client, name: &str, folder: &str) -> Result<UploadRecord> {
    let text = client.read(name, RECORD_BYTES_MAX).await?;
    let upload: UploadRecord = parse_json(&text, name)?;
    match upload.name.starts_with(&format!("{folder}/")) {
        true => Ok(upload),
        false => Err(Error::new(
            ErrorKind::Damaged,
            format!("\"{name}\" is of another backup"),
        )),
    }
}
