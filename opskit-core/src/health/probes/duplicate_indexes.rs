//! `indexes.duplicate`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "indexes.duplicate",
    about: "indexes that are the same as another one",
    remedy: "Drop all but one.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    sql: "\
select (min(i.indexrelid))::regclass::text, 'warn', 'is the same as ' || string_agg(i.indexrelid::regclass::text, ', ' order by i.indexrelid) \
from pg_index i join pg_class c on c.oid = i.indexrelid join pg_namespace n on n.oid = c.relnamespace where {user} \
group by indrelid, c.relam, indkey::text, indclass::text, indcollation::text, indoption::text, coalesce(pg_get_expr(indexprs, indrelid), ''), \
coalesce(pg_get_expr(indpred, indrelid), ''), indisunique having count(*) > 1",
};
