//! The throw-away server and the sample data.

use opskit_core::context::OpContext;
use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
use opskit_core::postgres::wire::WireConnection;
use opskit_core::scratch::ScratchServer;
use opskit_core::{Error, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

const SQL: &str = include_str!("sample.sql");
const SIZE: &str = "SELECT pg_catalog.pg_database_size('shop')";

/// A running server with sample data.
pub(super) struct Sample {
    pub(super) server: ScratchServer,
    pub(super) url: DatabaseUrl,
    pub(super) version: String,
    pub(super) bytes: u64,
    pub(super) took: Duration,
}

/// Starts a server and fills a database.
pub(super) async fn start(pg_bin: Option<&Path>, ctx: &OpContext) -> Result<Sample, Error> {
    let builder = ScratchServer::builder()
        .bin_dir(pg_bin)
        // Rows stay where they are between the two exports that are compared.
        .option("autovacuum", "off")
        .option("jit", "off");
    let server = Box::pin(builder.start(ctx)).await?;
    let started = Instant::now();
    let mut connection = connect(&server, "postgres", ctx).await?;
    connection.execute("CREATE DATABASE shop").await?;
    connection.close().await;
    let mut connection = connect(&server, "shop", ctx).await?;
    connection.execute(SQL).await?;
    connection.execute("VACUUM ANALYZE").await?;
    let answer = connection.query(SIZE).await?;
    connection.close().await;
    let bytes = answer
        .first()
        .and_then(|set| set.rows.first()?.first()?.as_deref()?.parse().ok())
        .ok_or_else(|| Error::new(ErrorKind::Internal, "the server told no size"))?;
    Ok(Sample {
        url: url(&server, "shop")?,
        version: server.version().to_string(),
        bytes,
        took: started.elapsed(),
        server,
    })
}

/// Nothing of the environment is for this server.
fn url(server: &ScratchServer, database: &str) -> Result<DatabaseUrl, Error> {
    DatabaseUrl::parse(&server.url(database), &ConnectEnv::default())
}

async fn connect(
    server: &ScratchServer,
    database: &str,
    ctx: &OpContext,
) -> Result<WireConnection, Error> {
    WireConnection::connect(&url(server, database)?, ctx.cancel()).await
}
