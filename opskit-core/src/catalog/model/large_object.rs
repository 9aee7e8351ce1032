//! Large objects: that they exist. Their bytes are data.

use super::read::{ReadContext, Reading};
use super::{CatalogId, Definition};

/// The query for all large objects: they have no schema, so all of them belong to the user. The name is
/// the OID, by which programs know them.
pub(super) fn reading(_: &ReadContext<'_>) -> Reading {
    Reading {
        what: "the large objects",
        catalog: CatalogId::LARGE_OBJECT,
        sql: "select m.oid, null::pg_catalog.text, m.oid::pg_catalog.text, \
              pg_catalog.pg_get_userbyid(m.lomowner), '{}'::pg_catalog.text \
              from pg_catalog.pg_largeobject_metadata m"
            .to_owned(),
        definition: |_| Ok(Definition::LargeObject),
    }
}
