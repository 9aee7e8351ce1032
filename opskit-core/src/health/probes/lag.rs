//! `replication.lag`.

use super::super::probe::{Needs, Threshold};
use super::super::question::{Question, Reading};
use super::super::verdict::Reason;

pub(super) const PROBE: Question = Question {
    id: "replication.lag",
    about: "how far standbys are behind, in seconds",
    remedy: "Look at the standby and the network in between.",
    version: 13,
    needs: Needs::Monitor,
    reading: Reading::Number(
        Threshold {
            warn: 60.0,
            fail: 300.0,
        },
        "s",
        Reason::Visibility,
    ),
    older: None,
    // One that says nothing at all is as far behind as it has been silent; one that has everything is not behind.
    sql: "\
select 'standby ' || coalesce(nullif(application_name, ''), pid::text), \
(case when replay_lsn >= pg_current_wal_lsn() then 0 else greatest(extract(epoch from replay_lag), \
extract(epoch from clock_timestamp() - coalesce(reply_time, backend_start)) - 10, 0) end)::text, \
coalesce(state, '') || coalesce(', ' || pg_size_pretty(pg_wal_lsn_diff(pg_current_wal_lsn(), replay_lsn)), '') \
from pg_stat_replication where not pg_is_in_recovery() \
union all select 'this standby', case when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then '0' \
else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::text end, null where pg_is_in_recovery() \
union all select 'standby ' || coalesce(nullif(application_name, ''), pid::text), extract(epoch from replay_lag)::text, coalesce(state, '') \
from pg_stat_replication where pg_is_in_recovery() and replay_lag is not null",
};
