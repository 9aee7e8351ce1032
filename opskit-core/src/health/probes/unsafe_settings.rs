//! `settings.unsafe`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "settings.unsafe",
    about: "settings with which a crash or a restore loses data",
    remedy: "Set them back, and reload or restart.",
    version: 13,
    needs: Needs::Monitor,
    reading: Reading::Word,
    older: None,
    sql: "\
select name, 'fail', 'is ' || setting from pg_settings \
where (name in ('fsync', 'full_page_writes', 'autovacuum', 'track_counts', 'track_activities') and setting = 'off') \
or (name in ('zero_damaged_pages', 'ignore_checksum_failure', 'ignore_invalid_pages') and setting = 'on') \
or (name = 'session_replication_role' and setting <> 'origin')",
};
