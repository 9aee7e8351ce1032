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
    sql: "\
select 'process ' || l.pid, (extract(epoch from clock_timestamp() - min((to_jsonb(l) ->> 'waitstart')::timestamptz)))::text, \
case when current_setting('server_version_num')::int >= 140000 then 'blocked by ' || array_to_string(pg_blocking_pids(l.pid), ', ') end \
from pg_locks l where not l.granted group by l.pid",
};
