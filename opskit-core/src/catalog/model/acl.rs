//! Privileges as the catalog keeps them: a list of who was granted what by whom.

use serde::{Deserialize, Serialize};

/// The privileges of an object, and what it would have had anyway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Acl {
    /// What is granted, in the catalog's order.
    pub items: Vec<AclItem>,
    /// What an object has that was just made: the server's defaults, or what its extension granted.
    pub base: Vec<AclItem>,
}

/// What one role granted to another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AclItem {
    /// Who may; everyone when none.
    pub grantee: Option<String>,
    /// Who granted it.
    pub grantor: String,
    /// The privileges in SQL's words.
    pub privileges: Vec<String>,
    /// Those of them that the grantee may grant on.
    pub grantable: Vec<String>,
}

/// The SQL of an empty list.
pub(super) const EMPTY: &str = "null::pg_catalog.aclitem[]";

/// The SQL of the privileges `acl` as a JSON array of [`AclItem`], in the order of the array.
pub(crate) fn items(acl: &str) -> String {
    format!(
        "coalesce((select pg_catalog.json_agg(pg_catalog.json_build_object( \
           'grantee', g.grantee, 'grantor', g.grantor, 'privileges', g.privileges, \
           'grantable', g.grantable) order by g.at) from ( \
             select min(x.at) as at, \
               case when x.grantee <> 0 then pg_catalog.pg_get_userbyid(x.grantee) end as grantee, \
               pg_catalog.pg_get_userbyid(x.grantor) as grantor, \
               pg_catalog.json_agg(x.privilege_type order by x.at) as privileges, \
               coalesce(pg_catalog.json_agg(x.privilege_type order by x.at) \
                        filter (where x.is_grantable), '[]') as grantable \
             from pg_catalog.aclexplode(case when pg_catalog.cardinality({acl}) > 0 then {acl} end) \
                  with ordinality x (grantor, grantee, privilege_type, is_grantable, at) \
             group by x.grantee, x.grantor) g), '[]')"
    )
}
