//! `functions.definer`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "functions.definer",
    about: "functions that anon may call and that run with the rights of their owner",
    remedy: "Revoke EXECUTE from anon and PUBLIC, or make it SECURITY INVOKER.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    sql: "\
select p.oid::regprocedure::text, 'warn', 'runs as ' || p.proowner::regrole || ' for anon' from pg_proc p join pg_namespace n on n.oid = p.pronamespace \
join pg_roles r on r.rolname = 'anon' where p.prosecdef and n.nspname !~ '^pg_' and n.nspname <> 'information_schema' and has_schema_privilege(r.oid, n.oid, 'USAGE') \
and has_function_privilege(r.oid, p.oid, 'EXECUTE') \
union all select 'the server', 'skipped', 'there is no role anon' where not exists (select 1 from pg_roles where rolname = 'anon')",
};
