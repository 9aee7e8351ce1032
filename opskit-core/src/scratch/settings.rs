//! The settings of a scratch server, as lines of its configuration file.

use super::directory::PORT;
use crate::error::{Error, ErrorKind, Result};
use std::fmt::Write as _;
use std::path::Path;

/// Settings that keep the server private and in its directory; options cannot change them.
const RESERVED: [&str; 15] = [
    "config_file",
    "data_directory",
    "external_pid_file",
    "hba_file",
    "ident_file",
    "include",
    "include_dir",
    "include_if_exists",
    "listen_addresses",
    "log_destination",
    "logging_collector",
    "port",
    "unix_socket_directories",
    "unix_socket_group",
    "unix_socket_permissions",
];

/// What makes a server fast that nobody needs after a crash.
const NOT_DURABLE: [(&str, &str); 3] = [
    ("fsync", "off"),
    ("synchronous_commit", "off"),
    ("full_page_writes", "off"),
];

/// Whether the server must survive a crash of the machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Durability {
    /// As fast as it can be.
    Off,
    /// As Postgres has it.
    Full,
}

/// The lines to add to `postgresql.conf`; later lines win.
pub(super) fn render(
    durability: Durability,
    options: &[(String, String)],
    socket_dir: &Path,
) -> Result<String> {
    let mut text = String::from("\n# opskit scratch server\n");
    push(&mut text, "timezone", "UTC");
    // In the cluster's directory instead of /dev/shm: there it would survive a kill -9, and the
    // 64 MB that containers have are too little for parallel queries.
    push(&mut text, "dynamic_shared_memory_type", "mmap");
    if durability == Durability::Off {
        for (name, value) in NOT_DURABLE {
            push(&mut text, name, value);
        }
    }
    for (name, value) in options {
        check(name, value)?;
        push(&mut text, name, value);
    }
    push(&mut text, "listen_addresses", "");
    push(&mut text, "port", &PORT.to_string());
    push(
        &mut text,
        "unix_socket_directories",
        &list_item(&socket_dir.to_string_lossy()),
    );
    push(&mut text, "unix_socket_permissions", "0700");
    push(&mut text, "logging_collector", "off");
    push(&mut text, "log_destination", "stderr");
    Ok(text)
}

fn push(text: &mut String, name: &str, value: &str) {
    // Configuration files know backslash escapes in plain quotes, and no E prefix.
    let quoted = value.replace('\\', "\\\\").replace('\'', "''");
    let _ = writeln!(text, "{name} = '{quoted}'");
}

/// Quotes one item of a setting that is a list.
fn list_item(item: &str) -> String {
    format!("\"{}\"", item.replace('"', "\"\""))
}

fn check(name: &str, value: &str) -> Result<()> {
    let invalid = |why: &str| {
        Err(Error::new(
            ErrorKind::InvalidInput,
            format!("option \"{name}\" of the scratch server {why}"),
        ))
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '.';
    if name.is_empty() || !name.chars().all(plain) {
        return invalid("is not the name of a setting");
    }
    if RESERVED.contains(&name.to_ascii_lowercase().as_str()) {
        return invalid("is fixed: it keeps the server private");
    }
    if value.contains(['\n', '\r', '\0']) {
        return invalid("has a value of several lines");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(name: &str, value: &str) -> Result<String> {
        let options = [(name.to_owned(), value.to_owned())];
        render(Durability::Off, &options, Path::new("/tmp/opskit-x/s"))
    }

    #[test]
    fn options_are_quoted_and_stand_before_what_is_fixed() {
        let text = rendered("search_path", r"it's \ here").unwrap();
        assert!(text.contains("search_path = 'it''s \\\\ here'\n"), "{text}");
        assert!(text.find("search_path") < text.find("listen_addresses = ''"));
        assert!(text.contains("unix_socket_directories = '\"/tmp/opskit-x/s\"'"));
    }

    #[test]
    fn options_cannot_open_the_server_or_smuggle_lines() {
        for (name, value) in [
            ("listen_addresses", "*"),
            ("Port", "1"),
            ("include", "/etc/x"),
            ("a b", "1"),
            ("", "1"),
            ("work_mem", "1MB\nport = 1"),
        ] {
            assert_eq!(
                rendered(name, value).unwrap_err().kind(),
                ErrorKind::InvalidInput,
                "{name}"
            );
        }
    }

    #[test]
    fn durability_is_a_choice() {
        assert!(rendered("jit", "off").unwrap().contains("fsync = 'off'"));
        let full = render(Durability::Full, &[], Path::new("/s")).unwrap();
        assert!(!full.contains("fsync"));
    }
}
