//! `vacuum.dead_rows`.

use super::super::probe::{Needs, Threshold};
use super::super::question::{Question, Reading};
use super::super::verdict::Reason;

pub(super) const PROBE: Question = Question {
    id: "vacuum.dead_rows",
    about: "dead rows of tables, as a multiple of where autovacuum begins",
    remedy: "Vacuum the table, and see why autovacuum does not.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Number(
        Threshold {
            warn: 2.0,
            fail: 10.0,
        },
        "times",
        Reason::StaleStatistics,
    ),
    sql: "\
select format('%I.%I', n.nspname, c.relname), (s.n_dead_tup / greatest(t.threshold, 1))::text, 'what starts autovacuum' \
from pg_stat_user_tables s join pg_class c on c.oid = s.relid join pg_namespace n on n.oid = c.relnamespace \
cross join lateral (select coalesce(max(option_value) filter (where option_name = 'autovacuum_vacuum_threshold'), current_setting('autovacuum_vacuum_threshold'))::numeric \
+ coalesce(max(option_value) filter (where option_name = 'autovacuum_vacuum_scale_factor'), current_setting('autovacuum_vacuum_scale_factor'))::numeric \
* greatest(c.reltuples, 0)::numeric as threshold from pg_options_to_table(c.reloptions)) t where s.n_dead_tup > greatest(t.threshold, 1) \
union all select 'the server', null, null where current_setting('track_counts') = 'off'",
};
