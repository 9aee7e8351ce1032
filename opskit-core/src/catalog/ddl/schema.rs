//! Schemas.

use super::{Emitter, Section};
use crate::catalog::model::Object;
use crate::name::quote_ident;

pub(super) fn create(object: &Object, out: &mut Emitter<'_>) {
    // Every database is born with it.
    if object.name == "public" {
        out.given(object);
        return;
    }
    let sql = format!("CREATE SCHEMA {}", quote_ident(&object.name));
    out.create(Section::PreData, object, sql);
}
