//! Exporting tables and queries: one snapshot, some workers, a sink.
//!
//! A leader transaction locks the tables, takes and exports the snapshot and stays open; each worker
//! joins it and reads part after part over a connection of its own.

mod crew;
mod leader;
mod leaves;
mod locks;
mod meeting;
mod part;
mod plan;
mod query;
mod reader;
mod reading;
mod report;
mod request;
mod run;
pub(crate) mod settings;
mod ticket;
mod worker;

pub(crate) use crew::{Crew, table_reports};
pub(crate) use leader::{Leader, changed};
pub use plan::{ExportPlan, TablePlan};
pub use report::{ExportReport, PartReport, SourceIdentity, TableReport};
pub use request::{ExportRequest, Selection};
pub use run::Export;
pub use ticket::PartTicket;
