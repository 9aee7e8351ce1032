//! Row-level security policies. The flags that switch them on are in [`access`](super::access).

use super::read::{ReadContext, Reading, not_of_extension};
use super::trigger::TableOwner;
use super::{CatalogId, Definition};
use serde::{Deserialize, Serialize};

/// A policy.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Policy {
    /// Its table, in the schema of the object.
    pub table: String,
    /// Whose table that is.
    pub table_owner: TableOwner,
    /// Whether rows need one policy of this kind, or all.
    pub kind: PolicyKind,
    /// The command: `ALL`, `SELECT`, `INSERT`, `UPDATE`, `DELETE`.
    pub command: String,
    /// The roles; none means everyone.
    pub roles: Vec<String>,
    /// Which rows can be seen.
    pub using: Option<String>,
    /// Which rows can be written.
    pub check: Option<String>,
}

/// How policies on one table combine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum PolicyKind {
    /// One of them is enough.
    Permissive,
    /// All of them must agree.
    Restrictive,
}

/// The query for policies. Those on a platform's tables are the user's; those on an extension's tables
/// came with it, though the server does not say so.
pub(super) fn reading(cx: &ReadContext<'_>) -> Reading {
    let sql = format!(
        "select p.oid, n.nspname, p.polname, null::pg_catalog.text, \
         pg_catalog.json_build_object('table', c.relname, \
           'table_owner', case when {scope} then 'user' else 'platform' end, \
           'kind', case when p.polpermissive then 'PERMISSIVE' else 'RESTRICTIVE' end, \
           'command', case p.polcmd when '*' then 'ALL' when 'r' then 'SELECT' when 'a' then 'INSERT' \
                      when 'w' then 'UPDATE' when 'd' then 'DELETE' end, \
           'roles', coalesce((select pg_catalog.json_agg(r.rolname order by o.at) \
             from pg_catalog.unnest(p.polroles) with ordinality o (oid, at) \
             join pg_catalog.pg_roles r on r.oid = o.oid), '[]'), \
           'using', pg_catalog.pg_get_expr(p.polqual, p.polrelid), \
           'check', pg_catalog.pg_get_expr(p.polwithcheck, p.polrelid)) \
         from pg_catalog.pg_policy p join pg_catalog.pg_class c on c.oid = p.polrelid \
         join pg_catalog.pg_namespace n on n.oid = c.relnamespace \
         where ({scope} or {platform}) and {own_table} and {own}",
        scope = cx.in_scope("n"),
        platform = cx.scope.platform_condition("n"),
        own_table = not_of_extension(CatalogId::CLASS, "c.oid"),
        own = not_of_extension(CatalogId::POLICY, "p.oid"),
    );
    Reading {
        what: "the policies",
        catalog: CatalogId::POLICY,
        sql,
        definition: |json| Ok(Definition::Policy(serde_json::from_str(json)?)),
    }
}
