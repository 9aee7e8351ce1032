//! The schema `public`, which every database has from the start.
//!
//! Before version 15 it belongs to the first superuser. An owner of the database restores beside it, and has not
//! to give it to somebody who has it.

use super::target::{field, rows};
use crate::catalog::CatalogId;
use crate::catalog::model::{Definition, Model};
use crate::error::Result;
use crate::postgres::wire::WireConnection;

const OWNER: &str = "select pg_catalog.pg_get_userbyid(n.nspowner)::pg_catalog.text from pg_catalog.pg_namespace n \
   where n.nspname = 'public'";

/// Leaves out whose `public` is, where it is theirs already.
pub(super) async fn keep_owner(admin: &mut WireConnection, model: &mut Model) -> Result<()> {
    let found = rows(admin, OWNER).await?;
    let Some(owner) = found.first().map(|row| field(row, 0)) else {
        return Ok(());
    };
    model.access.owners.retain(|about| {
        let is_public = about.target.kind == "schema" && about.target.names == ["public"];
        !is_public || about.is.role != owner || about.address.catalog != CatalogId::NAMESPACE
    });
    for object in &mut model.objects {
        let is_public = object.definition == Definition::Schema && object.name == "public";
        if is_public && object.owner.as_ref() == Some(&owner) {
            object.owner = None;
        }
    }
    Ok(())
}
