//! Sessions that restore: what they set for themselves.

use crate::error::Result;
use crate::name::quote_literal;
use crate::postgres::export::settings::client_encoding;
use crate::postgres::wire::WireConnection;
use std::time::Duration;

/// Settings under which statements and values mean what they meant where they were read. Those that a
/// server does not know are left out.
const SETTINGS: [(&str, &str); 24] = [
    // How text is read.
    ("search_path", ""),
    ("default_table_access_method", "heap"),
    ("default_tablespace", ""),
    ("standard_conforming_strings", "on"),
    ("backslash_quote", "safe_encoding"),
    ("transform_null_equals", "off"),
    ("array_nulls", "on"),
    ("quote_all_identifiers", "off"),
    ("DateStyle", "ISO"),
    ("IntervalStyle", "postgres"),
    ("TimeZone", "UTC"),
    ("xmloption", "content"),
    // Functions are made before what they name.
    ("check_function_bodies", "off"),
    // A role that row-level security would filter gets an error.
    ("row_security", "off"),
    // A restore may take hours; the user's limits are for the application.
    ("statement_timeout", "0"),
    ("idle_in_transaction_session_timeout", "0"),
    ("transaction_timeout", "0"),
    ("default_transaction_read_only", "off"),
    ("default_transaction_isolation", "read committed"),
    ("client_min_messages", "warning"),
    // Queries of the catalog look dear to the planner: compiling one took 200 ms, running it 2 ms.
    ("jit", "off"),
    // The last commit of the restore waits for the disk, and with it all before it are safe.
    ("synchronous_commit", "off"),
    // The server notices within a second when we are gone.
    ("client_connection_check_interval", "1000"),
    ("tcp_keepalives_idle", "60"),
];

/// What the sessions of one restore set besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RestoreSettings {
    /// How long to wait for a lock; `None` for as long as it takes.
    pub lock_timeout: Option<Duration>,
    /// Further settings, by name.
    pub more: Vec<(String, String)>,
}

/// Makes a connection ready to restore.
///
/// # Errors
/// Of kind `PermissionDenied` when a setting may not be changed, `Connection`.
pub async fn open(connection: &mut WireConnection, settings: &RestoreSettings) -> Result<()> {
    let encoding = client_encoding(connection.parameter("server_encoding").unwrap_or_default());
    let wait = settings
        .lock_timeout
        .map_or(0, |wait| wait.as_millis().clamp(1, i32::MAX as u128));
    let ours = SETTINGS.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let rows: Vec<String> = ours
        .into_iter()
        .chain([
            ("client_encoding".to_owned(), encoding.to_owned()),
            ("lock_timeout".to_owned(), wait.to_string()),
        ])
        .chain(settings.more.iter().cloned())
        .map(|(name, value)| format!("({}, {})", quote_literal(&name), quote_literal(&value)))
        .collect();
    let sql = format!(
        "SELECT pg_catalog.set_config(s.name, v.value, false) FROM (VALUES {}) v(name, value) \
         JOIN pg_catalog.pg_settings s ON pg_catalog.lower(s.name) = pg_catalog.lower(v.name)",
        rows.join(", ")
    );
    let done = connection.query_one(&sql).await;
    done.map(drop)
        .map_err(|error| error.while_doing("cannot prepare the session"))
}
