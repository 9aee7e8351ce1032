//! `connections.tls`.

use super::super::probe::Needs;
use super::super::question::{Question, Reading};

pub(super) const PROBE: Question = Question {
    id: "connections.tls",
    about: "whether this connection over a network is encrypted",
    remedy: "Use sslmode=verify-full, and hostssl in pg_hba.conf.",
    version: 13,
    needs: Needs::Nothing,
    reading: Reading::Word,
    older: None,
    sql: "\
select 'this connection', case when a.client_addr is null or a.client_addr <<= '127.0.0.0/8' or a.client_addr = '::1' then 'skipped' else 'fail' end, \
case when a.client_addr is null or a.client_addr <<= '127.0.0.0/8' or a.client_addr = '::1' then 'it stays on this machine' else 'is not encrypted' end \
from pg_stat_get_activity(pg_backend_pid()) a where not coalesce(a.ssl, false)",
};
