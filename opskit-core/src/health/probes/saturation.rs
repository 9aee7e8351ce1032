//! `connections.saturation`.

use super::super::probe::{Needs, Threshold};
use super::super::question::{Question, Reading};
use super::super::verdict::Reason;

pub(super) const PROBE: Question = Question {
    id: "connections.saturation",
    about: "connections in use, in percent of what server, databases and roles allow",
    remedy: "Close what is idle, pool connections, or raise the limit.",
    version: 13,
    needs: Needs::Monitor,
    reading: Reading::Number(
        Threshold {
            warn: 75.0,
            fail: 90.0,
        },
        "%",
        Reason::Visibility,
    ),
    older: None,
    sql: "\
with used as (select datid, usesysid from pg_stat_activity where backend_type = 'client backend'), \
usable as (select current_setting('max_connections')::int - current_setting('superuser_reserved_connections')::int \
- coalesce(nullif(current_setting('reserved_connections', true), ''), '0')::int as count) \
select 'server', (100.0 * (select count(*) from used) / greatest(count, 1))::text, 'of ' || count from usable \
union all select 'database ' || datname, (100.0 * (select count(*) from used where datid = d.oid) / datconnlimit)::text, 'of ' || datconnlimit \
from pg_database d where datconnlimit > 0 \
union all select 'role ' || rolname, (100.0 * (select count(*) from used where usesysid = r.oid) / rolconnlimit)::text, 'of ' || rolconnlimit \
from pg_roles r where rolconnlimit > 0 and rolcanlogin",
};
