//! A query that is read like a table: one statement, whose tables are locked before there is a snapshot.

use super::settings::BEGIN;
use crate::error::{Error, Result};
use crate::postgres::session::Session;
use crate::postgres::wire::{Column, WireConnection};

/// Runs the query for no rows, on a connection of its own and in a transaction that stays open. That locks
/// all that the query reads, before the leader has its snapshot; tells the columns, too.
pub(super) async fn describe_query(
    probe: &mut WireConnection,
    wait: &str,
    describe: &str,
) -> Result<Vec<Column>> {
    probe.execute(&format!("{BEGIN}; {wait}")).await?;
    let described = probe.query(describe).await;
    let described =
        described.map_err(|error| with_query_hint(error.while_doing("the query cannot be run")))?;
    let set = described.into_iter().next_back();
    Ok(set.map(|set| set.columns).unwrap_or_default())
}

/// A query must parse as one statement before it becomes part of ours.
pub(super) async fn check_query(session: &mut Session, describe: Option<&String>) -> Result<()> {
    match describe {
        Some(describe) => {
            let parsed = session.parse_one("the query cannot be run", describe.clone());
            parsed.await.map_err(with_query_hint)
        }
        None => Ok(()),
    }
}

/// The leader takes the locks of the query that the other connection held until now.
pub(super) async fn take_locks_over(
    session: &mut Session,
    probe: &mut WireConnection,
    describe: String,
) -> Result<()> {
    let taken = session.execute("the query cannot be run", describe);
    taken.await.map_err(with_query_hint)?;
    probe.execute("ROLLBACK").await
}

fn with_query_hint(error: Error) -> Error {
    match error.hint() {
        Some(_) => error,
        None => error.with_hint("It must be one SELECT, VALUES or TABLE command that only reads."),
    }
}
