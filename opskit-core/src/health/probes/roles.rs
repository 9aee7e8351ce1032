//! `roles.dangerous`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "roles.dangerous",
    about: "roles that may log in and are above all rules, besides the first one",
    remedy: "ALTER ROLE … NOSUPERUSER NOBYPASSRLS where it need not be.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    sql: "\
select rolname, 'warn', case when rolsuper then 'is superuser' else 'passes row security by' end from pg_roles \
where rolcanlogin and (rolsuper or rolbypassrls) and oid <> 10",
};
