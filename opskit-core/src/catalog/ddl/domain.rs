//! Domains and their constraints.

use super::{Emitter, Section};
use crate::catalog::model::{Domain, DomainConstraint, Object};
use crate::name::quote_ident;

pub(super) fn create(object: &Object, it: &Domain, out: &mut Emitter<'_>) {
    let mut sql = format!("CREATE DOMAIN {} AS {}", object.sql_identity(), it.base);
    if let Some(collation) = &it.collation {
        sql.push_str(&format!(" COLLATE {}", collation.to_sql()));
    }
    if let Some(default) = &it.default {
        sql.push_str(&format!(" DEFAULT {default}"));
    }
    if it.not_null {
        sql.push_str(" NOT NULL");
    }
    out.create(Section::PreData, object, sql);
}

pub(super) fn constrain(object: &Object, it: &DomainConstraint, out: &mut Emitter<'_>) {
    // Rows that were there before a constraint NOT VALID may break it.
    let section = if it.validated {
        Section::PreData
    } else {
        Section::PostData
    };
    let sql = format!(
        "ALTER DOMAIN {} ADD CONSTRAINT {} {}",
        it.domain.to_sql(),
        quote_ident(&object.name),
        it.text
    );
    out.create(section, object, sql);
}
