//! `locks.blocked`.

use super::super::probe::{Needs, Threshold};
use super::super::question::{Question, Reading};
use super::super::verdict::Reason;

pub(super) const PROBE: Question = Question {
    id: "locks.blocked",
    about: "how long sessions wait for a lock, in seconds, and for whom",
    remedy: "End the blocker with pg_cancel_backend or pg_terminate_backend.",
    version: 13,
    needs: Needs::Monitor,
    reading: Reading::Number(
        Threshold {
            warn: 10.0,
            fail: 60.0,
        },
        "s",
        Reason::Version,
    ),
    older: None,
    // Before 14 the server does not tell since when: not longer than the statement runs.
    sql: "\
select 'process ' || a.pid, (extract(epoch from clock_timestamp() - coalesce(min((to_jsonb(l) ->> 'waitstart')::timestamptz), min(a.query_start))))::text, \
'blocked by ' || array_to_string(pg_blocking_pids(a.pid), ', ') || ', waits for ' || string_agg(distinct l.locktype, ', ') \
from pg_stat_activity a join pg_locks l on l.pid = a.pid and not l.granted group by a.pid",
};
