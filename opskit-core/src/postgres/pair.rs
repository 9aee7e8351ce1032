//! Reading a large catalog over two sessions of one snapshot.
//!
//! The server answers one question of a session at a time, on one core. Most catalogs are small, and then a
//! second session costs more than it saves.

use super::export::Selection;
use super::export::settings::{BEGIN, apply, lock_timeout};
use super::session::Session;
use crate::catalog::TextRow;
use crate::error::Result;
use crate::name::quote_literal;
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// A catalog of columns larger than this is large: it has some ten thousand columns.
const LARGE_BYTES: u64 = 4 << 20;

/// How long a query waits for the lock on a catalog.
const LOCK_WAIT: Duration = Duration::from_secs(10);

/// A question: its number, the step in errors, and the SQL.
pub(super) type Question = (usize, String, String);

/// A session, and for large catalogs a second one in its snapshot.
#[derive(Debug)]
pub(super) struct Pair<'s> {
    first: &'s mut Session,
    second: Option<Session>,
}

impl<'s> Pair<'s> {
    /// Over a session within its transaction.
    pub(super) async fn over(first: &'s mut Session) -> Result<Self> {
        let second = another_if_large(first).await?;
        Ok(Self { first, second })
    }

    /// Asks `questions`, the first ones first, and hands over the rows of their answers with the question's
    /// number. Rows of one answer come in order; two answers may come side by side.
    pub(super) async fn ask(
        &mut self,
        questions: Vec<Question>,
        take: impl FnMut(usize, TextRow) -> Result<()> + Send,
    ) -> Result<()> {
        let queue = Mutex::new(VecDeque::from(questions));
        let take = Mutex::new(take);
        let first = drain(self.first, &queue, &take);
        match &mut self.second {
            None => first.await,
            Some(second) => {
                let second = drain(second, &queue, &take);
                futures::future::try_join(first, second).await.map(drop)
            }
        }
    }

    /// Ends the second session.
    pub(super) async fn close(self) {
        if let Some(second) = self.second {
            second.close().await;
        }
    }
}

async fn drain(
    session: &mut Session,
    queue: &Mutex<VecDeque<Question>>,
    take: &Mutex<impl FnMut(usize, TextRow) -> Result<()> + Send>,
) -> Result<()> {
    loop {
        let next = locked(queue).pop_front();
        let Some((at, doing, sql)) = next else {
            return Ok(());
        };
        let each = |row| (*locked(take))(at, row);
        session.each_row(&doing, sql, each).await?;
    }
}

/// Both sessions are polled by one task, so nobody ever waits, and no panic was passed over.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A second session that joined the snapshot of the first, where it is worth it and can be had: the role may
/// have no more connections.
async fn another_if_large(first: &mut Session) -> Result<Option<Session>> {
    let sql = "SELECT pg_catalog.pg_relation_size('pg_catalog.pg_attribute')::pg_catalog.text";
    let size = first.value("cannot read the catalog's size", sql).await?;
    if size.parse().unwrap_or(0_u64) < LARGE_BYTES {
        return Ok(None);
    }
    let sql = "SELECT pg_catalog.pg_export_snapshot()";
    let snapshot = first.value("cannot export the snapshot", sql).await?;
    let sql = "SELECT pg_catalog.current_setting('client_encoding')";
    let encoding = first.value("cannot read the encoding", sql).await?;
    let Ok(mut second) = first.another().await else {
        return Ok(None);
    };
    let begin = format!(
        "{BEGIN}; SET TRANSACTION SNAPSHOT {}; {}",
        quote_literal(&snapshot),
        lock_timeout(LOCK_WAIT)
    );
    second.execute("cannot join the snapshot", begin).await?;
    let settings = apply(&encoding, &Selection::Tables(Vec::new()));
    second
        .execute("cannot prepare the transaction", settings)
        .await?;
    Ok(Some(second))
}
