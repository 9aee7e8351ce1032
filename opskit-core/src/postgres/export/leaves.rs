//! Planning many tables with a few queries.

use super::leader::{Leader, refuse_rewritten};
use super::plan::TablePlan;
use crate::catalog::{TextRow, columns_from, columns_sql, heaps_from, heaps_of_sql};
use crate::error::{Error, ErrorKind, Result};
use crate::export::plan::{BlockRange, Part, parts};
use crate::name::QualifiedName;
use crate::pgtype::RowType;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

impl Leader {
    /// Plans tables that hold their rows themselves, in the order given. They must be those that were
    /// locked.
    pub(crate) async fn plan_leaves(
        &mut self,
        tables: &[(u32, QualifiedName)],
        part_bytes: u64,
    ) -> Result<Vec<TablePlan>> {
        let oids: Vec<u32> = tables.iter().map(|(oid, _)| *oid).collect();
        let mut row_types = self.row_types(&oids).await?;
        let sql = heaps_of_sql(&oids);
        let rows = self
            .session
            .rows("cannot read the sizes of tables", sql)
            .await?;
        let (heaps, rewritten) = heaps_from(&rows, self.source.server_version)?;
        refuse_rewritten(&rewritten)?;
        let mut heaps: HashMap<u32, _> = rows
            .iter()
            .zip(heaps)
            .filter_map(|(row, heap)| Some((oid_at(row, 7)?, heap)))
            .collect();
        let planned = tables.iter().map(|(oid, name)| {
            let heap = heaps.remove(oid).ok_or_else(|| super::changed(name))?;
            Ok(TablePlan {
                name: name.clone(),
                row_type: Arc::new(row_types.remove(oid).unwrap_or_default()),
                parts: parts(&[heap], part_bytes),
                query: None,
                part_queries: Vec::new(),
            })
        });
        planned.collect()
    }

    /// Plans a table of some rows of another one, or of rows that are no table's: a part for each query.
    /// `heap_bytes` is an estimate of the work of each.
    pub(crate) fn plan_queries(
        name: QualifiedName,
        row_type: RowType,
        queries: Vec<String>,
        heap_bytes: u64,
    ) -> TablePlan {
        let part = |number: usize| Part {
            number: number as u32,
            heap: name.clone(),
            only: false,
            range: BlockRange::default(),
            heap_bytes,
        };
        TablePlan {
            parts: (0..queries.len()).map(part).collect(),
            name,
            row_type: Arc::new(row_type),
            query: None,
            part_queries: queries,
        }
    }

    /// The columns of a query of the library's own, by name, OID and name of a type of the server's.
    pub(crate) async fn row_type_of(&mut self, columns: &[(&str, u32, &str)]) -> Result<RowType> {
        let types = self.types(columns.iter().map(|(_, oid, _)| *oid).collect());
        let types = types.await?;
        let rows: Vec<TextRow> = columns
            .iter()
            .map(|(name, oid, sql_type)| {
                let text = |text: &str| Some(text.to_owned());
                let (oid, none) = (Some(oid.to_string()), text("-1"));
                vec![
                    text(name),
                    oid,
                    none,
                    text(sql_type),
                    text("t"),
                    text("f"),
                    None,
                ]
            })
            .collect();
        columns_from(&rows, &types)
    }

    /// The columns of tables. One without columns is not among the answers.
    pub(crate) async fn row_types(&mut self, tables: &[u32]) -> Result<HashMap<u32, RowType>> {
        let rows = self
            .session
            .rows("cannot read the columns", columns_sql(tables))
            .await?;
        let types: HashSet<u32> = rows.iter().filter_map(|row| oid_at(row, 1)).collect();
        let types = self.types(types).await?;
        let mut of_table: HashMap<u32, Vec<TextRow>> = HashMap::new();
        for row in rows {
            let table = oid_at(&row, 7).ok_or_else(|| {
                Error::new(ErrorKind::Internal, "the catalog gave a column of no table")
            })?;
            of_table.entry(table).or_default().push(row);
        }
        let row_types = of_table
            .into_iter()
            .map(|(table, rows)| Ok((table, columns_from(&rows, &types)?)));
        row_types.collect()
    }
}

fn oid_at(row: &TextRow, at: usize) -> Option<u32> {
    row.get(at)?.as_deref()?.parse().ok()
}
