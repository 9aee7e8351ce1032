//! `extensions.outdated`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "extensions.outdated",
    about: "extensions that are older than what is installed",
    remedy: "ALTER EXTENSION … UPDATE.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    sql: "\
select e.extname, 'warn', 'is ' || e.extversion || ', and ' || a.default_version || ' is there' \
from pg_extension e join pg_available_extensions a on a.name = e.extname where e.extversion <> a.default_version",
};
