//! A worker: one connection that joined the leader's snapshot.

use super::meeting::Meeting;
use super::request::ExportRequest;
use super::settings::{BEGIN, apply, lock_timeout};
use crate::cancel::Cancel;
use crate::error::{Error, ErrorKind, Result};
use crate::name::quote_literal;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::{ResolvedHost, WireConnection};

/// How to open a worker's connection; workers open new ones after a lost one.
#[derive(Debug, Clone)]
pub(super) struct Joiner {
    url: DatabaseUrl,
    resolved: ResolvedHost,
    cancel: Cancel,
    prepare: String,
    snapshot: String,
}

impl Joiner {
    pub(super) fn new(
        url: &DatabaseUrl,
        resolved: &ResolvedHost,
        cancel: &Cancel,
        request: &ExportRequest,
        meeting: &Meeting,
    ) -> Self {
        // SET TRANSACTION SNAPSHOT must come before anything that reads.
        let prepare = format!(
            "{BEGIN}; SET TRANSACTION SNAPSHOT {}; {}; {}; SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text",
            quote_literal(&meeting.snapshot_id),
            lock_timeout(request.lock_timeout),
            apply(&meeting.client_encoding, &request.selection),
        );
        Self {
            url: url.clone(),
            resolved: resolved.clone(),
            cancel: cancel.clone(),
            prepare,
            snapshot: meeting.snapshot.clone(),
        }
    }

    /// Opens a connection and joins the snapshot.
    pub(super) async fn connect(&self) -> Result<WireConnection> {
        let connection =
            WireConnection::connect_resolved(&self.url, &self.resolved, &self.cancel).await?;
        self.join(connection).await
    }

    /// Joins the snapshot on a connection that is idle, and proves it.
    pub(super) async fn join(&self, mut connection: WireConnection) -> Result<WireConnection> {
        let answers = connection
            .query(&self.prepare)
            .await
            .map_err(|error| error.while_doing("a worker cannot join the snapshot"))?;
        let seen = answers
            .last()
            .and_then(|set| set.rows.first()?.first()?.as_deref());
        if seen == Some(self.snapshot.as_str()) {
            Ok(connection)
        } else {
            Err(Error::new(
                ErrorKind::Internal,
                "a worker sees another snapshot than the leader",
            ))
        }
    }
}
