//! The server process behind a `sqlx` session: what it does for a session that is given up is cancelled.
//!
//! `sqlx` keeps the key to itself that a request to cancel must show, so a second session asks by SQL.

use super::url::DatabaseUrl;
use super::wire::{ResolvedHost, WireConnection};
use crate::cancel::Cancel;
use crate::error::Result;
use std::time::Duration;
use tokio::runtime::Handle;

/// How long the second session may take.
const DEADLINE: Duration = Duration::from_secs(5);

/// The process that serves a session. It notices that its client is gone when it next reads or writes,
/// which a wait for a lock may hold up for hours.
#[derive(Debug)]
pub(super) struct ServerProcess {
    url: DatabaseUrl,
    resolved: ResolvedHost,
    number: i32,
    busy: bool,
}

impl ServerProcess {
    /// The process with this number, as `pg_backend_pid` told it to the session.
    pub(super) fn new(url: &DatabaseUrl, resolved: &ResolvedHost, number: i32) -> Self {
        Self {
            url: url.clone(),
            resolved: resolved.clone(),
            number,
            busy: false,
        }
    }

    /// Where the session is connected to.
    pub(super) fn url(&self) -> &DatabaseUrl {
        &self.url
    }

    /// The server that the URL was found to mean.
    pub(super) fn resolved(&self) -> &ResolvedHost {
        &self.resolved
    }

    /// Waits for `work` that the process does. When the wait is given up, dropping this value cancels
    /// the work.
    pub(super) async fn doing<T>(&mut self, work: impl Future<Output = T>) -> T {
        self.busy = true;
        let done = work.await;
        self.busy = false;
        done
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if self.busy
            && let Ok(runtime) = Handle::try_current()
        {
            let (url, resolved, number) = (self.url.clone(), self.resolved.clone(), self.number);
            runtime.spawn(async move {
                let cancelling = cancel(&url, &resolved, number);
                // Nobody is left to tell; the session's own limit ends the wait.
                match tokio::time::timeout(DEADLINE, cancelling).await {
                    Ok(Ok(())) => {}
                    failed => tracing::debug!(?failed, "a statement could not be cancelled"),
                }
            });
        }
    }
}

async fn cancel(url: &DatabaseUrl, resolved: &ResolvedHost, number: i32) -> Result<()> {
    // The caller's token would stop this as well.
    let never = Cancel::never();
    let mut connection = WireConnection::connect_resolved(url, resolved, &never).await?;
    // The role of the login may do it, whatever role the options of the connection choose.
    let sql = format!("SET ROLE NONE; SELECT pg_catalog.pg_cancel_backend({number})");
    connection.execute(&sql).await?;
    connection.close().await;
    Ok(())
}
