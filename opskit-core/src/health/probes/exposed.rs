//! `rls.exposed`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "rls.exposed",
    about: "tables that anon or authenticated reach without row security",
    remedy: "ALTER TABLE … ENABLE ROW LEVEL SECURITY, or revoke.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    // A view reads with its owner's rights unless it says otherwise; materialised views and foreign tables have no row
    // security at all.
    sql: "\
select c.oid::regclass::text, case when c.relkind = 'v' then 'warn' else 'fail' end, \
case c.relkind when 'v' then 'is a view that reads with its owner''s rights for ' when 'm' then 'is a materialised view, without row security, for ' \
when 'f' then 'is a foreign table, without row security, for ' else 'has no row security for ' end || string_agg(r.rolname::text, ', ' order by r.rolname) from pg_class c \
join pg_namespace n on n.oid = c.relnamespace cross join pg_roles r where r.rolname in ('anon', 'authenticated') \
and c.relkind in ('r', 'p', 'm', 'f', 'v') and not c.relrowsecurity and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and has_schema_privilege(r.oid, n.oid, 'USAGE') \
and (has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE') or has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE')) \
and not (c.relkind = 'v' and exists (select 1 from pg_options_to_table(c.reloptions) where option_name = 'security_invoker' and option_value::boolean)) \
and not exists (select 1 from pg_depend d where d.classid = 'pg_class'::regclass and d.objid = c.oid and d.deptype = 'e') \
group by c.oid, c.relkind union all select 'the server', 'skipped', 'there is no role anon or authenticated' where not exists (select 1 from pg_roles where rolname in ('anon', 'authenticated'))",
};
