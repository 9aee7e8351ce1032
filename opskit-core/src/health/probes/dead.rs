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
    older: None,
    // Only what autovacuum could have come to is its fault: small tables that change all the time are always dirty.
    sql: "\
select format('%I.%I', n.nspname, c.relname), (s.n_dead_tup / greatest(t.threshold, 1))::text, \
'what starts autovacuum, last vacuumed ' || coalesce(to_char(l.at, 'YYYY-MM-DD HH24:MI'), 'never') \
from pg_stat_user_tables s join pg_class c on c.oid = s.relid join pg_namespace n on n.oid = c.relnamespace \
cross join lateral (select coalesce(max(option_value) filter (where option_name = 'autovacuum_vacuum_threshold'), current_setting('autovacuum_vacuum_threshold'))::numeric \
+ coalesce(max(option_value) filter (where option_name = 'autovacuum_vacuum_scale_factor'), current_setting('autovacuum_vacuum_scale_factor'))::numeric \
* greatest(c.reltuples, 0)::numeric as threshold, \
coalesce(bool_or(not option_value::boolean) filter (where option_name = 'autovacuum_enabled'), false) as is_off from pg_options_to_table(c.reloptions)) t \
cross join lateral (select greatest(s.last_vacuum, s.last_autovacuum) as at) l \
where s.n_dead_tup > greatest(t.threshold, 1) and s.n_dead_tup >= 1000 and {user} \
and not exists (select 1 from pg_stat_progress_vacuum v where v.relid = s.relid) \
and (t.is_off or coalesce(l.at, pg_postmaster_start_time()) < clock_timestamp() - greatest(3 * current_setting('autovacuum_naptime')::interval, interval '5 min')) \
union all select 'the server', null, null where current_setting('track_counts') = 'off'",
};
