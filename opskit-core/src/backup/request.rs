//! What to back up, and how gently.

use crate::catalog::{Pattern, Scope};
use crate::error::Result;
use crate::export::Exactness;
use crate::export::parquet::ParquetOptions;
use crate::hook::Hooks;
use crate::postgres::export::ExportRequest;
use crate::repository::{BackupType, DataFormat, GitState, Selection};
use crate::sink::FileFormat;
use std::collections::BTreeMap;
use std::time::Duration;

/// The memory of a job with buffers of the usual sizes.
const JOB_BYTES: u64 = 128 << 20;
/// The least with which a job can work.
const JOB_BYTES_MIN: u64 = 16 << 20;

/// Row groups that are smaller pack badly.
const ROW_GROUP_BYTES_MIN: usize = 8 << 20;

/// A backup: what it is to hold and how gently it is read.
///
/// ```
/// use opskit_core::backup::BackupRequest;
/// let request = BackupRequest::new().excluding(["audit.*"])?.with_jobs(4);
/// assert_eq!(request.jobs(), 4);
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct BackupRequest {
    /// What it is to hold.
    pub backup_type: BackupType,
    /// Tables whose rows are wanted. All, where there is none.
    pub only: Vec<Pattern>,
    /// Tables whose rows are not wanted.
    pub exclude: Vec<Pattern>,
    /// Whether large objects are left out.
    pub exclude_large_objects: bool,
    /// Whether the rows were chosen for this run, as [`Self::only`] and [`Self::excluding`] say. Such a
    /// backup is not the one that a schedule waits for. Patterns that are added to `exclude` for each run of
    /// a target leave this as it is.
    pub selection: Selection,
    /// What belongs to the user.
    pub scope: Scope,
    /// The form of the data objects.
    pub format: DataFormat,
    /// What the user writes on it.
    pub tags: BTreeMap<String, String>,
    /// Objects that cannot be carried and may be missing, by the names that the plan tells.
    pub accept_losses: Vec<String>,
    /// What git says of the directory that the run is started in.
    pub git: Option<GitState>,
    /// The name that the user has for the database. It goes into the record of the run.
    pub target: Option<String>,
    /// Who is told how the run ended. They get its record; one that fails is a warning.
    pub hooks: Hooks,
    /// Settings that it shares with exports.
    pub(super) reading: ExportRequest,
    parquet: ParquetOptions,
    pub(super) zstd_level: i32,
}

impl Default for BackupRequest {
    fn default() -> Self {
        Self::new()
    }
}

impl BackupRequest {
    /// A backup of everything that belongs to the user.
    ///
    /// ```
    /// let request = opskit_core::backup::BackupRequest::new();
    /// assert!(request.only.is_empty() && request.exclude.is_empty());
    /// ```
    #[must_use]
    pub fn new() -> Self {
        Self {
            backup_type: BackupType::Full,
            only: Vec::new(),
            exclude: Vec::new(),
            exclude_large_objects: false,
            selection: Selection::All,
            scope: Scope::default(),
            format: DataFormat::Parquet,
            tags: BTreeMap::new(),
            accept_losses: Vec::new(),
            git: None,
            target: None,
            hooks: Hooks::default(),
            reading: ExportRequest::all(),
            parquet: ParquetOptions::default().with_exactness(Exactness::Exact),
            zstd_level: 1,
        }
    }

    /// Stores the rows of the tables that match, and of no others. Each pattern must match. A partitioned table
    /// stands for its partitions, a table for the sequences of its columns. Definitions are stored of everything all the same, so that any table can be restored
    /// with what it needs.
    ///
    /// ```
    /// # use opskit_core::backup::BackupRequest;
    /// let request = BackupRequest::new().only(["public.orders", "audit.*"])?;
    /// assert_eq!(request.only.len(), 2);
    /// assert!(BackupRequest::new().only(["a.b.c"]).is_err());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed pattern.
    pub fn only<S: AsRef<str>>(mut self, patterns: impl IntoIterator<Item = S>) -> Result<Self> {
        self.only = parse(patterns)?;
        if !self.only.is_empty() {
            self.selection = Selection::Some;
        }
        Ok(self)
    }

    /// Stores no rows of the tables that match, and no values of their sequences, nor of sequences that match.
    ///
    /// ```
    /// # use opskit_core::backup::BackupRequest;
    /// let request = BackupRequest::new().excluding(["audit.*"])?;
    /// assert_eq!(request.exclude[0].to_string(), "audit.*");
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed pattern.
    pub fn excluding<S: AsRef<str>>(
        mut self,
        patterns: impl IntoIterator<Item = S>,
    ) -> Result<Self> {
        self.exclude = parse(patterns)?;
        if !self.exclude.is_empty() {
            self.selection = Selection::Some;
        }
        Ok(self)
    }

    /// Stores no large objects, which the role may not read or which are not wanted.
    ///
    /// ```
    /// # use opskit_core::backup::BackupRequest;
    /// assert!(BackupRequest::new().without_large_objects().exclude_large_objects);
    /// ```
    #[must_use]
    pub fn without_large_objects(mut self) -> Self {
        self.exclude_large_objects = true;
        self
    }

    /// Stores definitions and no rows.
    ///
    /// ```
    /// use opskit_core::{backup::BackupRequest, repository::BackupType};
    /// assert_eq!(BackupRequest::new().schema_only().backup_type, BackupType::Schema);
    /// ```
    #[must_use]
    pub fn schema_only(mut self) -> Self {
        self.backup_type = BackupType::Schema;
        self
    }

    /// Says who is told how the run ended.
    ///
    /// ```
    /// use opskit_core::{backup::BackupRequest, hook::{Hook, Hooks}};
    /// let mut hooks = Hooks::default();
    /// hooks.on_failure = Some(Hook::Command(vec!["notify".into(), "ops".into()]));
    /// let request = BackupRequest::new().with_hooks(hooks);
    /// assert!(request.hooks.on_success.is_none());
    /// ```
    #[must_use]
    pub fn with_hooks(mut self, hooks: Hooks) -> Self {
        self.hooks = hooks;
        self
    }

    /// Says by which name the user knows the database.
    ///
    /// ```
    /// # use opskit_core::backup::BackupRequest;
    /// let request = BackupRequest::new().with_target("shop");
    /// assert_eq!(request.target.as_deref(), Some("shop"));
    /// ```
    #[must_use]
    pub fn with_target(mut self, name: impl Into<String>) -> Self {
        self.target = Some(name.into());
        self
    }

    /// Sets the form of the data objects.
    ///
    /// ```
    /// use opskit_core::{backup::BackupRequest, repository::DataFormat};
    /// assert_eq!(BackupRequest::new().with_format(DataFormat::Pgcopy).format, DataFormat::Pgcopy);
    /// ```
    #[must_use]
    pub fn with_format(mut self, format: DataFormat) -> Self {
        self.format = format;
        self
    }

    /// Sets how many connections read at the same time; at least one.
    ///
    /// ```
    /// # use opskit_core::backup::BackupRequest;
    /// assert_eq!(BackupRequest::new().with_jobs(0).jobs(), 1);
    /// ```
    #[must_use]
    pub fn with_jobs(mut self, jobs: usize) -> Self {
        self.reading = self.reading.with_jobs(jobs);
        self
    }

    /// How many connections read at the same time.
    #[must_use]
    pub fn jobs(&self) -> usize {
        self.reading.jobs
    }

    /// Sets the size of a part on the server's disk.
    #[must_use]
    pub fn with_part_bytes(mut self, bytes: u64) -> Self {
        self.reading = self.reading.with_part_bytes(bytes);
        self
    }

    /// Sets how long to wait for the lock on a table, and for another backup or migration to end.
    #[must_use]
    pub fn with_lock_timeout(mut self, timeout: Duration) -> Self {
        self.reading = self.reading.with_lock_timeout(timeout);
        self
    }

    /// Sets the level of the Zstandard compression; 0 for none.
    #[must_use]
    pub fn with_zstd_level(mut self, level: i32) -> Self {
        self.zstd_level = level;
        self.parquet = self.parquet.with_zstd_level(level);
        self
    }

    /// Bounds the memory for buffers, shared evenly by the jobs. Values larger than that come on top.
    ///
    /// ```
    /// # use opskit_core::backup::BackupRequest;
    /// let request = BackupRequest::new().with_jobs(4).with_memory(512 << 20);
    /// assert_eq!(request.jobs(), 4);
    /// ```
    #[must_use]
    pub fn with_memory(mut self, bytes: u64) -> Self {
        let job = (bytes / self.jobs() as u64).clamp(JOB_BYTES_MIN, JOB_BYTES);
        let share =
            |default: usize| (default as u128 * u128::from(job) / u128::from(JOB_BYTES)) as usize;
        let defaults = ExportRequest::all();
        self.reading.queue_bytes = share(defaults.queue_bytes);
        self.reading.batch = (defaults.batch.0, share(defaults.batch.1));
        let row_group = share(ParquetOptions::default().row_group_bytes);
        self.parquet = self.parquet.with_row_group_bytes(row_group);
        self
    }

    /// What the sink writes, where each file that is written takes this much memory on its way. It is taken
    /// from the rows that are gathered before they are encoded.
    pub(super) fn file_format(&self, upload_bytes: usize) -> FileFormat {
        let bytes = self.parquet.row_group_bytes.saturating_sub(upload_bytes);
        let bytes = bytes.max(ROW_GROUP_BYTES_MIN.min(self.parquet.row_group_bytes));
        match self.format {
            DataFormat::Parquet => FileFormat::Parquet(self.parquet.with_row_group_bytes(bytes)),
            // A reader tells by the name whether it is compressed.
            DataFormat::Pgcopy => FileFormat::PgCopy(self.zstd_level.max(1)),
        }
    }
}

fn parse<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> Result<Vec<Pattern>> {
    let patterns = patterns.into_iter();
    patterns
        .map(|pattern| Pattern::parse(pattern.as_ref()))
        .collect()
}
