//! `transactions.idle`.

use super::super::probe::{Needs, Threshold};
use super::super::question::{Question, Reading};
use super::super::verdict::Reason;

pub(super) const PROBE: Question = Question {
    id: "transactions.idle",
    about: "how long sessions idle within a transaction, in seconds",
    remedy: "End the session with pg_terminate_backend, and set idle_in_transaction_session_timeout.",
    version: 13,
    needs: Needs::Monitor,
    reading: Reading::Number(
        Threshold {
            warn: 60.0,
            fail: 300.0,
        },
        "s",
        Reason::Visibility,
    ),
    older: None,
    sql: "\
select 'process ' || pid, extract(epoch from clock_timestamp() - state_change)::text, 'role ' || coalesce(usename, '') from pg_stat_activity \
where state in ('idle in transaction', 'idle in transaction (aborted)') and pid <> pg_backend_pid()",
};
