//! Indexes.

use super::{Emitter, Section};
use crate::catalog::model::{Index, IndexState, Object};
use crate::name::{QualifiedName, quote_ident};

pub(super) fn create(object: &Object, index: &Index, out: &mut Emitter<'_>) {
    if !index.valid {
        out.refuse(object, "the index is invalid: building it failed");
        return;
    }
    out.create(Section::PostData, object, index.definition.clone());
    settle(object, &index.table, &index.state, out);
}

/// What is set on an index after it was made. That of a constraint has the constraint's name.
pub(super) fn settle(
    object: &Object,
    table: &QualifiedName,
    state: &IndexState,
    out: &mut Emitter<'_>,
) {
    let name = object.sql_name();
    let bare = quote_ident(&object.name);
    let table = table.to_sql();
    for (column, target) in &state.statistics {
        let sql = format!("ALTER INDEX {name} ALTER COLUMN {column} SET STATISTICS {target}");
        out.create(Section::PostData, object, sql);
    }
    if let Some(parent) = &state.attached_to {
        let sql = format!("ALTER INDEX {} ATTACH PARTITION {name}", parent.to_sql());
        out.create(Section::PostData, object, sql);
    }
    if state.clustered {
        let sql = format!("ALTER TABLE {table} CLUSTER ON {bare}");
        out.create(Section::PostData, object, sql);
    }
    if state.replica_identity {
        let sql = format!("ALTER TABLE ONLY {table} REPLICA IDENTITY USING INDEX {bare}");
        out.create(Section::PostData, object, sql);
    }
}
