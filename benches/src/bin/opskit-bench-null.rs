//! Reads a table into nothing: `opskit-bench-null TABLE JOBS`, the URL in `OPSKIT_BENCH_URL`. Prints the rows.
//!
//! This is what reading into Arrow costs without any caller: the measure for the Python package.
#![expect(clippy::print_stdout, reason = "it is a program")]

use opskit_core::context::OpContext;
use opskit_core::postgres::export::{Export, ExportRequest};
use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
use opskit_core::sink::{NullSink, RowForm};
use opskit_core::{Error, ErrorKind, Result};
use std::sync::Arc;

fn main() -> Result<()> {
    let runtime = tokio::runtime::Runtime::new().map_err(|source| {
        Error::new(ErrorKind::Internal, "cannot start the runtime").with_source(source)
    })?;
    println!("{}", runtime.block_on(read())?);
    Ok(())
}

async fn read() -> Result<u64> {
    let mut arguments = std::env::args().skip(1);
    let table = arguments.next().unwrap_or_default();
    let jobs = arguments.next().and_then(|jobs| jobs.parse().ok());
    let url = std::env::var("OPSKIT_BENCH_URL").unwrap_or_default();
    let url = DatabaseUrl::parse(&url, &ConnectEnv::default())?;
    let ctx = OpContext::default();
    let request = ExportRequest::tables([table])?.with_jobs(jobs.unwrap_or(2));
    let export = Box::pin(Export::open(&ctx, &url, request)).await?;
    let sink = Arc::new(NullSink::new(RowForm::Batches));
    Ok(Box::pin(export.run(&ctx, sink)).await?.rows)
}
