//! `foreign_keys.unindexed`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "foreign_keys.unindexed",
    about: "foreign keys whose columns have no index, so that deleting what they point to reads the whole table",
    remedy: "Make an index of the columns, concurrently.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    sql: "\
select format('%s.%I', c.conrelid::regclass, c.conname), 'warn', 'no index begins with its columns' from pg_constraint c \
join pg_namespace n on n.oid = c.connamespace where c.contype = 'f' and {user} and not exists (select 1 from pg_index i \
where i.indrelid = c.conrelid and i.indisvalid and i.indpred is null \
and (i.indkey::int2[])[0:cardinality(c.conkey) - 1] @> c.conkey)",
};
