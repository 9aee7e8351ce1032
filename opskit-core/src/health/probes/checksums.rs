//! `storage.checksums`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "storage.checksums",
    about: "pages that did not match their checksum",
    remedy: "Stop writing, find the broken storage, and restore: see `opskit restore`.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    sql: "\
select 'the server', 'skipped', 'data_checksums is off' where current_setting('data_checksums') = 'off' \
union all select coalesce(datname, 'shared objects'), 'fail', checksum_failures || ' failures' from pg_stat_database \
where checksum_failures > 0",
};
