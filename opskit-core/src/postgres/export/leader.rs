//! The leader: locks first, then the snapshot, then the plan; and at the end, a last look.

use super::locks::{find, lock};
use super::meeting::Meeting;
use super::plan::{ExportPlan, TablePlan};
use super::query::{check_query, describe_query, take_locks_over};
use super::report::SourceIdentity;
use super::request::{ExportRequest, Selection};
use super::settings::{BEGIN, apply, bounded_wait, client_encoding};
use crate::catalog::{Heap, Relation, columns_from, heaps_from, heaps_sql, types_from, types_sql};
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result, changed_meanwhile};
use crate::export::plan::{BlockRange, Part, parts};
use crate::name::QualifiedName;
use crate::pgtype::{RowType, TypeCatalog};
use crate::postgres::session::Session;
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::{Column, WireConnection, refuse_transaction_pooler};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

/// An open transaction that holds the locks and the snapshot.
#[derive(Debug)]
pub(crate) struct Leader {
    pub(crate) session: Session,
    relations: Vec<Relation>,
    /// The columns of a query, as the server describes them.
    columns: Vec<Column>,
    pub(crate) meeting: Meeting,
    pub(crate) source: SourceIdentity,
}

impl Leader {
    /// Connects, locks what `request` selects, and exports the snapshot. `probe` is a connection to the
    /// same server that is used for nothing else yet.
    pub(super) async fn start(
        ctx: &OpContext,
        url: &DatabaseUrl,
        request: &ExportRequest,
        probe: &mut WireConnection,
    ) -> Result<Self> {
        refuse_transaction_pooler(url, probe, ctx.cancel()).await?;
        let mut session = Session::connect(url, probe.resolved(), ctx.cancel()).await?;
        let relations = match &request.selection {
            Selection::Tables(patterns) => find(&mut session, patterns).await?,
            Selection::Query(_) => Vec::new(),
        };
        let describe = request.selection.describe();
        check_query(&mut session, describe.as_ref()).await?;
        let wait = bounded_wait(request.lock_timeout, probe.server_version_num());
        session
            .execute("cannot start the transaction", format!("{BEGIN}; {wait}"))
            .await?;
        lock(&mut session, &relations).await?;
        let columns = match &describe {
            Some(describe) => describe_query(probe, &wait, describe).await?,
            None => Vec::new(),
        };
        let mut leader = Self::look(url, session, probe, &request.selection).await?;
        if let Some(describe) = describe {
            take_locks_over(&mut leader.session, probe, describe).await?;
        }
        leader.relations = relations;
        leader.columns = columns;
        Ok(leader)
    }

    /// Locks these relations over a session that was used for nothing else but to find them, and exports
    /// the snapshot. Whether they are still what was found is for the caller to see.
    pub(crate) async fn over(
        url: &DatabaseUrl,
        mut session: Session,
        relations: Vec<Relation>,
        lock_timeout: Duration,
        probe: &WireConnection,
    ) -> Result<Self> {
        let wait = bounded_wait(lock_timeout, probe.server_version_num());
        session
            .execute("cannot start the transaction", format!("{BEGIN}; {wait}"))
            .await?;
        lock(&mut session, &relations).await?;
        let tables = Selection::Tables(Vec::new());
        let mut leader = Self::look(url, session, probe, &tables).await?;
        leader.relations = relations;
        Ok(leader)
    }

    /// Exports the snapshot of a transaction that holds its locks and has none yet.
    async fn look(
        url: &DatabaseUrl,
        mut session: Session,
        probe: &WireConnection,
        selection: &Selection,
    ) -> Result<Self> {
        // From here on there is a snapshot.
        let snapshot_id = session
            .value(
                "cannot export the snapshot",
                "SELECT pg_catalog.pg_export_snapshot()",
            )
            .await?;
        let encoding = probe.parameter("server_encoding").unwrap_or_default();
        let client_encoding = client_encoding(encoding);
        session
            .execute(
                "cannot prepare the transaction",
                apply(client_encoding, selection),
            )
            .await?;
        let snapshot = session
            .value(
                "cannot read the snapshot",
                "SELECT pg_catalog.pg_current_snapshot()::pg_catalog.text",
            )
            .await?;
        let meeting = Meeting::of(&mut session, snapshot_id, &snapshot, client_encoding).await?;
        let source = SourceIdentity {
            database: url.dbname().to_owned(),
            server_version: probe.server_version_num(),
            encoding: encoding.to_owned(),
            snapshot,
        };
        Ok(Self {
            session,
            relations: Vec::new(),
            columns: Vec::new(),
            meeting,
            source,
        })
    }

    /// What will be read, as the snapshot has it.
    pub(super) async fn plan(&mut self, request: &ExportRequest) -> Result<ExportPlan> {
        let mut plan = ExportPlan {
            tables: Vec::new(),
            warnings: Vec::new(),
        };
        if let Some(sql) = request.selection.query() {
            plan.tables.push(self.plan_query(sql).await?);
            return Ok(plan);
        }
        let relations = self.relations.clone();
        let oids: Vec<u32> = relations.iter().map(|relation| relation.oid).collect();
        let mut row_types = self.row_types(&oids).await?;
        for relation in relations {
            self.check_same(&relation).await?;
            if relation.has_children {
                plan.warnings.push(format!(
                    "other tables inherit from \"{}\"; their rows are not in it",
                    relation.name
                ));
            }
            let row_type = row_types.remove(&relation.oid).unwrap_or_default();
            let table = self.plan_table(request, &relation, row_type).await?;
            plan.tables.push(table);
        }
        Ok(plan)
    }

    async fn plan_table(
        &mut self,
        request: &ExportRequest,
        relation: &Relation,
        row_type: RowType,
    ) -> Result<TablePlan> {
        let rows = self
            .session
            .rows("cannot read the sizes of tables", heaps_sql(relation.oid))
            .await?;
        let (mut heaps, rewritten) = heaps_from(&rows, self.source.server_version)?;
        refuse_rewritten(&rewritten)?;
        if heaps.is_empty() {
            // A partitioned table without partitions still has columns, and a file that shows them.
            heaps.push(Heap {
                name: relation.name.clone(),
                blocks: 0,
                block_bytes: 0,
                has_ranges: false,
                only: false,
            });
        }
        let part_bytes = if request.single_part {
            u64::MAX
        } else {
            request.part_bytes
        };
        let parts = parts(&heaps, part_bytes);
        if request.single_part && parts.len() > 1 {
            return Err(Error::new(
                ErrorKind::Unsupported,
                format!(
                    "table \"{}\" has {} partitions, which one file cannot take",
                    relation.name,
                    parts.len()
                ),
            )
            .with_hint("Export into a directory, or use --query 'SELECT * FROM …'."));
        }
        Ok(TablePlan {
            name: relation.name.clone(),
            row_type: Arc::new(row_type),
            parts,
            query: None,
            part_queries: Vec::new(),
        })
    }

    pub(super) async fn types(&mut self, oids: HashSet<u32>) -> Result<TypeCatalog> {
        let mut oids: Vec<u32> = oids.into_iter().collect();
        oids.sort_unstable();
        let sql = types_sql(&oids, self.source.server_version);
        types_from(&self.session.rows("cannot read the types", sql).await?)
    }

    pub(super) async fn plan_query(&mut self, sql: &str) -> Result<TablePlan> {
        let columns = self.columns.clone();
        let types = self
            .types(columns.iter().map(|column| column.type_oid).collect())
            .await?;
        let mut rows = Vec::new();
        for column in &columns {
            let sql_type = self
                .session
                .value(
                    "cannot read the name of a type",
                    format!(
                        "SELECT pg_catalog.format_type({}, {})",
                        column.type_oid, column.type_modifier
                    ),
                )
                .await?;
            rows.push(vec![
                Some(column.name.clone()),
                Some(column.type_oid.to_string()),
                Some(column.type_modifier.to_string()),
                Some(sql_type),
                Some("f".into()),
                Some("f".into()),
                None,
            ]);
        }
        let name = QualifiedName::new("query", "result");
        let part = Part {
            number: 0,
            heap: name.clone(),
            only: false,
            range: BlockRange::default(),
            heap_bytes: 0,
        };
        Ok(TablePlan {
            name,
            row_type: Arc::new(columns_from(&rows, &types)?),
            parts: vec![part],
            query: Some(sql.to_owned()),
            part_queries: Vec::new(),
        })
    }

    /// The name must still mean the relation that was locked: it was found before there was a snapshot.
    async fn check_same(&mut self, relation: &Relation) -> Result<()> {
        let sql = format!(
            "SELECT c.oid::pg_catalog.text FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace \
             WHERE n.nspname = {} AND c.relname = {}",
            crate::name::quote_literal(&relation.name.schema),
            crate::name::quote_literal(&relation.name.name),
        );
        let rows = self.session.rows("cannot read the catalog", sql).await?;
        let oid = rows.first().and_then(|row| row.first()?.as_deref());
        if oid == Some(relation.oid.to_string().as_str()) {
            Ok(())
        } else {
            Err(changed(&relation.name))
        }
    }

    /// A last look after the last part: no heap may have been replaced under the snapshot. Locks keep
    /// tables from it; materialised views take no lock.
    pub(super) async fn check_unchanged(&mut self) -> Result<()> {
        for relation in &self.relations {
            let rows = self
                .session
                .rows("cannot read the catalog", heaps_sql(relation.oid))
                .await?;
            refuse_rewritten(&heaps_from(&rows, self.source.server_version)?.1)?;
        }
        Ok(())
    }

    /// Whether the transaction, and with it the snapshot, is still there.
    pub(super) async fn is_alive(&mut self) -> bool {
        self.session
            .value("cannot reach the leader", "SELECT 1")
            .await
            .is_ok()
    }

    pub(crate) async fn close(self) {
        self.session.close().await;
    }
}

pub(super) fn refuse_rewritten(rewritten: &[QualifiedName]) -> Result<()> {
    rewritten.first().map_or(Ok(()), |name| Err(changed(name)))
}

pub(crate) fn changed(name: &QualifiedName) -> Error {
    changed_meanwhile(format!(
        "\"{name}\" was dropped, renamed or rewritten while it was read"
    ))
}
