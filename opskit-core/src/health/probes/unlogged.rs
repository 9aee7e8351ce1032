//! `tables.unlogged`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "tables.unlogged",
    about: "tables that a crash empties, and that no standby has",
    remedy: "ALTER TABLE … SET LOGGED, or accept it.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    sql: "\
select c.oid::regclass::text, 'warn', 'is unlogged' from pg_class c join pg_namespace n on n.oid = c.relnamespace \
where c.relkind in ('r', 'm') and c.relpersistence = 'u' and {user}",
};
