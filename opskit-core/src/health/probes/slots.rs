//! `replication.slots`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "replication.slots",
    about: "slots that lost their log or are about to, and those that may fill the disk",
    remedy: "Drop the slot or bring its reader back; set max_slot_wal_keep_size.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    // What newer versions tell is read from JSON, so that one query serves all.
    sql: "\
with slots as (select slot_name, active, temporary, wal_status, \
coalesce(to_jsonb(s) ->> 'invalidation_reason', case when to_jsonb(s) ->> 'conflicting' = 'true' then 'conflict' end) as invalid, \
safe_wal_size, pg_size_bytes(nullif(current_setting('max_slot_wal_keep_size'), '-1')) as keeps, \
pg_size_pretty(pg_wal_lsn_diff(case when pg_is_in_recovery() then pg_last_wal_receive_lsn() else pg_current_wal_lsn() end, restart_lsn)) as holds \
from pg_replication_slots s), \
judged as (select *, case when invalid is not null then 'is invalid: ' || invalid \
when wal_status in ('lost', 'unreserved') then 'its log is ' || wal_status \
when safe_wal_size < 0.1 * keeps then 'its log is lost after ' || pg_size_pretty(safe_wal_size) || ' more' end as lost, \
case when safe_wal_size < 0.25 * keeps then 'its log is lost after ' || pg_size_pretty(safe_wal_size) || ' more' \
when not active and not temporary and keeps is null then 'nobody reads it, and it may keep any amount of log: ' || coalesce(holds, 'none') || ' by now' \
end as endangered from slots) \
select slot_name, case when lost is not null then 'fail' else 'warn' end, coalesce(lost, endangered) \
from judged where lost is not null or endangered is not null",
};
