//! `vacuum.disabled`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "vacuum.disabled",
    about: "tables that autovacuum leaves alone",
    remedy: "ALTER TABLE … RESET (autovacuum_enabled).",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    sql: "\
select c.oid::regclass::text, 'warn', 'autovacuum_enabled is off' from pg_class c join pg_namespace n on n.oid = c.relnamespace \
where c.relkind in ('r', 'm') and c.relpersistence <> 't' and {user} \
and exists (select 1 from pg_options_to_table(c.reloptions) where option_name = 'autovacuum_enabled' and not option_value::boolean)",
};
