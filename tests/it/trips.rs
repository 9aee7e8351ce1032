//! There and back: what a backup of one cluster makes in another, judged by those who know nothing of
//! us: `pg_dump`, `pg_dumpall`, and the server's own bytes of every row.

mod accounts;
mod clusters;
mod fixture;
mod judge;
mod managed;
mod versions;

use opskit_core::Result;
use opskit_core::backup::restore::{Restore, RestoreReport, RestoreRequest};
use opskit_core::backup::{BackupRequest, backup};
use opskit_core::context::OpContext;
use opskit_core::repository::{BackupReader, Repository};
use opskit_core::scratch::ScratchServer;
use opskit_tests::export::parse;
use opskit_tests::try_psql;
use std::path::Path;
use tempfile::TempDir;

/// The database that travels.
const DATABASE: &str = "trip";

/// A cluster of its own.
struct Cluster {
    server: ScratchServer,
    superuser: &'static str,
}

impl Cluster {
    /// One with an empty database.
    async fn start(bin: Option<&Path>) -> Self {
        let builder = ScratchServer::builder().bin_dir(bin);
        let builder = builder.option("wal_level", "logical");
        let server = builder.start(&OpContext::default()).await.unwrap();
        let it = Self {
            server,
            superuser: "postgres",
        };
        it.run("postgres", "postgres", "create database trip").await;
        it
    }

    fn major(&self) -> u32 {
        self.server.version().major.into()
    }

    fn url(&self, role: &str) -> String {
        self.url_of(role, DATABASE)
    }

    fn url_of(&self, role: &str, database: &str) -> String {
        let url = self.server.url(database);
        url.replace("user=postgres", &format!("user={role}"))
    }

    async fn try_run(&self, role: &str, database: &str, sql: &str) -> Result<String, String> {
        try_psql(&self.url_of(role, database), sql).await
    }

    async fn run(&self, role: &str, database: &str, sql: &str) -> String {
        let done = self.try_run(role, database, sql).await;
        done.unwrap_or_else(|e| panic!("PostgreSQL {}: {e}, in: {sql}", self.major()))
    }
}

/// A backup in a repository of its own.
struct Trip {
    place: TempDir,
}

impl Trip {
    async fn pack(url: &str, request: BackupRequest) -> Result<Self> {
        let place = tempfile::tempdir().unwrap();
        let repository = Repository::create(place.path().join("repo")).unwrap();
        backup(&OpContext::default(), &parse(url), &repository, request).await?;
        Ok(Self { place })
    }

    fn reader(&self) -> BackupReader {
        let repository = Repository::open(self.place.path().join("repo")).unwrap();
        let latest = repository.find("latest").unwrap();
        repository.read(&latest).unwrap()
    }

    async fn plan(&self, url: &str, request: RestoreRequest) -> Result<Restore> {
        Restore::open(&OpContext::default(), self.reader(), &parse(url), request).await
    }

    async fn unpack(&self, url: &str, request: RestoreRequest) -> Result<RestoreReport> {
        let restore = self.plan(url, request).await?;
        restore.run(&OpContext::default()).await
    }
}

/// What came of it, or why nothing did.
fn told<T>(result: Result<T>) -> T {
    result.unwrap_or_else(|e| panic!("{}\nhint: {:?}", e.chain().join(": "), e.hint()))
}
