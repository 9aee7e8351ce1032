//! Exports one table into a directory of Parquet files, with progress on standard error.
//!
//! `cargo run --release -p opskit-examples --example export_table -- URL TABLE DIRECTORY [JOBS]`
#![expect(clippy::print_stderr, reason = "an example may talk")]

use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::export::parquet::ParquetOptions;
use opskit_core::postgres::export::{Export, ExportRequest};
use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
use opskit_core::sink::{DirectorySink, FileFormat};
use std::sync::Arc;

#[tokio::main]
async fn main() -> opskit_core::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let mut argument = |default: &str| arguments.next().unwrap_or_else(|| default.to_owned());
    let (url, table, directory) = (
        argument("postgres:///"),
        argument("public.*"),
        argument("export"),
    );
    let jobs = argument("2").parse().unwrap_or(2);

    let ctx = OpContext::default().with_observer(|event: &Event| {
        if let Event::PartFinished {
            table, part, rows, ..
        } = event
        {
            eprintln!("{table} part {part}: {rows} rows");
        }
    });
    let url = DatabaseUrl::parse(&url, &ConnectEnv::from_process())?;
    let request = ExportRequest::tables([table])?.with_jobs(jobs);
    let export = Export::open(&ctx, &url, request).await?;
    let sink = DirectorySink::create(directory, FileFormat::Parquet(ParquetOptions::default()))?;
    let report = export.run(&ctx, Arc::new(sink)).await?;
    eprintln!(
        "{} rows in {} ms, {} bytes",
        report.rows, report.elapsed_ms, report.stored_bytes
    );
    Ok(())
}
