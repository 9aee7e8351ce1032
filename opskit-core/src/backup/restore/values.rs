//! Whether what is no row of a user's table is what the backup says: sequences, large objects, and the rows of the
//! user's in tables of extensions.

use super::compare::Comparison;
use super::report::Difference;
use super::target::{self, Target};
use crate::catalog::inventory::{
    OfExtension, extension_rows_sql, large_object_pages_sql, sequence_from, sequences_sql,
};
use crate::catalog::model::Model;
use crate::catalog::{Address, CatalogId};
use crate::context::OpContext;
use crate::error::{ErrorKind, Result};
use crate::export::Fingerprint;
use crate::name::{QualifiedName, quote_ident, quote_literal};
use crate::postgres::export::{Export, ExportRequest};
use crate::postgres::url::DatabaseUrl;
use crate::postgres::wire::WireConnection;
use crate::repository::{Holds, SequenceEntry, TableEntry};
use crate::sink::{NullSink, RowForm};
use std::collections::{HashMap, HashSet};
use std::sync::Arc;

/// How many sequences are read by one query.
const SEQUENCES_AT_ONCE: usize = 500;

/// What is compared.
pub(super) struct Wanted<'a> {
    pub(super) sequences: &'a [SequenceEntry],
    pub(super) tables: Vec<&'a TableEntry>,
    /// Large objects that are none of the backup's.
    pub(super) strangers: &'a [u32],
}

/// Compares all of them, over sessions of the target's role.
pub(super) async fn compare(
    ctx: &OpContext,
    url: &DatabaseUrl,
    wanted: &Wanted<'_>,
    into: &mut Comparison,
) -> Result<()> {
    let mut session = WireConnection::connect(url, ctx.cancel()).await?;
    compare_sequences(&mut session, wanted.sequences, into).await?;
    let mut of_platform = 0;
    for table in &wanted.tables {
        let sql = match &table.holds {
            Holds::LargeObjects { page_bytes, .. } => Some(large_object_pages_sql(
                0..=u32::MAX,
                wanted.strangers,
                *page_bytes,
            )),
            Holds::ExtensionTable { extension } => {
                let of = condition(&mut session, &table.name, extension).await?;
                of.map(|of| extension_rows_sql(&table.name, &of))
            }
            Holds::PlatformTable => Some(platform_rows_sql(table)),
            Holds::Table => continue,
        };
        let found = match sql {
            Some(sql) => print(ctx, url, sql).await?,
            None => (0, None),
        };
        into.rows_of(table, found);
        into.compared.push(match table.holds {
            Holds::PlatformTable => {
                of_platform += 1;
                continue;
            }
            Holds::LargeObjects { objects, .. } => format!("the bytes of {objects} large objects"),
            _ => format!("the user's rows of {}", table.name),
        });
    }
    if of_platform > 0 {
        let what = format!("rows and fingerprints of {of_platform} tables of the platform");
        into.compared.push(what);
    }
    session.close().await;
    Ok(())
}

async fn compare_sequences(
    session: &mut WireConnection,
    wanted: &[SequenceEntry],
    into: &mut Comparison,
) -> Result<()> {
    if wanted.is_empty() {
        return Ok(());
    }
    let there = target::relations(session, 'S').await?;
    let names = wanted.iter().map(|it| &it.name);
    let names: Vec<QualifiedName> = names.filter(|it| there.contains(it)).cloned().collect();
    let mut found: HashMap<QualifiedName, (i64, bool)> = HashMap::new();
    for some in names.chunks(SEQUENCES_AT_ONCE) {
        let answer = match session.query_one(&sequences_sql(some)).await {
            Ok(answer) => answer,
            Err(error) if error.kind() == ErrorKind::PermissionDenied => {
                into.warnings.push(format!(
                    "the values of {} sequences were not compared: {error}",
                    wanted.len()
                ));
                return Ok(());
            }
            Err(error) => return Err(error.while_doing("cannot compare the sequences")),
        };
        for row in &answer.rows {
            let (name, last_value, is_called) = sequence_from(row)?;
            found.insert(name, (last_value, is_called));
        }
    }
    for sequence in wanted {
        let text = match found.get(&sequence.name) {
            None => format!("sequence {} is missing", sequence.name),
            Some(found) if *found == (sequence.last_value, sequence.is_called) => continue,
            Some(_) => format!("sequence {} has another value", sequence.name),
        };
        into.differences.push(Difference::Object { text });
    }
    let count = format!("the values of {} sequences", wanted.len());
    into.compared.push(count);
    Ok(())
}

/// How the extension of the target tells the user's rows of a table from its own.
async fn condition(
    session: &mut WireConnection,
    table: &QualifiedName,
    extension: &str,
) -> Result<Option<OfExtension>> {
    let sql = format!(
        "select t.condition from pg_catalog.pg_extension e cross join lateral rows from \
           (pg_catalog.unnest(e.extconfig), pg_catalog.unnest(e.extcondition)) t(relation, condition) \
           join pg_catalog.pg_class c on c.oid = t.relation \
           join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where e.extname = {} and n.nspname = {} and c.relname = {}",
        quote_literal(extension),
        quote_literal(&table.schema),
        quote_literal(&table.name)
    );
    let found = target::rows(session, &sql).await?;
    Ok(found.first().map(|row| OfExtension {
        name: extension.to_owned(),
        condition: target::field(row, 0),
    }))
}

/// The query for those columns of a table that the backup has.
pub(crate) fn platform_rows_sql(table: &TableEntry) -> String {
    let columns = table.row_type.columns.iter();
    let columns: Vec<String> = columns.map(|it| quote_ident(&it.name)).collect();
    let (columns, from) = (columns.join(", "), table.name.to_sql());
    format!("SELECT {columns} FROM ONLY {from}")
}

/// The number and the fingerprint of the rows of a query.
pub(crate) async fn print(
    ctx: &OpContext,
    url: &DatabaseUrl,
    sql: String,
) -> Result<(u64, Option<Fingerprint>)> {
    let quiet = OpContext::new(ctx.cancel().clone());
    let export = Export::open(&quiet, url, ExportRequest::query(sql)).await?;
    let sink = Arc::new(NullSink::new(RowForm::Frames));
    let report = Box::pin(export.run(&quiet, sink)).await?;
    let first = report.tables.into_iter().next();
    Ok(first.map_or((0, None), |table| (table.rows, table.fingerprint)))
}

/// The large objects of the target: those that the backup has too, and others.
pub(super) fn large_objects(target: &Target, model: &Model) -> (Vec<u32>, Vec<u32>) {
    let is_large = |address: Address| address.catalog == CatalogId::LARGE_OBJECT;
    let ours = model.objects.iter().map(|object| object.address);
    let ours: HashSet<u32> = ours.filter(|it| is_large(*it)).map(|it| it.oid).collect();
    let present = target.present.iter().map(|it| it.address);
    let large = present.filter(|it| is_large(*it)).map(|it| it.oid);
    large.partition(|oid| ours.contains(oid))
}
