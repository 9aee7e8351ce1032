//! What every order of things does.

use super::compare::{self, Comparison};
use super::prepare::Prepared;
use super::rehearsal;
use super::report::Phase;
use super::request::{Acting, OnError, Part, RestoreRequest, Transactions};
use super::rows::{COLUMNS_AT_ONCE, Rows};
use super::sessions::{Opener, Sessions};
use super::steps::Steps;
use super::target::Target;
use super::values;
use crate::catalog::ddl::{Section, Statement};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::event::Event;
use crate::name::quote_literal;
use crate::postgres::load::Transaction;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use crate::repository::{SequenceEntry, TableEntry, VerifyLevel};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// What is being done.
pub(super) struct Work<'a> {
    ctx: &'a OpContext,
    pub(super) target: &'a Target,
    pub(super) request: RestoreRequest,
    pub(super) prepared: Prepared,
    pub(super) rows: Arc<Rows>,
    pub(super) steps: Steps,
    pub(super) phases: Vec<Phase>,
    pub(super) comparison: Comparison,
}

impl<'a> Work<'a> {
    pub(super) fn new(
        ctx: &'a OpContext,
        request: RestoreRequest,
        mut prepared: Prepared,
        (sessions, target): (&Sessions, &'a Target),
    ) -> Self {
        // Only a table that this restore makes is certain to be empty, and may be emptied.
        let transaction = match (request.part, request.on_error) {
            (Part::Everything, OnError::Stop) => Transaction::Truncating,
            _ => Transaction::Own,
        };
        let rows = Rows {
            ctx: ctx.clone(),
            reader: Arc::clone(&prepared.reader),
            format: prepared.format,
            request: request.clone(),
            tables: std::mem::take(&mut prepared.tables),
            transaction,
            columns: Semaphore::new(COLUMNS_AT_ONCE as usize),
        };
        let steps = Steps {
            on_error: request.on_error,
            transactions: request.transactions,
            login: sessions.login.as_ref().map(|login| login.role.clone()),
            guard: None,
            optional: std::mem::take(&mut prepared.optional),
            denied: Vec::new(),
            failures: Vec::new(),
            done: 0,
        };
        Self {
            ctx,
            target,
            request,
            prepared,
            rows: Arc::new(rows),
            steps,
            phases: Vec::new(),
            comparison: Comparison::default(),
        }
    }

    pub(super) async fn all(&mut self, sessions: &mut Sessions) -> Result<()> {
        self.look().await?;
        self.announce();
        match self.request.transactions {
            Transactions::Many => self.in_many(sessions).await,
            Transactions::One => self.in_one(sessions).await,
        }
    }

    /// Looks whether the rows are there, and whole where something of the target is dropped for them. Each part is
    /// looked at again when it is loaded.
    async fn look(&mut self) -> Result<()> {
        let start = self.now();
        let level = match self.prepared.replaces {
            true => VerifyLevel::Hash,
            false => VerifyLevel::List,
        };
        let (rows, ctx) = (Arc::clone(&self.rows), self.ctx.clone());
        let looking = tokio::task::spawn_blocking(move || {
            let parts = rows.tables.iter().flat_map(|table| &table.parts);
            let names = parts.flat_map(|part| std::iter::once(&part.object).chain(&part.exact));
            rows.reader.check(&ctx, names.map(String::as_str), level)
        });
        looking.await.map_err(|source| {
            Error::new(ErrorKind::Internal, "the reader of the backup stopped").with_source(source)
        })??;
        self.phase("check of the backup", start);
        Ok(())
    }

    /// Runs statements of our own making: nothing of the backup is in them but quoted names.
    pub(super) async fn own(
        &mut self,
        session: &mut WireConnection,
        statements: &[(String, String)],
    ) -> Result<()> {
        for (object, sql) in statements {
            match session.query_one(sql).await {
                Ok(_) => self.steps.done += 1,
                Err(error) => self.steps.failed(object, error)?,
            }
        }
        Ok(())
    }

    pub(super) fn section(&self, section: Section) -> Vec<Statement> {
        let statements = self.prepared.statements.iter();
        statements
            .filter(|statement| statement.section == section)
            .cloned()
            .collect()
    }

    pub(super) async fn run_section(
        &mut self,
        section: Section,
        admin: &mut WireConnection,
        worker: &mut WireConnection,
    ) -> Result<()> {
        let statements = self.section(section);
        self.steps.run(admin, worker, &statements).await
    }

    pub(super) fn sequences(&self) -> Vec<(String, String)> {
        if self.request.part == Part::Schema {
            return Vec::new();
        }
        self.prepared.sequences.iter().map(set_value).collect()
    }

    /// Compares rows with no more rights than they were loaded with: to plan a query of a table, the server
    /// runs functions of its constraints and indexes.
    pub(super) async fn compare_rows(&mut self, opener: &Opener) -> Result<()> {
        if self.request.part == Part::Schema {
            return Ok(());
        }
        let (url, jobs) = (opener.url(), self.request.jobs);
        let compared = compare::rows(self.ctx, url, &self.rows.tables, jobs, &mut self.comparison);
        Box::pin(compared).await
    }

    /// Compares what is no row of the user's tables, which runs no code of theirs.
    pub(super) async fn compare_values(&mut self, owner: &Opener) -> Result<()> {
        if self.request.part == Part::Schema {
            return Ok(());
        }
        // Jobs that were put to sleep are not as they were.
        let is_asleep = |table: &&TableEntry| {
            self.request.acting == Acting::Disabled && rehearsal::stop_jobs(&table.name).is_some()
        };
        let tables = self.rows.tables.iter().filter(|table| !is_asleep(table));
        let wanted = values::Wanted {
            sequences: &self.prepared.sequences,
            tables: tables.collect(),
            strangers: &self.prepared.strangers,
        };
        values::compare(self.ctx, owner.url(), &wanted, &mut self.comparison).await
    }

    /// Compares objects, which runs none of their code.
    pub(super) async fn compare_facts(&mut self, url: &DatabaseUrl) -> Result<()> {
        if let Some(expected) = &self.prepared.expected {
            let (from, wanted) = ((self.ctx, url), (expected, &self.rows.reader));
            let by = (&self.request, &self.prepared.unproven);
            compare::facts(from, wanted, by, &mut self.comparison).await?;
        }
        Ok(())
    }

    fn announce(&self) {
        let parts = || self.rows.tables.iter().flat_map(|table| &table.parts);
        self.ctx.emit(Event::RunStarted {
            tables: self.rows.tables.len(),
            parts: parts().count(),
            heap_bytes: parts().map(|part| part.wire_bytes).sum(),
        });
    }

    pub(super) fn now(&self) -> Duration {
        self.ctx.clock().elapsed()
    }

    pub(super) fn phase(&mut self, name: &'static str, start: Duration) {
        let elapsed = self.now() - start;
        self.phases.push(Phase {
            name,
            elapsed_ms: elapsed.as_millis() as u64,
        });
    }
}

fn set_value(sequence: &SequenceEntry) -> (String, String) {
    let sql = format!(
        "SELECT pg_catalog.setval({}::pg_catalog.regclass, {}, {})",
        quote_literal(&sequence.name.to_sql()),
        sequence.last_value,
        sequence.is_called
    );
    (format!("sequence {}", sequence.name), sql)
}
