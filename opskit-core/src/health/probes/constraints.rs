//! `constraints.not_valid`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "constraints.not_valid",
    about: "constraints that were never checked against the rows that were there",
    remedy: "ALTER TABLE … VALIDATE CONSTRAINT.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    sql: "\
select format('%s.%I', coalesce(nullif(c.conrelid, 0)::regclass::text, c.contypid::regtype::text), c.conname), 'warn', 'is NOT VALID' \
from pg_constraint c join pg_namespace n on n.oid = c.connamespace where not c.convalidated and {user}",
};
