//! `transactions.xmin`.

use super::super::probe::{Needs, Threshold};
use super::super::question::{Question, Reading};
use super::super::verdict::Reason;

pub(super) const PROBE: Question = Question {
    id: "transactions.xmin",
    about: "who keeps dead rows from being removed, and since how many transactions",
    remedy: "End the session, drop the slot, or finish the prepared transaction; look at hot_standby_feedback of a standby.",
    version: 13,
    needs: Needs::Monitor,
    reading: Reading::Number(
        Threshold {
            warn: 20_000_000.0,
            fail: 150_000_000.0,
        },
        "transactions",
        Reason::Visibility,
    ),
    older: None,
    sql: "\
select 'process ' || pid, age(backend_xmin)::text, 'role ' || coalesce(usename, '') from pg_stat_activity \
where backend_xmin is not null and pid <> pg_backend_pid() and backend_type <> 'walsender' \
union all select 'slot ' || slot_name, greatest(age(xmin), age(catalog_xmin))::text, null from pg_replication_slots \
where xmin is not null or catalog_xmin is not null \
union all select 'prepared transaction ' || transaction::text, age(transaction)::text, 'in database ' || database from pg_prepared_xacts \
union all select 'standby ' || coalesce(nullif(application_name, ''), pid::text), age(backend_xmin)::text, null \
from pg_stat_replication where backend_xmin is not null",
};
