//! `sqlx migrate run`, as its own library does it: what runs of migrations are measured beside.
//!
//! Usage: `opskit-test-sqlx-migrate URL FOLDER`

use sqlx::Connection as _;
use sqlx::migrate::Migrator;
use std::path::Path;

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut args = std::env::args().skip(1);
    let (Some(url), Some(folder)) = (args.next(), args.next()) else {
        return Err("usage: opskit-test-sqlx-migrate URL FOLDER".into());
    };
    let migrator = Migrator::new(Path::new(&folder)).await?;
    let mut connection = sqlx::PgConnection::connect(&url).await?;
    migrator.run(&mut connection).await?;
    connection.close().await?;
    Ok(())
}
