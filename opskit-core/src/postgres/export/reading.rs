//! Reading parts into a sink, for the workers of a run and for those on other machines.

use super::part::{self, PartJob, Progress};
use super::plan::TablePlan;
use super::report::PartReport;
use super::request::ExportRequest;
use super::worker::Joiner;
use crate::context::OpContext;
use crate::error::Result;
use crate::event::Event;
use crate::export::plan::Part;
use crate::name::QualifiedName;
use crate::postgres::wire::WireConnection;
use crate::sink::{BackupSink, PartHeader};
use std::sync::Arc;
use tracing::Instrument as _;

/// What it takes to read a part: how to join the snapshot, how to decode, and where rows go.
#[derive(Debug)]
pub(super) struct Reading {
    pub(super) ctx: OpContext,
    pub(super) request: ExportRequest,
    pub(super) joiner: Joiner,
    pub(super) sink: Arc<dyn BackupSink>,
}

impl Reading {
    /// Reads one of a table's `parts` over `connection`, which joined the snapshot; over a new one where there is none.
    pub(super) async fn part(
        &self,
        (table, parts): (&TablePlan, u32),
        part: &Part,
        connection: Option<WireConnection>,
        progress: &Arc<Progress>,
    ) -> Result<(WireConnection, PartReport)> {
        let form = self.sink.row_form();
        let span = tracing::info_span!("opskit.part", table = %table.name, part = part.number);
        let work = async {
            let connection = match connection {
                Some(connection) => connection,
                None => self.joiner.connect().await?,
            };
            self.started(&table.name, parts, part);
            let header = PartHeader {
                table: table.name.clone(),
                part: part.number,
                parts,
                row_type: Arc::clone(&table.row_type),
            };
            let job = PartJob {
                header: header.clone(),
                form,
                decode: self.request.decode_options(),
                queue_bytes: self.request.queue_bytes,
                progress: Arc::clone(progress),
            };
            let writer = self.sink.open_part(header).await?;
            let sql = table.copy_sql(part, form);
            part::run(&self.ctx, connection, &sql, job, writer).await
        };
        work.instrument(span)
            .await
            .map_err(|error| error.while_doing(format!("cannot export \"{}\"", table.name)))
    }

    fn started(&self, table: &QualifiedName, parts: u32, part: &Part) {
        if part.number == 0 {
            self.ctx.emit(Event::TableStarted {
                table: table.clone(),
                parts: parts as usize,
            });
        }
        self.ctx.emit(Event::PartStarted {
            table: table.clone(),
            part: part.number,
            heap_bytes: part.heap_bytes,
        });
    }
}
