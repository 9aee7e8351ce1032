//! What to export, and how.

use crate::catalog::Pattern;
use crate::export::plan::DEFAULT_PART_BYTES;
use crate::export::{DecodeOptions, Exactness};
use std::time::Duration;

/// What to read.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Selection {
    /// Tables by pattern. A partitioned table stands for its partitions; a table that others inherit
    /// from stands for itself only.
    Tables(Vec<Pattern>),
    /// The rows of one query, which may only read.
    Query(String),
}

impl Selection {
    /// The query, without what may stand behind it.
    pub(super) fn query(&self) -> Option<&str> {
        match self {
            Self::Query(sql) => Some(sql.trim().trim_end_matches(';')),
            Self::Tables(_) => None,
        }
    }

    /// The statement that runs the query for no rows.
    pub(super) fn describe(&self) -> Option<String> {
        // The line break ends a comment at the end of the query.
        self.query()
            .map(|sql| format!("SELECT * FROM ({sql}\n) AS q LIMIT 0"))
    }
}

/// An export: what to read and how gently.
///
/// ```
/// use opskit_core::postgres::export::ExportRequest;
/// let request = ExportRequest::tables(["public.*"])?.with_jobs(4);
/// assert_eq!(request.jobs, 4);
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ExportRequest {
    /// What to read.
    pub selection: Selection,
    /// Connections that read at the same time, besides the leader's. Default 2.
    pub jobs: usize,
    /// Size of a part on the server's disk, about. Default 128 MiB.
    pub part_bytes: u64,
    /// Whether a table may be cut into parts at all. Sinks with one output cannot take several.
    pub single_part: bool,
    /// What becomes of values without a standard form.
    pub exactness: Exactness,
    /// How long to wait for the lock on a table. Default 10 seconds.
    pub lock_timeout: Duration,
    /// Received bytes that wait to be decoded, per worker. Default 4 MiB.
    pub queue_bytes: usize,
    /// Rows and received bytes per batch. Default 65,536 rows, 2 MiB.
    pub batch: (usize, usize),
    /// How often a part is tried again after its connection was lost. Default 3.
    pub retries: u32,
}

impl ExportRequest {
    /// An export of the tables that these patterns match.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`](crate::ErrorKind::InvalidInput) for a malformed pattern.
    pub fn tables<S: AsRef<str>>(patterns: impl IntoIterator<Item = S>) -> crate::Result<Self> {
        let patterns: crate::Result<Vec<Pattern>> = patterns
            .into_iter()
            .map(|pattern| Pattern::parse(pattern.as_ref()))
            .collect();
        Ok(Self::new(Selection::Tables(patterns?)))
    }

    /// An export of the rows of a query.
    pub fn query(sql: impl Into<String>) -> Self {
        Self::new(Selection::Query(sql.into()))
    }

    /// Reading whatever a plan of the library's own says.
    pub(crate) fn all() -> Self {
        Self::new(Selection::Tables(Vec::new()))
    }

    fn new(selection: Selection) -> Self {
        let decode = DecodeOptions::default();
        Self {
            selection,
            jobs: 2,
            part_bytes: DEFAULT_PART_BYTES,
            single_part: false,
            exactness: Exactness::Exact,
            lock_timeout: Duration::from_secs(10),
            queue_bytes: 4 << 20,
            batch: (decode.batch_rows, decode.batch_bytes),
            retries: 3,
        }
    }

    /// Sets how many connections read at the same time; at least one.
    #[must_use]
    pub fn with_jobs(mut self, jobs: usize) -> Self {
        self.jobs = jobs.max(1);
        self
    }

    /// Sets the size of a part on the server's disk.
    #[must_use]
    pub fn with_part_bytes(mut self, bytes: u64) -> Self {
        self.part_bytes = bytes.max(1);
        self
    }

    /// Reads each table as one part, whatever its size.
    #[must_use]
    pub fn with_single_part(mut self) -> Self {
        self.single_part = true;
        self
    }

    /// Sets what becomes of values without a standard form.
    #[must_use]
    pub fn with_exactness(mut self, exactness: Exactness) -> Self {
        self.exactness = exactness;
        self
    }

    /// Sets how long to wait for the lock on a table.
    #[must_use]
    pub fn with_lock_timeout(mut self, timeout: Duration) -> Self {
        self.lock_timeout = timeout;
        self
    }

    /// Sets the bounds of a batch.
    #[must_use]
    pub fn with_batch(mut self, rows: usize, bytes: usize) -> Self {
        self.batch = (rows, bytes);
        self
    }

    pub(super) fn decode_options(&self) -> DecodeOptions {
        DecodeOptions::default()
            .with_batch(self.batch.0, self.batch.1)
            .with_exactness(self.exactness)
    }
}
