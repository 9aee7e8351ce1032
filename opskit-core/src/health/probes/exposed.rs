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
    sql: "\
select c.oid::regclass::text, 'fail', 'has no row security for ' || string_agg(r.rolname::text, ', ' order by r.rolname) from pg_class c \
join pg_namespace n on n.oid = c.relnamespace cross join pg_roles r where r.rolname in ('anon', 'authenticated') \
and c.relkind in ('r', 'p') and not c.relrowsecurity and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and has_schema_privilege(r.oid, n.oid, 'USAGE') \
and (has_table_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE, DELETE') or has_any_column_privilege(r.oid, c.oid, 'SELECT, INSERT, UPDATE')) \
group by c.oid union all select 'the server', 'skipped', 'there is no role anon or authenticated' where not exists (select 1 from pg_roles where rolname in ('anon', 'authenticated'))",
};
