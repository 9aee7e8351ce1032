//! `storage.wal`.

use super::super::probe::{Needs, Threshold};
use super::super::question::{Question, Reading};
use super::super::verdict::Reason;

pub(super) const PROBE: Question = Question {
    id: "storage.wal",
    about: "the size of pg_wal, in percent of what the settings want it to have at most",
    remedy: "Find what holds the log: a slot, an archiver that fails, a checkpoint that does not end.",
    version: 13,
    needs: Needs::Monitor,
    reading: Reading::Number(
        Threshold {
            warn: 200.0,
            fail: 500.0,
        },
        "%",
        Reason::Visibility,
    ),
    older: None,
    sql: "\
select 'pg_wal', (100.0 * sum(size) / greatest(pg_size_bytes(current_setting('max_wal_size')), \
pg_size_bytes(current_setting('wal_keep_size'))))::text, 'with ' || pg_size_pretty(sum(size)) from pg_ls_waldir()",
};
