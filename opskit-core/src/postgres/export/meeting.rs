//! Where workers meet: one snapshot of one database of one server that runs.

use crate::error::{Error, ErrorKind, Result};
use crate::postgres::session::Session;
use crate::postgres::wire::WireConnection;
use serde::{Deserialize, Serialize};

/// Any role may ask this. The start of the server tells clones and standbys apart, which share a system
/// identifier; a snapshot does not outlive it either.
const WHERE_SQL: &str = "SELECT pg_catalog.current_database()::pg_catalog.text, \
     (extract(epoch from pg_catalog.pg_postmaster_start_time()) * 1000000)::pg_catalog.int8::pg_catalog.text";

/// An exported snapshot and where it is: what a worker needs beside a URL, wherever it runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meeting {
    pub(crate) database: String,
    /// When the server was started, in microseconds since 1970.
    server_started: String,
    pub(super) snapshot_id: String,
    /// The snapshot as `pg_current_snapshot()` tells it.
    pub(crate) snapshot: String,
    pub(super) client_encoding: String,
}

impl Meeting {
    /// Where the snapshot is that this session exported.
    pub(super) async fn of(
        session: &mut Session,
        snapshot_id: String,
        snapshot: &str,
        client_encoding: &str,
    ) -> Result<Self> {
        let doing = "cannot read the identity of the server";
        let rows = session.rows(doing, WHERE_SQL.to_owned()).await?;
        let (database, server_started) = place(rows.into_iter().next())?;
        Ok(Self {
            database,
            server_started,
            snapshot_id,
            snapshot: snapshot.to_owned(),
            client_encoding: client_encoding.to_owned(),
        })
    }

    /// Refuses a connection that leads elsewhere.
    pub(super) async fn check(&self, connection: &mut WireConnection) -> Result<()> {
        let answer = connection.query_one(WHERE_SQL).await?;
        let (database, server_started) = place(answer.rows.into_iter().next())?;
        let elsewhere = |what: String| {
            Err(Error::new(ErrorKind::InvalidInput, what)
                .with_hint("Give the URL of the same database on the same server: a snapshot is nowhere else, not on its standbys either."))
        };
        if database != self.database {
            return elsewhere(format!(
                "the part is of database \"{}\", and this is \"{database}\"",
                self.database
            ));
        }
        if server_started != self.server_started {
            return elsewhere(format!(
                "the part is of another server with a database \"{database}\", or that server was started again"
            ));
        }
        Ok(())
    }
}

fn place(row: Option<Vec<Option<String>>>) -> Result<(String, String)> {
    match row.as_deref() {
        Some([Some(database), Some(started)]) => Ok((database.clone(), started.clone())),
        _ => Err(Error::new(
            ErrorKind::Internal,
            "the server did not tell which one it is",
        )),
    }
}
