//! Sequences.

use super::{Action, Emitter, Place, Section};
use crate::catalog::model::{Object, Sequence, SequenceOptions};
use crate::name::quote_ident;

pub(super) fn create(object: &Object, sequence: &Sequence, out: &mut Emitter<'_>) {
    let unlogged = if sequence.unlogged { "UNLOGGED " } else { "" };
    let name = object.sql_name();
    let sql = format!(
        "CREATE {unlogged}SEQUENCE {name} AS {} {}",
        sequence.options.data_type,
        counting(&sequence.options)
    );
    out.create(Section::PreData, object, sql);
    if let Some((table, column)) = &sequence.owned_by {
        let column = quote_ident(column);
        let sql = format!("ALTER SEQUENCE {name} OWNED BY {}.{column}", table.to_sql());
        // The column's default needs the sequence, so the table comes after it.
        out.push(Section::PreData, Place::Last, Action::Create, object, sql);
    }
}

/// How a sequence counts, without its type.
pub(super) fn counting(options: &SequenceOptions) -> String {
    let cycle = if options.cycle { "CYCLE" } else { "NO CYCLE" };
    format!(
        "INCREMENT BY {} MINVALUE {} MAXVALUE {} START WITH {} CACHE {} {cycle}",
        options.increment, options.minimum, options.maximum, options.start, options.cache
    )
}
