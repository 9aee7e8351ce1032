//! Restores the latest backup into an empty database, then proves on a throw-away server that it can be
//! done again, and how long that takes.
//!
//! `cargo run --release -p opskit-examples --example restore_and_drill -- REPOSITORY URL`
#![expect(clippy::print_stderr, reason = "an example may talk")]

use opskit_core::backup::drill::{DrillRequest, drill};
use opskit_core::backup::restore::{Restore, RestoreRequest};
use opskit_core::context::OpContext;
use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
use opskit_core::repository::Repository;
use opskit_core::{Error, ErrorKind, Result};

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(place), Some(url)) = (arguments.next(), arguments.next()) else {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "give REPOSITORY and URL",
        ));
    };
    let ctx = OpContext::default();
    let url = DatabaseUrl::parse(&url, &ConnectEnv::from_process())?;
    let repository = Repository::open(place)?;
    let id = repository.find("latest")?;

    let request = RestoreRequest::default().with_jobs(2);
    let restore = Box::pin(Restore::open(&ctx, repository.read(&id)?, &url, request)).await?;
    // Nothing is changed yet: the plan tells what would be, and what stands in the way.
    let plan = restore.plan();
    eprintln!("{} tables into \"{}\"", plan.tables.len(), plan.database);
    plan.check()?;
    let report = Box::pin(restore.run(&ctx)).await?;
    for difference in &report.differences {
        eprintln!("differs: {difference:?}");
    }
    eprintln!("{} rows, the same: {}", report.rows, report.is_same());

    let report = Box::pin(drill(&ctx, &repository, &id, DrillRequest::default())).await?;
    eprintln!("drill: {:?} in {} ms", report.outcome, report.recovery_ms);
    Ok(())
}
