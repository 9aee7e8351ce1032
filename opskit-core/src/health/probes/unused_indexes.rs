//! `indexes.unused`.

use super::super::probe::{Needs, Threshold};
use super::super::question::{Question, Reading};
use super::super::verdict::Reason;

pub(super) const PROBE: Question = Question {
    id: "indexes.unused",
    about: "for how many days an index of a megabyte or more was read by nobody on this server",
    remedy: "Look at the standbys too, then drop it.",
    version: 13,
    needs: Needs::Nothing,
    // It costs, and breaks nothing: it warns, and fails only where somebody sets it so.
    reading: Reading::Number(
        Threshold {
            warn: 30.0,
            fail: 36_500.0,
        },
        "days,",
        Reason::StaleStatistics,
    ),
    older: None,
    // Statistics that were never reset began at the latest when the server did.
    sql: "\
select s.indexrelid::regclass::text, (extract(epoch from clock_timestamp() - coalesce(d.stats_reset, pg_postmaster_start_time())) / 86400)::text, \
pg_size_pretty(c.relpages * current_setting('block_size')::bigint) from pg_stat_all_indexes s join pg_index i on i.indexrelid = s.indexrelid \
join pg_class c on c.oid = s.indexrelid join pg_namespace n on n.oid = c.relnamespace join pg_stat_database d on d.datname = current_database() \
where s.idx_scan = 0 and c.relpages >= 128 and not (i.indisunique or i.indisexclusion or i.indisreplident) \
and not exists (select 1 from pg_constraint k where k.conindid = s.indexrelid) and {user} \
union all select 'the server', null, null where current_setting('track_counts') = 'off'",
};
