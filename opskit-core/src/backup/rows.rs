//! Planning the rows of a backup: tables, tables of extensions, large objects.

use super::choice::Choice;
use super::plan::PlannedTable;
use super::request::BackupRequest;
use crate::catalog::inventory::{
    Item, LARGE_OBJECTS_SQL, extension_rows_sql, large_object_bounds_sql, large_object_pages_sql,
    large_objects_name,
};
use crate::error::Result;
use crate::pgtype::RowType;
use crate::postgres::export::{Leader, TablePlan};
use crate::repository::Holds;
use std::sync::Arc;

/// The size of a page of a large object: one row of the file that keeps them.
const PAGE_BYTES: u32 = 128 << 10;

/// The tables of the plan with what each holds, in order of their names.
pub(super) async fn tables(
    leader: &mut Leader,
    request: &BackupRequest,
    choice: &Choice,
) -> Result<(Vec<TablePlan>, Vec<Holds>)> {
    let (own, of_extensions) = choice.wanted();
    let part_bytes = request.reading.part_bytes;
    let named: Vec<_> = own.iter().map(|it| (it.oid, it.name.clone())).collect();
    let plans = leader.plan_leaves(&named, part_bytes).await?;
    let plans = plans.into_iter().zip(own);
    let mut tables: Vec<(TablePlan, Holds)> = plans
        .map(|(table, item)| match item.platform {
            true => (without_computed(table), Holds::PlatformTable),
            false => (table, Holds::Table),
        })
        .collect();
    tables.extend(extension_tables(leader, &of_extensions).await?);
    if choice.has_large_objects {
        tables.extend(large_objects(leader, part_bytes).await?);
    }
    tables.sort_by(|(a, _), (b, _)| a.name.cmp(&b.name));
    Ok(tables.into_iter().unzip())
}

/// What the platform computes it computes again, there perhaps by another rule.
fn without_computed(table: TablePlan) -> TablePlan {
    let mut row_type = RowType::clone(&table.row_type);
    row_type.columns.retain(|column| !column.generated);
    TablePlan {
        row_type: Arc::new(row_type),
        ..table
    }
}

async fn extension_tables(leader: &mut Leader, items: &[&Item]) -> Result<Vec<(TablePlan, Holds)>> {
    let oids: Vec<u32> = items.iter().map(|item| item.oid).collect();
    let mut row_types = leader.row_types(&oids).await?;
    let mut tables = Vec::new();
    for item in items {
        let Some(of) = &item.extension else { continue };
        let sql = extension_rows_sql(&item.name, of);
        let doing = format!(
            "extension \"{}\" selects the rows of \"{}\" in a way that cannot be run",
            of.name, item.name
        );
        // The condition is the extension's own text: it must be part of one statement, not end it.
        leader
            .session
            .parse_one(&doing, format!("SELECT * FROM ({sql}\n) AS q"))
            .await?;
        let row_type = row_types.remove(&item.oid).unwrap_or_default();
        let table = Leader::plan_queries(item.name.clone(), row_type, vec![sql], 0);
        let extension = of.name.clone();
        tables.push((table, Holds::ExtensionTable { extension }));
    }
    Ok(tables)
}

/// The large objects as a table of their pages. None where there are none.
async fn large_objects(leader: &mut Leader, part_bytes: u64) -> Result<Option<(TablePlan, Holds)>> {
    let doing = "cannot read the large objects";
    let session = &mut leader.session;
    let rows = session.rows(doing, LARGE_OBJECTS_SQL.to_owned()).await?;
    let count = |at: usize| {
        let text = rows.first().and_then(|row| row.get(at)?.as_deref());
        text.and_then(|text| text.parse::<u64>().ok()).unwrap_or(0)
    };
    let (objects, bytes) = (count(0), count(1));
    if objects == 0 {
        return Ok(None);
    }
    let parts = bytes.div_ceil(part_bytes).clamp(1, objects);
    let bounds = session.rows(doing, large_object_bounds_sql(parts)).await?;
    let bounds: Vec<u32> = bounds
        .iter()
        .filter_map(|row| row.first()?.as_deref()?.parse().ok())
        .collect();
    let queries = bounds.iter().enumerate().map(|(at, from)| {
        let last = bounds.get(at + 1).map_or(u32::MAX, |next| next - 1);
        large_object_pages_sql(*from..=last, &[], PAGE_BYTES)
    });
    let row_type = leader
        .row_type_of(&[
            ("loid", 26, "oid"),
            ("page", 23, "integer"),
            ("data", 17, "bytea"),
        ])
        .await?;
    let table = Leader::plan_queries(
        large_objects_name(),
        row_type,
        queries.collect(),
        bytes / parts,
    );
    let holds = Holds::LargeObjects {
        objects,
        page_bytes: PAGE_BYTES,
    };
    Ok(Some((table, holds)))
}

pub(super) fn planned(tables: &[TablePlan], holds: &[Holds]) -> Vec<PlannedTable> {
    let tables = tables.iter().zip(holds);
    let table = |(table, holds): (&TablePlan, &Holds)| PlannedTable {
        name: table.name.clone(),
        holds: holds.clone(),
        columns: table.row_type.columns.len() as u64,
        parts: table.parts.len() as u64,
        heap_bytes: table.parts.iter().map(|part| part.heap_bytes).sum(),
    };
    tables.map(table).collect()
}
