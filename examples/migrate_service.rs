//! Brings a database forward when a service starts: its migrations are in the program, and a backup is taken before.
//!
//! `cargo run --release -p opskit-examples --example migrate_service -- URL REPOSITORY`
#![expect(clippy::print_stderr, reason = "an example may talk")]

use opskit_core::backup::BackupRequest;
use opskit_core::context::OpContext;
use opskit_core::event::Event;
use opskit_core::migrate::{
    BackupFirst, MigrationRunner as _, Migrations, PgMigrationRunner, Safety, Suite, Wanted,
};
use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
use opskit_core::repository::Repository;
use opskit_core::{Error, ErrorKind, Result};

/// In a service, the texts would come from `include_str!`.
const MIGRATIONS: [(&str, &str); 2] = [
    (
        "1_orders.sql",
        "create table orders (id bigint generated always as identity primary key, customer text not null)",
    ),
    (
        "2_by_customer.sql",
        "create index concurrently if not exists orders_customer on orders (customer)",
    ),
];

/// What must hold afterwards.
const TEST: &str =
    "select 'orders can be found by customer', to_regclass('orders_customer') is not null";

#[tokio::main]
async fn main() -> Result<()> {
    let mut arguments = std::env::args().skip(1);
    let (Some(url), Some(place)) = (arguments.next(), arguments.next()) else {
        return Err(Error::new(
            ErrorKind::InvalidInput,
            "give URL and REPOSITORY",
        ));
    };
    let ctx = OpContext::default().with_observer(|event: &Event| {
        if let Event::MigrationDone { id, name, elapsed } = event {
            eprintln!("{id} {name} in {elapsed:?}");
        }
    });
    let mut safety = Safety::default();
    safety.backup = Some(BackupFirst::new(
        Repository::create(place)?,
        BackupRequest::new(),
    ));
    safety.suites = vec![Suite::new("orders.sql", TEST)?];
    let url = DatabaseUrl::parse(&url, &ConnectEnv::from_process())?;
    let runner = PgMigrationRunner::new(url, Migrations::embedded(MIGRATIONS)?).with_safety(safety);

    let plan = runner.plan(&ctx, &Wanted::default()).await?;
    for found in plan.refused() {
        eprintln!("{}:{} {}", found.file, found.line, found.rule.says);
    }
    let report = Box::pin(runner.apply(&ctx, &plan)).await?;
    eprintln!("{:?}", report.outcome);
    match &report.failure {
        Some(failure) => Err(failure.to_error()),
        None => Ok(()),
    }
}
