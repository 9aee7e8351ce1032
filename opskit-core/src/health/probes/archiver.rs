//! `archiver.failing`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "archiver.failing",
    about: "whether the last attempt to archive the log failed",
    remedy: "Read the server log, and mend archive_command.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    sql: "\
select 'archiver', case when current_setting('archive_mode') = 'off' then 'skipped' else 'fail' end, \
case when current_setting('archive_mode') = 'off' then 'archive_mode is off' else 'the last attempt failed' end \
from pg_stat_archiver where current_setting('archive_mode') = 'off' \
or last_failed_time > coalesce(last_archived_time, '-infinity')",
};
