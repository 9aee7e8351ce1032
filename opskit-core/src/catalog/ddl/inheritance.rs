//! Tables that hang under others.

use super::table::{Shape, body};
use super::{Emitter, Section};
use crate::catalog::model::{Inheritance, Object, Partition, Table};
use crate::name::QualifiedName;

/// Hangs a partition under its parent. It was made on its own, so that its columns keep their order.
pub(super) fn attach(object: &Object, partition: &Partition, out: &mut Emitter<'_>) {
    let sql = format!(
        "ALTER TABLE ONLY {} ATTACH PARTITION {} {}",
        partition.parent.to_sql(),
        object.sql_name(),
        partition.bound
    );
    out.create(Section::PreData, object, sql);
}

/// The name of the table that lends a child its columns while it is made.
pub(super) fn lender(object: &Object) -> QualifiedName {
    let schema = object.schema.as_deref().unwrap_or_default();
    QualifiedName::new(schema, format!("opskit_lender_{}", object.address.oid))
}

/// Makes the table that lends a child its columns.
///
/// A child that was there before its parent got more columns has them last, and `INHERITS` would put
/// them first; one with several parents may have settled what its parents contradict each other in. So
/// such a child first inherits from a table that has just its own columns, then from its parents, and
/// then no longer from the first.
pub(super) fn lend(object: &Object, table: &Table, out: &mut Emitter<'_>) {
    let body = body(table, Shape::Lender, out);
    let sql = format!("CREATE TABLE {} ({body})", lender(object).to_sql());
    out.create(Section::PreData, object, sql);
}

/// Hangs a child that inherits from its lender under its parents.
pub(super) fn adopt(object: &Object, inheritance: &Inheritance, out: &mut Emitter<'_>) {
    let name = object.sql_name();
    let lender = lender(object).to_sql();
    for parent in &inheritance.parents {
        let sql = format!("ALTER TABLE ONLY {name} INHERIT {}", parent.to_sql());
        out.create(Section::PreData, object, sql);
    }
    let sql = format!("ALTER TABLE ONLY {name} NO INHERIT {lender}");
    out.create(Section::PreData, object, sql);
    out.create(Section::PreData, object, format!("DROP TABLE {lender}"));
}
