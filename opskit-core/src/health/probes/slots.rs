//! `replication.slots`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "replication.slots",
    about: "slots that lost their log or are about to",
    remedy: "Drop the slot or bring its reader back; set max_slot_wal_keep_size.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    sql: "\
select slot_name, case when wal_status in ('lost', 'unreserved') then 'fail' else 'warn' end, \
case when wal_status in ('lost', 'unreserved') then 'its log is ' || wal_status \
else 'nobody reads it, and it may keep any amount of log' end \
from pg_replication_slots where wal_status in ('lost', 'unreserved') \
or (not active and not temporary and current_setting('max_slot_wal_keep_size') = '-1')",
};
