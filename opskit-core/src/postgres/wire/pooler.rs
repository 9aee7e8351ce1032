//! Recognising a pooler that gives each transaction another server process.

use super::connection::WireConnection;
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::url::DatabaseUrl;

/// How often to look. A pooler that hands its servers out in turn may give two clients different
/// ones once or twice by accident.
const ROUNDS: usize = 4;

/// `Err` of kind [`ErrorKind::Unsupported`] when `first` goes through a pooler in transaction mode:
/// settings, locks and exported snapshots do not hold there. Found by behaviour, not by port.
///
/// Costs one short query on a direct connection; only behind some pooler a second connection is
/// opened.
///
/// ```no_run
/// # use opskit_core::{cancel::Cancel, postgres::{url::DatabaseUrl, wire::{WireConnection, refuse_transaction_pooler}}};
/// # async fn example(url: &DatabaseUrl, cancel: &Cancel) -> opskit_core::Result<()> {
/// let mut connection = WireConnection::connect(url, cancel).await?;
/// refuse_transaction_pooler(url, &mut connection, cancel).await?;
/// # Ok(())
/// # }
/// ```
pub async fn refuse_transaction_pooler(
    url: &DatabaseUrl,
    first: &mut WireConnection,
    cancel: &Cancel,
) -> Result<()> {
    let mine = server_process(first).await?;
    if mine == first.process_id() {
        return Ok(());
    }
    let mut second = WireConnection::connect_resolved(url, first.resolved(), cancel).await?;
    for _ in 0..ROUNDS {
        second.execute("begin").await?;
        let theirs = server_process(&mut second).await?;
        // The second one keeps its server process until its transaction ends. In session mode ours
        // is another one and always the same.
        let mine_now = server_process(first).await?;
        second.execute("rollback").await?;
        if theirs == mine || mine_now != mine {
            return Err(transaction_pooler());
        }
    }
    second.close().await;
    Ok(())
}

async fn server_process(connection: &mut WireConnection) -> Result<i32> {
    let sets = connection
        .query("select pg_catalog.pg_backend_pid()")
        .await?;
    let cell = sets
        .first()
        .and_then(|set| set.rows.first()?.first()?.as_deref());
    cell.and_then(|pid| pid.parse().ok()).ok_or_else(|| {
        Error::new(
            ErrorKind::Connection,
            "the server did not tell its process number",
        )
    })
}

fn transaction_pooler() -> Error {
    Error::new(
        ErrorKind::Unsupported,
        "the connection goes through a pooler in transaction mode, which gives each transaction another server process",
    )
    .with_hint(
        "Use the direct connection or a pooler in session mode: for Supabase, port 5432 instead of 6543; for PgBouncer, pool_mode=session.",
    )
}
