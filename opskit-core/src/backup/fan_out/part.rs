//! One part, as it is given to whoever reads it.

use super::receipt::{FanOutReceipt, RECEIPT_VERSION};
use crate::backup::BackupRequest;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result, unreadable_json};
use crate::postgres::export::PartTicket;
use crate::postgres::url::DatabaseUrl;
use crate::repository::{BackupId, DataFormat, Encryption, Repository, RepositorySink, apart};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The version of the form of parts.
const PART_VERSION: u32 = 1;

/// A part of a backup that is to be read: what, in which snapshot of which server, and how it is stored.
///
/// It is plain data, by way of JSON to wherever it is read. It holds no URL and no password.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FanOutPart {
    /// The version of this form.
    pub version: u32,
    /// The backup that it is a part of.
    pub backup: BackupId,
    /// The identity of the repository.
    pub repository: String,
    /// What is read.
    #[serde(flatten)]
    pub ticket: PartTicket,
    encryption: Option<Encryption>,
    format: DataFormat,
    zstd_level: i32,
}

/// What all parts of a plan share.
pub(super) struct Common<'a> {
    pub(super) backup: &'a BackupId,
    pub(super) repository: &'a Repository,
    pub(super) request: &'a BackupRequest,
    pub(super) encryption: Option<&'a Encryption>,
}

impl Common<'_> {
    pub(super) fn part(&self, ticket: PartTicket) -> FanOutPart {
        FanOutPart {
            version: PART_VERSION,
            backup: self.backup.clone(),
            repository: self.repository.id().to_owned(),
            ticket,
            encryption: self.encryption.cloned(),
            format: self.request.format,
            zstd_level: self.request.zstd_level,
        }
    }
}

impl FanOutPart {
    /// This as JSON.
    ///
    /// # Errors
    /// Of kind `Internal`, which nothing should bring about.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        serde_json::to_vec(self).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write a part").with_source(source)
        })
    }

    /// Reads what this is as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] for what is no part, [`ErrorKind::Unsupported`] for one of another version of opskit.
    pub fn parse(json: &[u8]) -> Result<Self> {
        check_version(json, PART_VERSION, "the part")?;
        parse(json, "this is no part of a plan")
    }

    fn request(&self) -> BackupRequest {
        BackupRequest::new()
            .with_format(self.format)
            .with_zstd_level(self.zstd_level)
    }
}

/// Reads a part of a plan that is open somewhere, and stores it in the plan's repository. It may be done again after
/// a failure, and by two at once; the plan takes one receipt.
///
/// It takes one connection, and up to 128 MiB for buffers.
///
/// ```no_run
/// use opskit_core::backup::fan_out::{FanOutPart, run_part};
/// use opskit_core::context::OpContext;
/// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
/// use opskit_core::repository::Repository;
/// # async fn example(json: &[u8]) -> opskit_core::Result<Vec<u8>> {
/// let part = FanOutPart::parse(json)?;
/// let url = DatabaseUrl::parse("postgres://app@db.example/shop", &ConnectEnv::from_process())?;
/// let repository = Repository::open("/mnt/backups")?;
/// let receipt = run_part(&OpContext::default(), &url, &repository, &part).await?;
/// receipt.to_json()
/// # }
/// ```
///
/// # Errors
/// [`ErrorKind::InvalidInput`] when the URL or the repository is another one than the plan's, [`ErrorKind::NotFound`]
/// when the plan is not open any more, `PermissionDenied` when the backup is sealed and no key at hand opens it, `Damaged`
/// when rows counted here and by the server differ, `Storage`, `Connection`, `Cancelled`.
pub async fn run_part(
    ctx: &OpContext,
    url: &DatabaseUrl,
    repository: &Repository,
    part: &FanOutPart,
) -> Result<FanOutReceipt> {
    if repository.id() != part.repository {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            format!(
                "the part is of another repository than \"{}\"",
                repository.place()
            ),
        )
        .with_hint("Every worker opens the repository that the plan was made for."));
    }
    let request = part.request();
    let format = request.file_format(repository.upload_bytes());
    let (place, id, encryption) = (
        repository.clone(),
        part.backup.clone(),
        part.encryption.clone(),
    );
    let joining = apart(move || RepositorySink::join(&place, &id, format, encryption));
    let sink = Arc::new(joining.await?);
    let reading = part.ticket.read(ctx, url, &request.reading, sink);
    Ok(FanOutReceipt {
        version: RECEIPT_VERSION,
        backup: part.backup.clone(),
        snapshot: part.ticket.snapshot().to_owned(),
        table: part.ticket.table.clone(),
        part: Box::pin(reading).await?,
    })
}

/// Refuses what another version of opskit wrote, before the rest is looked at.
pub(super) fn check_version(json: &[u8], version: u32, what: &str) -> Result<()> {
    #[derive(Deserialize)]
    struct Versioned {
        version: u32,
    }
    let there: Versioned = parse(json, &format!("{what} cannot be read"))?;
    if there.version == version {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::Unsupported,
        format!(
            "{what} has version {}, and this opskit knows {version}",
            there.version
        ),
    )
    .with_hint("Use one version of opskit for the plan and all workers."))
}

pub(super) fn parse<T: for<'de> Deserialize<'de>>(json: &[u8], or: &str) -> Result<T> {
    serde_json::from_slice(json).map_err(|source| unreadable_json(or, &source))
}
