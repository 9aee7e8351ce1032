//! The throw-away server and the sample data.

use opskit_core::context::OpContext;
use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
use opskit_core::postgres::wire::WireConnection;
use opskit_core::scratch::ScratchServer;
use opskit_core::{Error, ErrorKind};
use std::path::Path;
use std::time::{Duration, Instant};

const SQL: &str = include_str!("sample.sql");
/// The database and its owner, who is no superuser, as on managed servers.
const PREPARE: [&str; 3] = [
    "CREATE ROLE shop_owner LOGIN",
    "CREATE ROLE shop_clerk",
    "CREATE DATABASE shop OWNER shop_owner",
];
const SIZE: &str = "SELECT pg_catalog.pg_database_size('shop')";

/// A running server with sample data.
pub(super) struct Sample {
    server: ScratchServer,
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
    let mut session =
        WireConnection::connect(&parse(&server.url("postgres"))?, ctx.cancel()).await?;
    for sql in PREPARE {
        session.execute(sql).await?;
    }
    let answer = {
        let url = as_owner(&server, "shop")?;
        let mut owner = WireConnection::connect(&url, ctx.cancel()).await?;
        owner.execute(SQL).await?;
        owner.execute("ANALYZE").await?;
        owner.close().await;
        session.query_one(SIZE).await?
    };
    session.close().await;
    let size = answer.rows.first().and_then(|row| row.first()?.as_deref());
    let bytes = size.and_then(|text| text.parse().ok());
    Ok(Sample {
        url: as_owner(&server, "shop")?,
        version: server.version().to_string(),
        bytes: bytes.ok_or_else(|| Error::new(ErrorKind::Internal, "the server told no size"))?,
        took: started.elapsed(),
        server,
    })
}

impl Sample {
    /// Makes an empty database beside the sample.
    pub(super) async fn empty(&self, name: &str, ctx: &OpContext) -> Result<DatabaseUrl, Error> {
        let url = parse(&self.server.url("postgres"))?;
        let mut session = WireConnection::connect(&url, ctx.cancel()).await?;
        let sql = format!("CREATE DATABASE {name} OWNER shop_owner TEMPLATE template0");
        session.execute(&sql).await?;
        session.close().await;
        as_owner(&self.server, name)
    }

    pub(super) async fn stop(self) -> Result<(), Error> {
        self.server.stop().await
    }
}

/// Nothing of the environment is for this server.
fn parse(url: &str) -> Result<DatabaseUrl, Error> {
    DatabaseUrl::parse(url, &ConnectEnv::default())
}

fn as_owner(server: &ScratchServer, database: &str) -> Result<DatabaseUrl, Error> {
    let superuser = format!("user={}", server.user());
    parse(&server.url(database).replace(&superuser, "user=shop_owner"))
}
