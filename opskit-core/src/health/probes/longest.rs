//! `transactions.longest`.

use super::super::probe::{Needs, Threshold};
use super::super::question::{Question, Reading};
use super::super::verdict::Reason;

pub(super) const PROBE: Question = Question {
    id: "transactions.longest",
    about: "age of the oldest transactions of clients, in seconds; those of opskit are left out",
    remedy: "Let it end, or end it with pg_cancel_backend: it holds back vacuum.",
    version: 13,
    needs: Needs::Monitor,
    reading: Reading::Number(
        Threshold {
            warn: 300.0,
            fail: 1800.0,
        },
        "s",
        Reason::Visibility,
    ),
    older: None,
    sql: "\
select 'process ' || pid, extract(epoch from clock_timestamp() - xact_start)::text, 'role ' || coalesce(usename, '') from pg_stat_activity \
where xact_start is not null and backend_type = 'client backend' and pid <> pg_backend_pid() \
and application_name not like 'opskit%'",
};
