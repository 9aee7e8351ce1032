//! Reading the catalog over a session.

use super::export::Selection;
use super::export::settings::{BEGIN, apply, bounded_wait, client_encoding};
use super::pair::Pair;
use super::session::Session;
use super::url::DatabaseUrl;
use super::wire::{WireConnection, refuse_transaction_pooler};
use crate::catalog::Scope;
use crate::catalog::cluster::{ClusterModel, ClusterReader};
use crate::catalog::model::{Model, ModelReader, ReadContext};
use crate::context::OpContext;
use crate::error::Result;
use std::time::Duration;

/// How long a query waits for the lock on a catalog.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// Reads the model of everything in scope, from one snapshot, over a connection of its own.
///
/// ```no_run
/// use opskit_core::catalog::{Scope, ddl::{DdlOptions, Script}};
/// use opskit_core::context::OpContext;
/// use opskit_core::postgres::{catalog::read_model, url::{ConnectEnv, DatabaseUrl}};
///
/// # async fn example() -> opskit_core::Result<()> {
/// let url = DatabaseUrl::parse("postgres://app@localhost/shop", &ConnectEnv::from_process())?;
/// let model = read_model(&OpContext::default(), &url, &Scope::default()).await?;
/// println!("{}", Script::of(&model, &DdlOptions::new(model.server_version))?);
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// Of kind `Connection`, `PermissionDenied`, `Timeout`, `Cancelled`; `Unsupported` behind a pooler in
/// transaction mode.
pub async fn read_model(ctx: &OpContext, url: &DatabaseUrl, scope: &Scope) -> Result<Model> {
    let (mut session, server_version) = open(ctx, url).await?;
    let model = read_model_in(&mut session, server_version, scope).await?;
    session.close().await;
    Ok(model)
}

/// Reads what is around the database: roles, their settings, the database itself.
///
/// # Errors
/// Those of [`read_model`].
pub async fn read_cluster(ctx: &OpContext, url: &DatabaseUrl) -> Result<ClusterModel> {
    let (mut session, server_version) = open(ctx, url).await?;
    let cluster = read_cluster_in(&mut session, server_version).await?;
    session.close().await;
    Ok(cluster)
}

/// Reads what is around the database within the transaction of `session`, whose search path is empty.
pub(crate) async fn read_cluster_in(
    session: &mut Session,
    server_version: u32,
) -> Result<ClusterModel> {
    let mut reader = ClusterReader::new(server_version);
    for (what, sql) in reader.queries() {
        let rows = session.rows(&format!("cannot read {what}"), sql).await?;
        reader.take(rows);
    }
    reader.finish()
}

/// A session in a transaction that reads from one snapshot, with an empty search path.
pub(super) async fn open(ctx: &OpContext, url: &DatabaseUrl) -> Result<(Session, u32)> {
    let mut probe = WireConnection::connect(url, ctx.cancel()).await?;
    refuse_transaction_pooler(url, &mut probe, ctx.cancel()).await?;
    let session = open_beside(ctx, url, &probe).await?;
    let server_version = probe.server_version_num();
    probe.close().await;
    Ok((session, server_version))
}

/// As [`open`], beside a connection to the same server that was looked at before.
pub(crate) async fn open_beside(
    ctx: &OpContext,
    url: &DatabaseUrl,
    probe: &WireConnection,
) -> Result<Session> {
    let mut session = Session::connect(url, probe.resolved(), ctx.cancel()).await?;
    let encoding = probe.parameter("server_encoding").unwrap_or_default();
    begin(&mut session, probe.server_version_num(), encoding).await?;
    Ok(session)
}

/// Starts a transaction that sees what is committed by now, with an empty search path.
pub(crate) async fn begin(
    session: &mut Session,
    server_version: u32,
    server_encoding: &str,
) -> Result<()> {
    let wait = bounded_wait(LOCK_WAIT, server_version);
    session
        .execute("cannot start the transaction", format!("{BEGIN}; {wait}"))
        .await?;
    let settings = apply(
        client_encoding(server_encoding),
        &Selection::Tables(Vec::new()),
    );
    session
        .execute("cannot prepare the transaction", settings)
        .await
}

/// Reads the model within the transaction of `session`, whose search path is empty.
pub(crate) async fn read_model_in(
    session: &mut Session,
    server_version: u32,
    scope: &Scope,
) -> Result<Model> {
    let mut reader = ModelReader::new(&ReadContext {
        server_version,
        scope,
    });
    let queries = reader.queries().into_iter().enumerate();
    let question = |(at, (what, sql))| (at, format!("cannot read {what}"), sql);
    let questions = queries.map(question).collect();
    let mut pair = Pair::over(session).await?;
    pair.ask(questions, |at, row| reader.take(at, &row)).await?;
    pair.close().await;
    Ok(reader.finish())
}
