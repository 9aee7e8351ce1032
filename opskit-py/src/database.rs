//! A database, and what is read from it.

use crate::error::or_raise;
use crate::operation::Operation;
use crate::options::{Seconds, parse};
use crate::stream;
use opskit_core::export::Exactness;
use opskit_core::postgres::export::ExportRequest;
use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
use opskit_core::postgres::wire::WireConnection;
use opskit_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use serde::Deserialize;

/// A database by its URL. It holds no connection.
#[pyclass(module = "opskit._opskit", frozen)]
pub(crate) struct Source(pub(crate) DatabaseUrl);

#[pymethods]
impl Source {
    /// Reads a URL; what it does not say, the `PG*` variables do.
    #[new]
    fn new(py: Python<'_>, url: &str) -> PyResult<Self> {
        let url = DatabaseUrl::parse(url, &ConnectEnv::from_process());
        Ok(Self(or_raise(py, url)?))
    }

    /// The database's name.
    #[getter]
    fn name(&self) -> &str {
        self.0.dbname()
    }

    /// The URL without its password.
    fn __str__(&self) -> String {
        self.0.to_string()
    }

    /// Connects, and gives the server's version as a number.
    fn check(&self, py: Python<'_>) -> PyResult<Operation> {
        let url = self.0.clone();
        Operation::start(py, move |ctx| async move {
            let connection = WireConnection::connect(&url, ctx.cancel()).await?;
            let version = connection.server_version_num();
            connection.close().await;
            Ok(version)
        })
    }

    /// Opens a stream.
    fn export(&self, py: Python<'_>, options: &str) -> PyResult<Operation> {
        let options: Result<ExportOptions> = parse(options);
        let request = or_raise(py, options.and_then(ExportOptions::request))?;
        let url = self.0.clone();
        Operation::start(py, move |ctx| stream::open(ctx, url, request))
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExportOptions {
    table: Option<String>,
    query: Option<String>,
    exactness: Option<Exactness>,
    jobs: Option<usize>,
    part_bytes: Option<u64>,
    batch_rows: Option<usize>,
    batch_bytes: Option<usize>,
    lock_timeout: Option<Seconds>,
}

impl ExportOptions {
    pub(crate) fn request(self) -> Result<ExportRequest> {
        let mut request = match (&self.table, &self.query) {
            (Some(table), None) => ExportRequest::tables([table])?,
            (None, Some(query)) => ExportRequest::query(query),
            _ => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "an export is of a table or of a query",
                )
                .with_hint("Give one of both: db.export(\"public.orders\") or db.export(query=\"select 1\")."));
            }
        };
        // Rows that were given out cannot be taken back, so no part is read a second time.
        request.retries = 0;
        request.exactness = exactness(self.exactness)?;
        let (rows, bytes) = request.batch;
        request.batch = (
            self.batch_rows.unwrap_or(rows).max(1),
            self.batch_bytes.unwrap_or(bytes).max(1),
        );
        if let Some(Seconds(timeout)) = self.lock_timeout {
            request.lock_timeout = timeout;
        }
        if let Some(bytes) = self.part_bytes {
            request = request.with_part_bytes(bytes);
        }
        if let Some(jobs) = self.jobs {
            request = request.with_jobs(jobs);
        }
        Ok(request)
    }
}

/// What becomes of values that Arrow has no form for.
pub(crate) fn exactness(wanted: Option<Exactness>) -> Result<Exactness> {
    match wanted {
        None => Ok(Exactness::Strict),
        Some(Exactness::Exact) => Err(Error::new(
            ErrorKind::InvalidInput,
            "a stream has no place for values without a standard form",
        )
        .with_hint(
            "Take \"strict\", or \"interop\", which makes them NULL and counts them in the report.",
        )),
        Some(exactness) => Ok(exactness),
    }
}
