//! Defaults that are added to a table or view that is there.

use super::{Emitter, Section};
use crate::catalog::model::{ColumnDefault, Object};
use crate::name::quote_ident;

pub(super) fn create(object: &Object, default: &ColumnDefault, out: &mut Emitter<'_>) {
    let sql = format!(
        "ALTER TABLE ONLY {} ALTER COLUMN {} SET DEFAULT {}",
        default.table.to_sql(),
        quote_ident(&default.column),
        default.expression
    );
    out.create(Section::PreData, object, sql);
}
