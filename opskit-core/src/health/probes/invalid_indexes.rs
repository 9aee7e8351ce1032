//! `indexes.invalid`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "indexes.invalid",
    about: "indexes that are not used because building them failed",
    remedy: "Drop the index and build it again: REINDEX INDEX CONCURRENTLY.",
    version: 13,
    needs: Needs::Monitor,
    reading: Reading::Word,
    older: None,
    sql: "\
select i.indexrelid::regclass::text, 'fail', 'is not valid' from pg_index i \
where not (i.indisvalid and i.indisready) and not exists (select 1 from pg_stat_progress_create_index p where p.index_relid = i.indexrelid)",
};
