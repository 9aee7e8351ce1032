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
    sql: "\
select 'standby ' || coalesce(nullif(application_name, ''), pid::text), coalesce(extract(epoch from replay_lag), 0)::text, coalesce(state, '') \
from pg_stat_replication \
union all select 'this standby', case when pg_last_wal_receive_lsn() = pg_last_wal_replay_lsn() then '0' \
else extract(epoch from clock_timestamp() - pg_last_xact_replay_timestamp())::text end, null where pg_is_in_recovery()",
};
