//! Large objects, from their pages.

use super::rows::{Load, Rows};
use super::target;
use crate::error::Result;
use crate::name::QualifiedName;
use crate::postgres::load::{LoadTable, Transaction};
use crate::postgres::wire::WireConnection;
use crate::repository::TableEntry;

const STAGE: &str = "opskit_pages";

/// Those of these large objects that have bytes, which loading rows would write over.
pub(super) async fn filled(session: &mut WireConnection, oids: &[u32]) -> Result<Vec<String>> {
    let mut all = Vec::new();
    for some in oids.chunks(10_000) {
        let numbers: Vec<String> = some.iter().map(u32::to_string).collect();
        let sql = format!(
            "select m.oid::pg_catalog.text from pg_catalog.pg_largeobject_metadata m where m.oid in ({}) \
               and pg_catalog.octet_length(pg_catalog.lo_get(m.oid, 0, 1)) > 0 order by m.oid",
            numbers.join(", ")
        );
        let found = target::rows(session, &sql).await?;
        all.extend(
            found
                .iter()
                .map(|row| format!("large object {}", target::field(row, 0))),
        );
    }
    Ok(all)
}

/// Loads the pages into a temporary table, and writes the objects from there in one transaction.
pub(super) async fn load(
    rows: &Rows,
    table: &TableEntry,
    page_bytes: u32,
    mut session: WireConnection,
    transaction: Transaction,
) -> Result<WireConnection> {
    let doing = "cannot restore the large objects";
    let made = session
        .query_one(&format!(
            "CREATE TEMPORARY TABLE IF NOT EXISTS {STAGE} (loid pg_catalog.oid, page pg_catalog.int4, data pg_catalog.bytea)"
        ))
        .await;
    made.map_err(|error| error.while_doing(doing))?;
    let stage = LoadTable::temporary(STAGE, (*table.row_type).clone());
    for part in &table.parts {
        if transaction == Transaction::Own {
            session.execute("BEGIN").await?;
        }
        let load = Load::new(table, part, Transaction::Callers);
        session = rows.load_into(&load, &stage, session).await?;
        for sql in write(page_bytes) {
            let done = session.query_one(&sql).await;
            done.map_err(|error| error.while_doing(doing))?;
        }
        if transaction == Transaction::Own {
            session.execute("COMMIT").await?;
        }
    }
    Ok(session)
}

/// The statements that make the objects of the pages that are staged, where they do not exist yet, fill
/// them, and empty the stage.
fn write(page_bytes: u32) -> [String; 3] {
    let stage = QualifiedName::new("pg_temp", STAGE).to_sql();
    [
        format!(
            "SELECT pg_catalog.lo_create(o.loid) FROM (SELECT DISTINCT loid FROM {stage}) o \
             WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_largeobject_metadata m WHERE m.oid = o.loid)"
        ),
        format!(
            "SELECT pg_catalog.lo_put(loid, page::pg_catalog.int8 * {page_bytes}, data) FROM {stage} \
             WHERE pg_catalog.octet_length(data) > 0"
        ),
        format!("TRUNCATE {stage}"),
    ]
}
