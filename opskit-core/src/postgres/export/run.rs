//! Running an export: a plan, the workers, one report.

use super::crew::Crew;
use super::leader::Leader;
use super::plan::ExportPlan;
use super::report::ExportReport;
use super::request::ExportRequest;
use super::ticket::PartTicket;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use crate::sink::BackupSink;
use std::sync::Arc;
use std::time::Duration;
use time::format_description::well_known::Rfc3339;
use tracing::Instrument as _;

/// An export whose snapshot is taken: look at the plan, then run it.
///
/// Dropping it ends its transaction and connections.
///
/// ```no_run
/// use opskit_core::context::OpContext;
/// use opskit_core::postgres::export::{Export, ExportRequest};
/// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
/// use opskit_core::sink::{NullSink, RowForm};
/// use std::sync::Arc;
///
/// # async fn example() -> opskit_core::Result<()> {
/// let ctx = OpContext::default();
/// let url = DatabaseUrl::parse("postgres://app@localhost/shop", &ConnectEnv::from_process())?;
/// let export = Export::open(&ctx, &url, ExportRequest::tables(["public.*"])?).await?;
/// println!("{} tables, {} parts", export.plan().tables.len(), export.plan().parts());
/// let report = export.run(&ctx, Arc::new(NullSink::new(RowForm::Batches))).await?;
/// println!("{} rows", report.rows);
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Export {
    crew: Crew,
    started_at: String,
    started: Duration,
}

impl Export {
    /// Connects, locks the tables, takes the snapshot and makes the plan. Nothing is read yet.
    ///
    /// # Errors
    /// Of kind `NotFound` when a pattern matches nothing, `Busy` when a lock cannot be had in time or a
    /// table changed meanwhile, `PermissionDenied` when the role may not read a table, `Unsupported`
    /// behind a pooler in transaction mode, `Connection`, `Timeout`, `Cancelled`.
    pub async fn open(ctx: &OpContext, url: &DatabaseUrl, request: ExportRequest) -> Result<Self> {
        let mut first = WireConnection::connect(url, ctx.cancel()).await?;
        let mut leader = Leader::start(ctx, url, &request, &mut first).await?;
        let started_at = ctx.clock().now().format(&Rfc3339).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write the time").with_source(source)
        })?;
        let started = ctx.clock().elapsed();
        let plan = leader.plan(&request).await?;
        Ok(Self {
            crew: Crew::new(ctx, url, request, leader, plan, first),
            started_at,
            started,
        })
    }

    /// What will be read.
    #[must_use]
    pub fn plan(&self) -> &ExportPlan {
        &self.crew.plan
    }

    /// What others need to read the parts in this snapshot, wherever they run, as long as this is held.
    #[must_use]
    pub fn tickets(&self) -> Vec<PartTicket> {
        let Crew { leader, plan, .. } = &self.crew;
        PartTicket::of(&plan.tables, &leader.meeting, self.crew.request())
    }

    /// Ends the transaction, once others have read the parts.
    ///
    /// # Errors
    /// Of kind `Busy` when something was rewritten meanwhile that takes no locks, a materialised view: its parts may be
    /// those of two states; `Connection` when the snapshot was lost.
    pub async fn release(self) -> Result<()> {
        let mut leader = self.crew.leader;
        leader.check_unchanged().await?;
        if !leader.is_alive().await {
            return Err(Error::new(
                ErrorKind::Connection,
                "the connection that held the snapshot was lost",
            ));
        }
        leader.close().await;
        Ok(())
    }

    /// Reads everything into `sink` and commits it, the report as its manifest.
    ///
    /// A worker that loses its connection reads its part again, as long as the leader's transaction
    /// lives. Any other error ends the run; nothing is committed then.
    ///
    /// # Errors
    /// As for [`Self::open`]; `Storage` when the sink cannot write; `Damaged` when counts differ;
    /// `CheckFailed` in strict mode for a value without a standard form.
    pub async fn run(self, ctx: &OpContext, sink: Arc<dyn BackupSink>) -> Result<ExportReport> {
        let span =
            tracing::info_span!("opskit.export", database = %self.crew.leader.source.database);
        self.run_in_span(ctx, sink).instrument(span).await
    }

    async fn run_in_span(self, ctx: &OpContext, sink: Arc<dyn BackupSink>) -> Result<ExportReport> {
        let warnings = self.crew.plan.warnings.clone();
        let (mut leader, tables) = self.crew.read(ctx, &sink).await?;
        leader.check_unchanged().await?;
        let parts = || tables.iter().flat_map(|table| &table.parts);
        let objects = || parts().flat_map(|part| &part.objects);
        let report = ExportReport {
            schema: "opskit.export/1",
            started_at: self.started_at,
            elapsed_ms: (ctx.clock().elapsed() - self.started).as_millis() as u64,
            source: leader.source.clone(),
            form: sink.row_form(),
            rows: parts().map(|part| part.rows).sum(),
            wire_bytes: parts().map(|part| part.wire_bytes).sum(),
            stored_bytes: objects().map(|object| object.bytes).sum(),
            warnings,
            tables,
        };
        let manifest = serde_json::to_vec_pretty(&report).map_err(|source| {
            Error::new(ErrorKind::Internal, "cannot write the manifest").with_source(source)
        })?;
        ctx.cancel().check()?;
        sink.commit(&manifest).await?;
        leader.close().await;
        ctx.emit(Event::RunFinished {
            rows: report.rows,
            elapsed: ctx.clock().elapsed() - self.started,
        });
        Ok(report)
    }
}
