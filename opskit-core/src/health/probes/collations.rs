//! `collations.drift`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "collations.drift",
    about: "collations whose order changed under the indexes",
    remedy: "Rebuild the indexes on text, then ALTER … REFRESH COLLATION VERSION.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    // Databases have a version since 15.
    older: Some((
        15,
        "\
select 'collation ' || oid::regcollation, 'fail', 'made with version ' || collversion || ', now ' || pg_collation_actual_version(oid) \
from pg_collation where collversion <> pg_collation_actual_version(oid)",
    )),
    sql: "\
select 'database ' || datname, 'fail', 'made with version ' || datcollversion || ', now ' || pg_database_collation_actual_version(oid) \
from pg_database where datname = current_database() and datcollversion <> pg_database_collation_actual_version(oid) \
union all select 'collation ' || oid::regcollation, 'fail', 'made with version ' || collversion || ', now ' || pg_collation_actual_version(oid) \
from pg_collation where collversion <> pg_collation_actual_version(oid)",
};
