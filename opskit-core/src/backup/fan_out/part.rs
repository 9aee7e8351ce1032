//! One part, as it is given to whoever reads it.

use super::receipt::{FanOutReceipt, RECEIPT_VERSION};
use crate::backup::BackupRequest;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result, unreadable_json};
use crate::export::plan::Part;
use crate::name::QualifiedName;
use crate::pgtype::RowType;
use crate::postgres::export::{Meeting, TablePlan, read_elsewhere};
use crate::postgres::url::DatabaseUrl;
use crate::repository::{BackupId, DataFormat, Encryption, Repository, RepositorySink, apart};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The version of the form of parts.
const PART_VERSION: u32 = 1;

/// A part of a backup that is to be read: what, in which snapshot of which server, and how it is stored.
///
/// It is plain data, by way of JSON to wherever it is read. It holds no URL and no password. It says what is asked of the
/// server, in a transaction that only reads: take parts from those whom you would let do that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct FanOutPart {
    /// The version of this form.
    pub version: u32,
    /// The backup that it is a part of.
    pub backup: BackupId,
    /// The identity of the repository.
    pub repository: String,
    /// The table.
    pub table: QualifiedName,
    /// Into how many parts the table is cut.
    pub parts: u32,
    /// Its number, and the blocks that it covers.
    pub part: Part,
    /// The columns.
    pub row_type: Arc<RowType>,
    /// What is read where that is not a range of a table: rows of an extension, large objects.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    meeting: Meeting,
    encryption: Option<Encryption>,
    format: DataFormat,
    zstd_level: i32,
    lock_timeout_ms: u64,
}

/// What all parts of a plan share.
pub(super) struct Common<'a> {
    pub(super) backup: &'a BackupId,
    pub(super) repository: &'a Repository,
    pub(super) request: &'a BackupRequest,
    pub(super) meeting: &'a Meeting,
    pub(super) encryption: Option<&'a Encryption>,
}

impl Common<'_> {
    /// The parts of a table.
    pub(super) fn parts_of(&self, table: &TablePlan) -> Vec<FanOutPart> {
        let part = |part: &Part| FanOutPart {
            version: PART_VERSION,
            backup: self.backup.clone(),
            repository: self.repository.id().to_owned(),
            table: table.name.clone(),
            parts: table.parts.len() as u32,
            part: part.clone(),
            row_type: Arc::clone(&table.row_type),
            query: table.query_of(part).map(str::to_owned),
            meeting: self.meeting.clone(),
            encryption: self.encryption.cloned(),
            format: self.request.format,
            zstd_level: self.request.zstd_level,
            lock_timeout_ms: self.request.reading.lock_timeout.as_millis() as u64,
        };
        table.parts.iter().map(part).collect()
    }
}

impl FanOutPart {
    /// Reads what this is as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for what is no part, [`ErrorKind::Unsupported`] for one of another version of opskit.
    pub fn parse(json: &[u8]) -> Result<Self> {
        check_version(json, PART_VERSION, "the part")?;
        parse(json, "this is no part of a plan")
    }

    pub(super) fn is_of_snapshot(&self, snapshot: &str) -> bool {
        self.meeting.snapshot == snapshot
    }

    fn table_plan(&self) -> TablePlan {
        TablePlan {
            name: self.table.clone(),
            row_type: Arc::clone(&self.row_type),
            parts: vec![self.part.clone()],
            query: self.query.clone(),
            part_queries: Vec::new(),
        }
    }

    fn request(&self) -> BackupRequest {
        BackupRequest::new()
            .with_format(self.format)
            .with_zstd_level(self.zstd_level)
            .with_lock_timeout(Duration::from_millis(self.lock_timeout_ms))
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
    let table = part.table_plan();
    let of = (&table, part.parts);
    let reading = read_elsewhere(ctx, url, &part.meeting, request.reading, of, sink);
    Ok(FanOutReceipt {
        version: RECEIPT_VERSION,
        backup: part.backup.clone(),
        snapshot: part.meeting.snapshot.clone(),
        table: part.table.clone(),
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
    serde_json::from_slice(json).map_err(|source| {
        let error = unreadable_json(or, &source);
        Error::new(ErrorKind::InvalidInput, or).with_source(error)
    })
}
