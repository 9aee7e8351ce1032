//! `archiver.backlog`.

use super::super::probe::{Needs, Threshold};
use super::super::question::{Question, Reading};
use super::super::verdict::Reason;

pub(super) const PROBE: Question = Question {
    id: "archiver.backlog",
    // An archiver with nothing to do is behind with nothing, however long ago its last file was.
    about: "how many files of the log wait to be archived",
    remedy: "Look at the place of the archive and at archive_command's speed; the disk fills meanwhile.",
    version: 13,
    needs: Needs::Monitor,
    reading: Reading::Number(
        Threshold {
            warn: 10.0,
            fail: 100.0,
        },
        "files",
        Reason::Visibility,
    ),
    older: None,
    sql: "\
select 'archiver', 'skipped', 'archive_mode is off' where current_setting('archive_mode') = 'off' \
union all select 'archiver', 'skipped', 'a standby archives with archive_mode = always only' \
where pg_is_in_recovery() and current_setting('archive_mode') = 'on' \
union all select 'archiver', count(*)::text, null from pg_ls_archive_statusdir() where name like '%.ready' \
and current_setting('archive_mode') <> 'off'",
};
