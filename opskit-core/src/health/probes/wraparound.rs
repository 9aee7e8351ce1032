//! `vacuum.wraparound`.

use super::super::probe::{Needs, Threshold};
use super::super::question::{Question, Reading};
use super::super::verdict::Reason;

pub(super) const PROBE: Question = Question {
    id: "vacuum.wraparound",
    about: "age of the oldest transaction and multixact of each database, in percent of 2^31",
    remedy: "Vacuum the oldest tables, and look for what holds back vacuum.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Number(
        Threshold {
            warn: 40.0,
            fail: 60.0,
        },
        "%",
        Reason::Visibility,
    ),
    older: None,
    sql: "\
select datname, (100.0 * greatest(age(datfrozenxid), mxid_age(datminmxid)) / 2147483648)::text, 'of the way' \
from pg_database",
};
