//! Parts for workers that run elsewhere.

use super::meeting::Meeting;
use super::plan::TablePlan;
use super::reading::Reading;
use super::report::PartReport;
use super::request::{ExportRequest, Selection};
use super::worker::Joiner;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result, unreadable_json};
use crate::event::Event;
use crate::export::plan::Part;
use crate::name::QualifiedName;
use crate::pgtype::RowType;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use crate::sink::BackupSink;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use std::time::Duration;

/// The version of the form of tickets.
const FORM: u32 = 1;

/// What somebody needs to read a part in a snapshot that is held elsewhere, beside a URL.
///
/// It is plain data, without a password. It says what is asked of the server, in a transaction that only reads: take
/// tickets from those whom you would let do that.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct PartTicket {
    /// The version of this form.
    form: u32,
    /// The table, or a name made up for a query.
    pub table: QualifiedName,
    /// Into how many parts the table is cut.
    pub parts: u32,
    /// The number of this one, and the blocks that it covers.
    pub part: Part,
    /// The columns.
    pub row_type: Arc<RowType>,
    /// What is read where that is no range of a table.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    query: Option<String>,
    /// Whether names in the query are looked up as the role's settings say.
    #[serde(default)]
    own_path: bool,
    meeting: Meeting,
    lock_timeout_ms: u64,
}

impl PartTicket {
    /// The tickets of all parts, the largest first: so that no worker starts a large one when the others are done.
    pub(crate) fn of<'a>(
        tables: impl IntoIterator<Item = &'a TablePlan>,
        meeting: &Meeting,
        request: &ExportRequest,
    ) -> Vec<Self> {
        let ticket = |table: &TablePlan, part: &Part| Self {
            form: FORM,
            table: table.name.clone(),
            parts: table.parts.len() as u32,
            part: part.clone(),
            row_type: Arc::clone(&table.row_type),
            query: table.query_of(part).map(str::to_owned),
            own_path: request.selection.query().is_some(),
            meeting: meeting.clone(),
            lock_timeout_ms: request.lock_timeout.as_millis() as u64,
        };
        let tables = tables.into_iter();
        let tickets = tables.flat_map(|table| table.parts.iter().map(move |part| (table, part)));
        let mut tickets: Vec<Self> = tickets.map(|(table, part)| ticket(table, part)).collect();
        tickets.sort_by_key(|ticket| std::cmp::Reverse(ticket.part.heap_bytes));
        tickets
    }

    /// Reads what this is as JSON.
    ///
    /// # Errors
    /// [`ErrorKind::Damaged`] for what is no ticket, [`ErrorKind::Unsupported`] for one of another version of opskit.
    pub fn parse(json: &[u8]) -> Result<Self> {
        #[derive(Deserialize)]
        struct Form {
            form: u32,
        }
        let what = "this is no part of a snapshot";
        let unreadable = |source| unreadable_json(what, &source);
        let Form { form } = serde_json::from_slice(json).map_err(unreadable)?;
        if form != FORM {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!("the part has form {form}, and this opskit knows {FORM}"),
            )
            .with_hint("Use one version of opskit for the snapshot and all workers."));
        }
        serde_json::from_slice(json).map_err(unreadable)
    }

    /// The snapshot, as `pg_current_snapshot()` tells it.
    #[must_use]
    pub fn snapshot(&self) -> &str {
        &self.meeting.snapshot
    }

    /// Reads the part into `sink`. Whether rows were counted here and by the server alike was looked at.
    ///
    /// Nobody here knows whether the snapshot is still held, so a lost connection is an error.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] when the URL leads to another server or database, [`ErrorKind::NotFound`] when the
    /// snapshot is gone, `Damaged` when counts differ; what the sink says; `Connection`, `Timeout`, `Cancelled`.
    pub async fn read(
        &self,
        ctx: &OpContext,
        url: &DatabaseUrl,
        request: &ExportRequest,
        sink: Arc<dyn BackupSink>,
    ) -> Result<PartReport> {
        let mut connection = WireConnection::connect(url, ctx.cancel()).await?;
        self.meeting.check(&mut connection).await?;
        let request = request.clone().with_lock_timeout(self.lock_timeout());
        let resolved = connection.resolved().clone();
        let selection = match (&self.query, self.own_path) {
            (Some(query), true) => Selection::Query(query.clone()),
            _ => Selection::Tables(Vec::new()),
        };
        let request = ExportRequest {
            selection,
            ..request
        };
        let joiner = Joiner::new(url, &resolved, ctx.cancel(), &request, &self.meeting);
        let connection = joiner.join(connection).await.map_err(gone)?;
        let reading = Reading {
            ctx: ctx.clone(),
            request,
            joiner,
            sink,
        };
        let table = self.table_plan();
        let progress = Arc::default();
        let reading = reading.part(
            (&table, self.parts),
            &self.part,
            Some(connection),
            &progress,
        );
        let (connection, report) = reading.await?;
        connection.close().await;
        ctx.emit(Event::PartFinished {
            table: table.name,
            part: self.part.number,
            rows: report.rows,
            heap_bytes: self.part.heap_bytes,
        });
        Ok(report)
    }

    fn lock_timeout(&self) -> Duration {
        Duration::from_millis(self.lock_timeout_ms)
    }

    fn table_plan(&self) -> TablePlan {
        TablePlan {
            name: self.table.clone(),
            row_type: Arc::clone(&self.row_type),
            parts: vec![self.part.clone()],
            query: self.query.clone(),
            part_queries: Vec::new(),
        }
    }
}

/// The server that has no such snapshot is the right one: it was there.
fn gone(error: Error) -> Error {
    match error.sqlstate() {
        Some("22023" | "42704") => Error::new(ErrorKind::NotFound, "the snapshot of the part is gone")
            .with_source(error)
            .with_hint("Its plan was closed, or lost its connection. Make a new plan: parts of two do not fit together."),
        _ => error,
    }
}
