//! `settings.pending_restart`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "settings.pending_restart",
    about: "settings that were changed and wait for a restart",
    remedy: "Restart the server when it suits.",
    version: 13,
    needs: Needs::Monitor,
    reading: Reading::Word,
    older: None,
    sql: "\
select name, 'fail', 'waits for a restart' from pg_settings where pending_restart",
};
