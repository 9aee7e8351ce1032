//! What of its database a backup does not hold, so that no restore of it brings that back.

use super::request::{Existing, Part, RestoreRequest};
use super::select::name_of;
use super::target::{Target, field, rows};
use crate::catalog::model::{Definition, Model, Table};
use crate::error::Result;
use crate::name::{QualifiedName, quote_literal};
use crate::postgres::wire::WireConnection;
use crate::repository::{BackupType, Contents, Excluded, Holds};
use std::collections::HashSet;

/// In words. What belongs to the platform comes back with that, and is none of the backup's. Where only some
/// tables were asked for, only those are looked at.
pub(super) fn not_in_it(
    (contents, model): (&Contents, &Model),
    backup_type: BackupType,
    request: &RestoreRequest,
) -> Vec<String> {
    if request.part == Part::Schema {
        return Vec::new();
    }
    if !request.only.is_empty() {
        let without = without_rows(contents, model).into_iter();
        return without
            .map(|name| format!("rows of table {name}: the backup does not have them"))
            .collect();
    }
    let excluded = contents.excluded.iter();
    let excluded = excluded.filter(|it| it.reason != Excluded::OF_THE_PLATFORM);
    let mut all: Vec<String> = excluded
        .map(|it| format!("{}: {}", it.object, it.reason))
        .collect();
    let losses = contents.accepted_losses.iter();
    all.extend(losses.map(|object| format!("{object}: a loss that was accepted")));
    if backup_type == BackupType::Schema {
        all.push("all rows: the backup holds definitions only".to_owned());
    }
    all
}

/// The tables that would be dropped with their rows, and come back without any.
pub(super) async fn emptied(
    admin: &mut WireConnection,
    (contents, model): (&Contents, &Model),
    target: &Target,
    request: &RestoreRequest,
) -> Result<Vec<String>> {
    if request.part != Part::Everything || request.existing == Existing::Refuse {
        return Ok(Vec::new());
    }
    let there = without_rows(contents, model).into_iter();
    let there: Vec<String> = there
        .filter(|name| target.has_relation(name))
        .map(|name| {
            let (schema, name) = (quote_literal(&name.schema), quote_literal(&name.name));
            format!("({schema}, {name})")
        })
        .collect();
    let mut all = Vec::new();
    for some in there.chunks(1000) {
        // A table without a page has no rows, and to know that runs nobody's code.
        let sql = format!(
            "select n.nspname::pg_catalog.text, c.relname::pg_catalog.text from pg_catalog.pg_class c \
             join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
             where c.relkind = 'r' and pg_catalog.pg_relation_size(c.oid) > 0 and (n.nspname, c.relname) in ({}) order by 1, 2",
            some.join(", ")
        );
        let found = rows(admin, &sql).await?;
        all.extend(
            found
                .iter()
                .map(|row| format!("table {}.{}", field(row, 0), field(row, 1))),
        );
    }
    Ok(all)
}

/// The tables of the model that the backup has no rows of, not even none.
fn without_rows(contents: &Contents, model: &Model) -> Vec<QualifiedName> {
    let tables = contents.tables.iter();
    let with: HashSet<&QualifiedName> = tables
        .filter(|table| table.holds == Holds::Table)
        .map(|table| &table.name)
        .collect();
    let has_own_rows = |table: &Table| table.partition_key.is_none();
    let objects = model.objects.iter();
    let tables = objects.filter_map(|object| match &object.definition {
        Definition::Table(table) if has_own_rows(table) => name_of(object),
        _ => None,
    });
    tables.filter(|name| !with.contains(name)).collect()
}
