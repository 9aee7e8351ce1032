//! What our transactions set for themselves. Always `SET LOCAL`, so that nothing is left behind and
//! poolers cannot drop it.

use super::request::Selection;
use crate::name::quote_literal;
use std::time::Duration;

/// Starts a transaction that only reads, all from one snapshot.
pub(in crate::postgres) const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Settings that make values come out one way, and let a long read finish. Those that a server does not
/// know are left out.
const SETTINGS: [(&str, &str); 16] = [
    // Values.
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("bytea_output", "hex"),
    ("extra_float_digits", "3"),
    ("quote_all_identifiers", "off"),
    // A role that row-level security would filter gets an error instead of fewer rows.
    ("row_security", "off"),
    // A read may take hours; the user's limits are for the application.
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("transaction_timeout", "0"),
    // One backend per job is what was asked for, and rows come in the order of the heap.
    ("max_parallel_workers_per_gather", "0"),
    ("synchronize_seqscans", "off"),
    ("jit", "off"),
    // The server notices within a second when we are gone, even while it waits for a lock.
    ("client_connection_check_interval", "1000"),
    ("tcp_keepalives_idle", "60"),
    ("tcp_keepalives_interval", "10"),
];

/// The statement that sets them, and the client encoding. It reads the catalog, so it must come after
/// the snapshot is chosen.
///
/// Tables are read with an empty search path, so that names inside values (`regclass`) come out whole;
/// a user's query keeps the path that the user wrote it for.
pub(in crate::postgres) fn apply(client_encoding: &str, selection: &Selection) -> String {
    let path = match selection {
        Selection::Tables(_) => Some(("search_path", "")),
        Selection::Query(_) => None,
    };
    let rows: Vec<String> = SETTINGS
        .iter()
        .copied()
        .chain(path)
        .chain([("client_encoding", client_encoding)])
        .map(|(name, value)| format!("({}, {})", quote_literal(name), quote_literal(value)))
        .collect();
    format!(
        "SELECT pg_catalog.set_config(s.name, v.value, true) FROM (VALUES {}) v(name, value) \
         JOIN pg_catalog.pg_settings s ON pg_catalog.lower(s.name) = pg_catalog.lower(v.name)",
        rows.join(", ")
    )
}

/// The statements with which the leader waits for locks: for so long, and not for longer than we live.
/// They take no snapshot. Before version 14 the server does not notice that a client was killed before
/// the wait is over.
pub(in crate::postgres) fn bounded_wait(timeout: Duration, server_version: u32) -> String {
    let mut sql = lock_timeout(timeout);
    if server_version >= 140_000 {
        sql.push_str("; SET LOCAL client_connection_check_interval = 1000");
    }
    sql
}

/// The statement that bounds the wait for locks.
pub(in crate::postgres) fn lock_timeout(timeout: Duration) -> String {
    // Zero would mean for ever, and the server's number has 32 bits.
    let millis = timeout.as_millis().clamp(1, i32::MAX as u128);
    // The role's own limit is for the application; it would end the wait before ours.
    format!("SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = {millis}")
}

/// How text is asked for: in UTF-8, but as it stands where the database does not say what its bytes
/// mean.
pub(in crate::postgres) fn client_encoding(server_encoding: &str) -> &'static str {
    if server_encoding == "SQL_ASCII" {
        "SQL_ASCII"
    } else {
        "UTF8"
    }
}
