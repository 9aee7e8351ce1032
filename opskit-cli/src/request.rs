//! From what was typed to what the library is asked for.

use crate::args::ExportArgs;
use crate::exit::usage_error;
use opskit_core::Error;
use opskit_core::postgres::export::ExportRequest;

/// The memory of a job with the library's own sizes of buffers.
const JOB_BYTES: u64 = 128 << 20;
/// The least with which a job can work.
const JOB_BYTES_MIN: u64 = 16 << 20;

impl ExportArgs {
    /// A buffer's share of `--memory`, where the library would take `default`.
    pub(crate) fn share_of_memory(&self, default: usize) -> usize {
        let job = (self.memory / u64::from(self.jobs)).min(JOB_BYTES);
        (default as u128 * u128::from(job) / u128::from(JOB_BYTES)) as usize
    }

    /// The request that was typed, checked.
    pub(crate) fn request(&self) -> Result<ExportRequest, Error> {
        if self.memory / u64::from(self.jobs) < JOB_BYTES_MIN {
            return Err(usage_error(
                "--memory is too small for so many jobs",
                "Each job needs 16MiB at least: give more memory or fewer --jobs.",
            ));
        }
        // Errors quote patterns, and this one may hold a password.
        if self.tables.iter().any(|table| looks_like_a_database(table)) {
            return Err(usage_error(
                "a URL stands where a table is expected",
                "Name the database by DATABASE_URL or --db.",
            ));
        }
        let request = match &self.query {
            Some(sql) => ExportRequest::query(sql),
            None => ExportRequest::tables(&self.tables)?,
        };
        let (rows, bytes) = request.batch;
        let queue_bytes = self.share_of_memory(request.queue_bytes);
        let mut request = request
            .with_jobs(usize::from(self.jobs))
            .with_part_bytes(self.part_size)
            .with_exactness(self.exactness.into())
            .with_lock_timeout(self.lock_timeout)
            .with_batch(rows, self.share_of_memory(bytes));
        request.queue_bytes = queue_bytes;
        Ok(request)
    }
}

fn looks_like_a_database(pattern: &str) -> bool {
    let text: String = pattern.split_whitespace().collect();
    let text = text.to_ascii_lowercase();
    ["://", "password=", "postgres:", "postgresql:"]
        .iter()
        .any(|sign| text.contains(sign))
}
