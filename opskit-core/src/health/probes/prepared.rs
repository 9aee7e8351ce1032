//! `transactions.prepared`.

use super::super::probe::{Needs, Threshold};
use super::super::question::{Question, Reading};
use super::super::verdict::Reason;

pub(super) const PROBE: Question = Question {
    id: "transactions.prepared",
    about: "age of prepared transactions, in seconds",
    remedy: "COMMIT PREPARED or ROLLBACK PREPARED: it holds locks and holds back vacuum.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Number(
        Threshold {
            warn: 60.0,
            fail: 600.0,
        },
        "s",
        Reason::Visibility,
    ),
    older: None,
    sql: "\
select 'transaction ' || transaction::text, extract(epoch from clock_timestamp() - prepared)::text, 'in database ' || database from pg_prepared_xacts",
};
