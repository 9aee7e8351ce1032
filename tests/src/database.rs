//! A database per test.

use crate::run::{TestServer, server};
use sqlx::{Column as _, Connection as _, PgConnection, Row as _, ValueRef as _};
use std::sync::atomic::{AtomicU32, Ordering};

/// A fresh database, dropped with this value.
#[derive(Debug)]
pub struct TestDb {
    server: &'static TestServer,
    name: String,
}

/// A fresh database as the server makes them: UTF8, C.UTF-8 where there is such a locale.
///
/// # Panics
///
/// When it cannot be made.
pub async fn database() -> TestDb {
    database_with("").await
}

/// A fresh database with these options of `CREATE DATABASE`.
///
/// # Panics
///
/// When it cannot be made.
pub async fn database_with(options: &str) -> TestDb {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let server = server().await;
    let number = COUNT.fetch_add(1, Ordering::Relaxed);
    let name = format!("t_{}_{number}", std::process::id());
    let sql = format!("create database {name} {options}");
    let made = run(&server.url("postgres"), &sql).await;
    made.unwrap_or_else(|e| panic!("cannot make a database: {e}"));
    TestDb { server, name }
}

impl TestDb {
    /// Its URL, for the superuser.
    #[must_use]
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its name.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Runs any number of statements, each in its own transaction unless they say otherwise, and
    /// gives their rows as `psql -At` prints them: a line per row, `|` between columns.
    ///
    /// # Panics
    ///
    /// When a statement fails.
    pub async fn psql(&self, sql: &str) -> String {
        let result = self.try_psql(sql).await;
        result.unwrap_or_else(|e| panic!("{e}, in: {sql}"))
    }

    /// As [`Self::psql`], where a failure is part of the test.
    ///
    /// # Errors
    ///
    /// What the server said.
    pub async fn try_psql(&self, sql: &str) -> Result<String, String> {
        try_psql(&self.url(), sql).await
    }

    /// The server's version as a number, 150018 for 15.18.
    ///
    /// # Panics
    ///
    /// When it cannot be asked.
    pub async fn version(&self) -> u32 {
        let number = self.psql("show server_version_num").await;
        number
            .parse()
            .unwrap_or_else(|e| panic!("the version {number}: {e}"))
    }

    /// Whether large tables are read in parts: before version 14 a range of `ctid` costs a whole scan.
    ///
    /// # Panics
    ///
    /// When the version cannot be asked for.
    pub async fn has_parts(&self) -> bool {
        self.version().await >= 140_000
    }

    /// Its URL, for another role; a scratch server trusts everyone who reaches its socket.
    #[must_use]
    pub fn url_for(&self, role: &str) -> String {
        self.url().replace("user=postgres", &format!("user={role}"))
    }
}

impl Drop for TestDb {
    fn drop(&mut self) {
        let (url, sql) = (
            self.server.url("postgres"),
            format!("drop database if exists {} with (force)", self.name),
        );
        // A thread of its own: this one may be inside a runtime, which cannot wait for another.
        let dropping = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.is_ok_and(|runtime| runtime.block_on(run(&url, &sql)).is_ok())
        });
        // The whole server goes at the end of the run, so a failure costs nothing but space.
        let _ = dropping.join();
    }
}

/// Runs any number of statements, as [`TestDb::psql`] does, in a database of any server.
///
/// # Errors
///
/// What the server said.
pub async fn try_psql(url: &str, sql: &str) -> Result<String, String> {
    run(url, sql).await.map_err(|e| e.to_string())
}

/// Runs `sql` by the simple protocol, so that values come as the server's text.
async fn run(url: &str, sql: &str) -> sqlx::Result<String> {
    let mut connection = PgConnection::connect(url).await?;
    let rows = sqlx::raw_sql(sqlx::AssertSqlSafe(sql.to_owned()))
        .fetch_all(&mut connection)
        .await?;
    connection.close().await?;
    let mut lines = Vec::with_capacity(rows.len());
    for row in rows {
        let mut values = Vec::with_capacity(row.len());
        for column in row.columns() {
            let value = row.try_get_raw(column.ordinal())?;
            let text = if value.is_null() {
                ""
            } else {
                value.as_str().map_err(sqlx::Error::Decode)?
            };
            values.push(text.to_owned());
        }
        lines.push(values.join("|"));
    }
    Ok(lines.join("\n"))
}
