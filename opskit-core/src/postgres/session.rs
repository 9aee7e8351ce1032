//! A session for control statements, over `sqlx`.

use super::server_process::ServerProcess;
use super::url::DatabaseUrl;
use super::wire::{ResolvedHost, from_sqlx};
use crate::cancel::Cancel;
use crate::catalog::TextRow;
use crate::error::{Error, ErrorKind, Result};
use futures::TryStreamExt as _;
use sqlx::postgres::{PgConnection, PgRow};
use sqlx::{
    AssertSqlSafe, Connection as _, Executor as _, Row as _, SqlSafeStr as _, ValueRef as _,
};

/// One connection that runs statements and reads answers as text.
///
/// Statements are sent by the simple protocol, so that several in one string are one message and no
/// prepared statement is left behind. SQL is built in this library from literals and quoted names
/// only, which is why it may be asserted safe here and nowhere else.
///
/// Dropped while the server does something for it, the session has that cancelled.
#[derive(Debug)]
pub(crate) struct Session {
    connection: PgConnection,
    process: ServerProcess,
    cancel: Cancel,
}

impl Session {
    /// Connects to a server that the wire client reached before, with the same TLS.
    pub(crate) async fn connect(
        url: &DatabaseUrl,
        resolved: &ResolvedHost,
        cancel: &Cancel,
    ) -> Result<Self> {
        let options = url.sqlx_options(resolved)?;
        let connect = async {
            let mut connection = PgConnection::connect_with(&options)
                .await
                .map_err(|error| from_sqlx("cannot connect", error))?;
            let number = server_process(&mut connection).await?;
            Ok((connection, number))
        };
        let (connection, number) = cancel.guard(connect).await?;
        Ok(Self {
            connection,
            process: ServerProcess::new(url, resolved, number),
            cancel: cancel.clone(),
        })
    }

    /// Runs statements and returns the rows of all of them. `doing` names the step in errors.
    pub(crate) async fn rows(&mut self, doing: &str, sql: String) -> Result<Vec<TextRow>> {
        let work = self.process.doing(rows(&mut self.connection, doing, sql));
        self.cancel.guard(work).await
    }

    /// Runs statements and hands over their rows one by one, so that none is kept that is not wanted.
    pub(crate) async fn each_row(
        &mut self,
        doing: &str,
        sql: String,
        mut take: impl FnMut(TextRow) -> Result<()>,
    ) -> Result<()> {
        let work = async {
            let mut stream = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(&mut self.connection);
            while let Some(row) = stream
                .try_next()
                .await
                .map_err(|error| from_sqlx(doing, error))?
            {
                take(text_row(&row)?)?;
            }
            Ok(())
        };
        self.cancel.guard(self.process.doing(work)).await
    }

    /// Connects once more, to the same server in the same way.
    pub(super) async fn another(&self) -> Result<Self> {
        Self::connect(self.process.url(), self.process.resolved(), &self.cancel).await
    }

    /// Runs statements whose answers do not matter.
    pub(crate) async fn execute(&mut self, doing: &str, sql: impl Into<String>) -> Result<()> {
        self.rows(doing, sql.into()).await.map(drop)
    }

    /// Has the server parse `sql`, and runs nothing. Text of the user's becomes part of our statements
    /// only when it parses as one: a `;` in it could end the transaction that only reads.
    pub(crate) async fn parse_one(&mut self, doing: &str, sql: String) -> Result<()> {
        let work = async {
            let prepared = (&mut self.connection).prepare(AssertSqlSafe(sql).into_sql_str());
            prepared
                .await
                .map(drop)
                .map_err(|error| from_sqlx(doing, error))
        };
        self.cancel.guard(self.process.doing(work)).await
    }

    /// The first field of the first row.
    pub(crate) async fn value(&mut self, doing: &str, sql: impl Into<String>) -> Result<String> {
        let rows = self.rows(doing, sql.into()).await?;
        let value = rows
            .into_iter()
            .next()
            .and_then(|row| row.into_iter().next().flatten());
        value.ok_or_else(|| no_value(doing))
    }

    /// Ends the session; open transactions roll back.
    pub(crate) async fn close(self) {
        // The server ends the session whether or not it reads the farewell.
        let _ = self.connection.close().await;
    }
}

async fn rows(connection: &mut PgConnection, doing: &str, sql: String) -> Result<Vec<TextRow>> {
    let stream = sqlx::raw_sql(AssertSqlSafe(sql)).fetch(connection);
    let rows: Vec<PgRow> = stream
        .try_collect()
        .await
        .map_err(|error| from_sqlx(doing, error))?;
    rows.iter().map(text_row).collect()
}

async fn server_process(connection: &mut PgConnection) -> Result<i32> {
    let sql = "SELECT pg_catalog.pg_backend_pid()".to_owned();
    let rows = rows(connection, "cannot connect", sql).await?;
    let number = rows.first().and_then(|row| row.first()?.as_deref());
    number
        .and_then(|number| number.parse().ok())
        .ok_or_else(|| no_value("cannot connect"))
}

fn no_value(doing: &str) -> Error {
    Error::new(
        ErrorKind::Internal,
        format!("{doing}: the server gave no value"),
    )
}

fn text_row(row: &PgRow) -> Result<TextRow> {
    (0..row.len())
        .map(|at| {
            let value = row
                .try_get_raw(at)
                .map_err(|error| from_sqlx("cannot read the answer", error))?;
            if value.is_null() {
                return Ok(None);
            }
            let bytes = value.as_bytes().map_err(|source| {
                Error::new(ErrorKind::Internal, "cannot read the answer").with_source(source)
            })?;
            Ok(Some(String::from_utf8_lossy(bytes).into_owned()))
        })
        .collect()
}
