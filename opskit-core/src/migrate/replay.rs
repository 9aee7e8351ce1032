//! Drift against the files themselves: the migrations that ran, replayed on a scratch server.

use super::MigrationRunner as _;
use super::runner::PgMigrationRunner;
use super::snapshot::{self, DriftReport};
use super::status::{Standing, Wanted};
use crate::backup::drill::binaries;
use crate::catalog::diff::{Compared, FactsDiff};
use crate::catalog::facts::FactsOptions;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::name::{quote_ident, quote_literal};
use crate::postgres::facts::read_facts;
use crate::postgres::url::{ConnectEnv, DatabaseUrl};
use crate::postgres::wire::WireConnection;
use crate::repository::rfc3339;
use crate::scratch::ScratchServer;
use std::path::{Path, PathBuf};

impl PgMigrationRunner {
    /// Replays the migrations that ran on a scratch server of the same version, and says what is different in the
    /// database. The history tables of other tools are no difference.
    ///
    /// # Errors
    /// Of kind `NotFound` when no server of its version or a newer one is installed here; those of the migration that
    /// cannot be replayed: one that needs an extension or rows that this machine has not.
    pub async fn replayed_drift(
        &self,
        ctx: &OpContext,
        bin_dir: Option<&Path>,
    ) -> Result<DriftReport> {
        let status = self.status(ctx).await?;
        let ran = |standing| {
            matches!(
                standing,
                Standing::Applied | Standing::Baseline | Standing::Changed
            )
        };
        let ids: Vec<_> = status
            .migrations
            .iter()
            .filter(|one| ran(one.standing))
            .map(|one| one.id.clone())
            .collect();
        let now = read_facts(ctx, &self.url, snapshot::options(&self.scope)).await?;
        let dir = match bin_dir {
            Some(dir) => dir.to_owned(),
            None => binaries(now.server_version)?,
        };
        let server = self.scratch_like(ctx, dir).await?;
        let url = DatabaseUrl::parse(&server.url("postgres"), &ConnectEnv::default())?;
        let replay =
            Self::new(url.clone(), self.migrations().only(&ids)).with_scope(self.scope.clone());
        let plan = replay.plan(ctx, &Wanted::default()).await?;
        let report = Box::pin(replay.apply(ctx, &plan)).await?;
        if let Some(failure) = &report.failure {
            return Err(failure
                .to_error()
                .while_doing("the migrations cannot be replayed"));
        }
        let replayed = read_facts(ctx, &url, FactsOptions::like(&now)).await?;
        server.stop().await?;
        let mut diff = FactsDiff::between(&replayed, &now, Compared::Objects);
        let books: Vec<String> = status
            .ledgers
            .iter()
            .map(|ledger| ledger.table.name.clone())
            .collect();
        diff.objects
            .retain(|object| !books.iter().any(|book| object.object.contains(book)));
        Ok(DriftReport {
            schema: "opskit.migrate-drift/1",
            database: self.url.dbname().to_owned(),
            after: ids
                .last()
                .map_or_else(|| "none".to_owned(), ToString::to_string),
            taken_at: rfc3339(ctx.clock().now())?,
            diff,
        })
    }

    /// A scratch server with the roles of the real one, that of the connection as its superuser.
    async fn scratch_like(&self, ctx: &OpContext, dir: PathBuf) -> Result<ScratchServer> {
        let mut real = WireConnection::connect(&self.url, ctx.cancel()).await?;
        let user = names(&mut real, "select current_user").await?;
        let roles = "select rolname from pg_catalog.pg_roles where rolname not like 'pg\\_%'";
        let roles = names(&mut real, roles).await?;
        real.close().await;
        let builder = ScratchServer::builder().bin_dir(Some(dir));
        let user = user.into_iter().next().unwrap_or_default();
        let server = builder.superuser(user).start(ctx).await?;
        let url = DatabaseUrl::parse(&server.url("postgres"), &ConnectEnv::default())?;
        let mut scratch = WireConnection::connect(&url, ctx.cancel()).await?;
        for role in roles {
            let known = quote_literal(&role);
            let known = format!("select rolname from pg_catalog.pg_roles where rolname = {known}");
            if names(&mut scratch, &known).await?.is_empty() {
                let sql = format!("create role {}", quote_ident(&role));
                scratch.execute(&sql).await?;
            }
        }
        scratch.close().await;
        Ok(server)
    }
}

async fn names(session: &mut WireConnection, sql: &str) -> Result<Vec<String>> {
    let rows = session
        .query_one(sql)
        .await
        .map_err(|error| error.while_doing("cannot read the roles"))?
        .rows;
    let name = |row: Vec<Option<String>>| row.into_iter().next().flatten();
    rows.into_iter()
        .map(|row| {
            name(row).ok_or_else(|| Error::new(ErrorKind::Internal, "the server gave no name"))
        })
        .collect()
}
