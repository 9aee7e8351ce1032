//! What is done around the migrations of a run, so that there is a way back.

use super::files::Migration;
use super::status::OnGap;
use super::suite::Suite;
use crate::backup::{BackupRequest, backup};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::hook::Hook;
use crate::postgres::url::DatabaseUrl;
use crate::repository::{BackupId, Repository, VerifyLevel};
use serde::Serialize;

/// The tag of a backup that says which migration it was taken before or after.
pub const VERSION_TAG: &str = "migration_version";
/// The tag that says on which side of it.
pub const SIDE_TAG: &str = "migration_side";

/// What a run does besides migrating.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Safety {
    /// Take a backup first, and read it back. Without one, nothing that was committed can be taken back but by scripts.
    pub backup: Option<BackupFirst>,
    /// How large the server's disk is, in bytes: a run whose tables, written anew, would not fit beside the old ones is
    /// refused. Servers do not tell.
    pub disk: Option<u64>,
    /// Tests that must hold afterwards. They run before as well, to tell what the migrations changed.
    pub suites: Vec<Suite>,
    /// What to do when somebody changed the schema since the last run.
    pub drift: OnGap,
    /// Whether whoever writes to the database was stopped for this run.
    pub writers: Writers,
    /// How to go back to the backup.
    pub way_back: WayBack,
    /// Called before the backup: to stop whoever writes. One that fails stops the run; one that succeeds stands for
    /// [`Writers::Stopped`].
    pub before: Option<Hook>,
    /// Called at the end, however the run ended, and where `before` failed too: to let writers in again.
    pub after: Option<Hook>,
}

/// How to go back to a backup when tests fail.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum WayBack {
    /// Over what is there, in one transaction: where a database cannot be renamed.
    #[default]
    InPlace,
    /// Into a new database, which then takes the name; the migrated one stays under another.
    Swap,
}

/// Whether whoever writes to the database was stopped for a run. Only then what a backup has not may be discarded
/// without asking.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Writers {
    /// They may be writing.
    #[default]
    Running,
    /// Somebody stopped them. The run looks whether that is so.
    Stopped,
}

/// A backup around a run.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackupFirst {
    /// Where to.
    pub repository: Repository,
    /// What of.
    pub request: BackupRequest,
    /// Whether to take one more after a run that went well.
    pub after: After,
}

/// Whether a run that went well ends with a backup.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum After {
    /// It does not.
    #[default]
    Nothing,
    /// It does.
    Backup,
}

impl BackupFirst {
    /// A backup of the whole database before the run, into `repository`.
    #[must_use]
    pub fn new(repository: Repository, request: BackupRequest) -> Self {
        Self {
            repository,
            request,
            after: After::default(),
        }
    }
}

/// A backup that a run took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct BackupTaken {
    /// Which.
    pub id: BackupId,
    /// Where: the path or the URL of the repository.
    pub repository: String,
    /// How far it was read back: every digest, or every row.
    pub verified: VerifyLevel,
    /// How long taking and reading it took, in milliseconds.
    pub elapsed_ms: u64,
}

/// Takes a backup and reads it back. One that cannot be read is no backup.
pub(super) async fn take_backup(
    ctx: &OpContext,
    url: &DatabaseUrl,
    first: &BackupFirst,
    last: &Migration,
    side: &str,
) -> Result<BackupTaken> {
    let begun = std::time::Instant::now();
    let mut request = first.request.clone();
    request
        .tags
        .insert(VERSION_TAG.to_owned(), last.id.to_string());
    request.tags.insert(SIDE_TAG.to_owned(), side.to_owned());
    let report = Box::pin(backup(ctx, url, &first.repository, request)).await?;
    for warning in &report.warnings {
        ctx.emit(Event::Warning {
            message: warning.clone(),
        });
    }
    let verified = read_back(ctx, &first.repository, &report.id).await?;
    Ok(BackupTaken {
        id: report.id,
        repository: first.repository.place().to_owned(),
        verified,
        elapsed_ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX),
    })
}

/// Every row where a key is at hand, every digest in any case.
async fn read_back(ctx: &OpContext, repository: &Repository, id: &BackupId) -> Result<VerifyLevel> {
    let (ctx, repository, id) = (ctx.clone(), repository.clone(), id.clone());
    let work = move || {
        let look = |level| repository.verify(&ctx, &id, level);
        let hashes = look(VerifyLevel::Hash)?;
        let (level, report) = match look(VerifyLevel::Decode) {
            Ok(report) => (VerifyLevel::Decode, report),
            Err(error) if error.kind() == ErrorKind::Cancelled => return Err(error),
            Err(_) => (VerifyLevel::Hash, hashes),
        };
        match report.faults.first() {
            None => Ok(level),
            Some(fault) => Err(Error::new(
                ErrorKind::Damaged,
                format!(
                    "the backup before the migration cannot be read back: {}: {}",
                    fault.object, fault.problem
                ),
            )
            .with_hint(
                "Nothing was migrated. Look at the repository's disk or bucket, then try again.",
            )),
        }
    };
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|source| {
        Error::new(ErrorKind::Internal, "the verification stopped").with_source(source)
    })?
}

/// What a hook around a run is told.
#[derive(Debug, Serialize)]
struct HookDocument<'a> {
    schema: &'static str,
    event: &'static str,
    database: &'a str,
    migrations: Vec<String>,
}

/// Calls a hook around a run; whether there is one.
pub(super) async fn call(
    hook: Option<&Hook>,
    event: &'static str,
    database: &str,
    files: &[&Migration],
) -> Result<bool> {
    let Some(hook) = hook else {
        return Ok(false);
    };
    let document = HookDocument {
        schema: "opskit.migrate-hook/1",
        event,
        database,
        migrations: files.iter().map(|file| file.id.to_string()).collect(),
    };
    let bytes = serde_json::to_vec(&document).map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot write the document of a hook").with_source(source)
    })?;
    let called = hook.call(&bytes).await;
    called.map_err(|error| error.while_doing(format!("the hook {event} the migrations failed")))?;
    Ok(true)
}
