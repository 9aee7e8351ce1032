//! Default privileges: what objects that are made later will be granted.

use super::acl::{Acl, EMPTY, items};
use super::read::{ReadContext, Reading};
use super::{CatalogId, Definition};
use serde::{Deserialize, Serialize};

/// Default privileges of one role for one kind of objects. The object's name is that role's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct DefaultAcl {
    /// In which schema; everywhere when none.
    pub in_schema: Option<String>,
    /// `TABLES`, `SEQUENCES`, `ROUTINES`, `TYPES`, `SCHEMAS`, `LARGE OBJECTS`.
    pub of: String,
    /// The privileges, against those that would hold otherwise: within a schema they are added to.
    pub acl: Acl,
}

/// The query for the default privileges of roles, in schemas in scope and everywhere.
pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select d.oid, null::pg_catalog.text, pg_catalog.pg_get_userbyid(d.defaclrole), null::pg_catalog.text, \
         pg_catalog.json_build_object('in_schema', n.nspname, \
           'of', case d.defaclobjtype when 'r' then 'TABLES' when 'S' then 'SEQUENCES' when 'f' then 'ROUTINES' \
                 when 'T' then 'TYPES' when 'n' then 'SCHEMAS' when 'L' then 'LARGE OBJECTS' end, \
           'acl', pg_catalog.json_build_object('items', {items}, 'base', {base})) \
         from pg_catalog.pg_default_acl d \
         left join pg_catalog.pg_namespace n on n.oid = d.defaclnamespace \
         where (d.defaclnamespace = 0 or {scope}) and {role}",
        items = items("d.defaclacl"),
        base = items(&format!(
            "case when d.defaclnamespace <> 0 then {EMPTY} else pg_catalog.acldefault( \
               case d.defaclobjtype when 'S' then 's' else d.defaclobjtype end, d.defaclrole) end"
        )),
        scope = cx.in_scope("n"),
        role = cx.scope.owner_condition("d.defaclrole"),
    );
    Reading {
        what: "the default privileges",
        catalog: CatalogId::DEFAULT_ACL,
        sql,
        definition: |json| Ok(Definition::DefaultAcl(serde_json::from_str(json)?)),
    }
}
