//! Taking it down.

use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::export::Fingerprint;
use crate::name::{QualifiedName, quote_literal};
use crate::postgres::export::{Export, ExportRequest};
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use crate::repository::rfc3339;
use crate::sink::{NullSink, RowForm};
use serde::{Deserialize, Serialize};
use std::sync::Arc;

/// The name and version of the document.
const SCHEMA: &str = "opskit.state/1";

/// Which tables, and how.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct StateRequest {
    /// Patterns of tables; all of the user's at first.
    pub tables: Vec<String>,
    /// Connections that read at the same time: 2 at first.
    pub jobs: usize,
}

impl Default for StateRequest {
    fn default() -> Self {
        Self {
            tables: vec!["*.*".to_owned()],
            jobs: 2,
        }
    }
}

/// What one table holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct TableState {
    /// Its name.
    pub table: QualifiedName,
    /// Its rows.
    pub rows: u64,
    /// Their fingerprint: the same for the same rows in whatever order.
    pub fingerprint: Fingerprint,
}

/// What the tables hold at one instant.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct State {
    /// `opskit.state/1`.
    pub schema: String,
    /// The database.
    pub database: String,
    /// The server's version, as a number: 150018.
    pub server_version: u32,
    /// The instant, as `pg_current_snapshot()` tells it.
    pub snapshot: String,
    /// When, in UTC.
    pub captured_at: String,
    /// The patterns that chose the tables.
    pub patterns: Vec<String>,
    /// The tables, by name.
    pub tables: Vec<TableState>,
}

impl State {
    /// Reads what was written as JSON.
    ///
    /// # Errors
    /// `Damaged` for what is no such document, `Unsupported` for one of a newer version.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        let state: Self = serde_json::from_slice(bytes).map_err(|source| {
            let message = "this is no document of `opskit state capture`";
            Error::new(ErrorKind::Damaged, message).with_source(source)
        })?;
        if state.schema == SCHEMA {
            return Ok(state);
        }
        let message = format!("documents of this version are not known, only {SCHEMA}");
        Err(Error::new(ErrorKind::Unsupported, message)
            .with_hint("A newer opskit wrote it; update this one."))
    }
}

/// Reads tables in one snapshot, and keeps their numbers of rows and fingerprints. Nothing is stored but those.
///
/// ```no_run
/// use opskit_core::context::OpContext;
/// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
/// use opskit_core::state::{StateRequest, capture};
/// # async fn example() -> opskit_core::Result<()> {
/// let url = DatabaseUrl::parse("postgres://app@localhost/shop", &ConnectEnv::from_process())?;
/// let before = capture(&OpContext::default(), &url, &StateRequest::default()).await?;
/// println!("{} tables", before.tables.len());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// As [`Export::open`] and [`Export::run`]; `NotFound` where the patterns match no table.
pub async fn capture(ctx: &OpContext, url: &DatabaseUrl, request: &StateRequest) -> Result<State> {
    let captured_at = rfc3339(ctx.clock().now())?;
    let export = ExportRequest::tables(&request.tables)?.with_jobs(request.jobs);
    let export = Box::pin(Export::open(ctx, url, export)).await?;
    let sink = Arc::new(NullSink::new(RowForm::Frames));
    let report = Box::pin(export.run(ctx, sink)).await?;
    let tables = report.tables.into_iter().map(|table| TableState {
        table: table.table,
        rows: table.rows,
        fingerprint: table.fingerprint.unwrap_or_default(),
    });
    let mut tables: Vec<_> = tables.collect();
    tables.sort_by(|a, b| a.table.cmp(&b.table));
    Ok(State {
        schema: SCHEMA.to_owned(),
        database: report.source.database,
        server_version: report.source.server_version,
        snapshot: report.source.snapshot,
        captured_at,
        patterns: request.tables.clone(),
        tables,
    })
}

/// Reads the same tables as before once more. Those that are gone are no error but a change; where all were chosen, new
/// ones are read too.
///
/// # Errors
/// As [`capture`].
pub async fn recapture(
    ctx: &OpContext,
    url: &DatabaseUrl,
    before: &State,
    jobs: usize,
) -> Result<State> {
    let mut request = StateRequest {
        jobs,
        ..StateRequest::default()
    };
    if before.patterns == request.tables {
        return capture(ctx, url, &request).await;
    }
    request.tables = existing(ctx, url, &before.tables).await?;
    let mut after = match request.tables.is_empty() {
        false => capture(ctx, url, &request).await?,
        true => State {
            tables: Vec::new(),
            captured_at: rfc3339(ctx.clock().now())?,
            ..before.clone()
        },
    };
    after.patterns.clone_from(&before.patterns);
    Ok(after)
}

/// The names of those that are there, as patterns that find nothing else.
async fn existing(
    ctx: &OpContext,
    url: &DatabaseUrl,
    tables: &[TableState],
) -> Result<Vec<String>> {
    let names: Vec<String> = tables.iter().map(|it| it.table.to_sql()).collect();
    let list: Vec<String> = names.iter().map(|name| quote_literal(name)).collect();
    let sql = format!(
        "select name from unnest(array[{}]::text[]) as name where to_regclass(name) is not null",
        list.join(", ")
    );
    let mut session = WireConnection::connect(url, ctx.cancel()).await?;
    let answer = session.query_one(&sql).await?;
    session.close().await;
    let rows = answer.rows.into_iter();
    Ok(rows.filter_map(|row| row.into_iter().next()?).collect())
}
