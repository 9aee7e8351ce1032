//! From what was typed to what the library is asked for.

use crate::args::ExportArgs;
use crate::exit::usage_error;
use crate::limits::Limits;
use opskit_core::Error;
use opskit_core::postgres::export::ExportRequest;

impl ExportArgs {
    /// The request that was typed, checked.
    pub(crate) fn request(&self, limits: &Limits) -> Result<ExportRequest, Error> {
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
        let queue_bytes = limits.share_of_memory(request.queue_bytes);
        let mut request = request
            .with_jobs(usize::from(limits.jobs))
            .with_part_bytes(limits.part_size)
            .with_exactness(self.exactness.into())
            .with_lock_timeout(limits.lock_timeout)
            .with_batch(rows, limits.share_of_memory(bytes));
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
