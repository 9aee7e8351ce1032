//! Extensions.

use super::{Emitter, Section};
use crate::catalog::model::{Extension, Object};
use crate::name::{quote_ident, quote_literal};

pub(super) fn create(object: &Object, it: &Extension, out: &mut Emitter<'_>) {
    let schema = quote_ident(&it.schema);
    if !it.schema_is_known {
        // A platform's own schema, which another server may lack.
        let sql = format!("CREATE SCHEMA IF NOT EXISTS {schema}");
        out.create(Section::PreData, object, sql);
    }
    // Platforms bring some themselves, and every database is born with plpgsql.
    let mut sql = format!(
        "CREATE EXTENSION IF NOT EXISTS {} WITH SCHEMA {schema}",
        quote_ident(&object.name),
    );
    if out.is_same_major() {
        // Another major has versions of its own.
        sql.push_str(&format!(" VERSION {}", quote_literal(&it.version)));
    }
    out.create(Section::PreData, object, sql);
}
