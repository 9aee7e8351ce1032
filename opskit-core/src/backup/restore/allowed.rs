//! What a superuser's session may run: statements that make no code run, by their first words.
//!
//! Each statement is sent alone (the protocol refuses a second one in it), so the first words say what
//! it is, whatever stands further on.

use crate::catalog::ddl::{Action, Statement};
use crate::error::{Error, ErrorKind, Result};

/// The beginnings of statements that run no code of the backup, and give nobody a role.
const ALLOWED: &[&[&str]] = &[
    &["CREATE", "SCHEMA"],
    &["CREATE", "EXTENSION"],
    &["CREATE", "PUBLICATION"],
    &["ALTER", "PUBLICATION"],
    &["COMMENT", "ON"],
    &["SECURITY", "LABEL"],
    &["ALTER", "DEFAULT", "PRIVILEGES"],
];

/// Fails for a statement that a superuser must not run.
pub(super) fn check(statement: &Statement) -> Result<()> {
    if statement.action != Action::GrantOnForeign && runs_no_code(&statement.sql) {
        return Ok(());
    }
    Err(Error::new(
        ErrorKind::PermissionDenied,
        format!(
            "{} is nothing that a superuser restores from a backup that nobody vouches for",
            statement.object
        ),
    )
    .with_hint("Restore as a role that is no superuser, or give --trust-backup."))
}

fn runs_no_code(sql: &str) -> bool {
    let bare = without_names(sql);
    let words: Vec<String> = bare.split_whitespace().map(str::to_uppercase).collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let is_about_own = (is_grant(&words) || is_owner(&words)) && is_own(sql, &bare);
    let is_known = ALLOWED.iter().any(|start| words.starts_with(start))
        || is_about_own
        || is_row_security(&words);
    is_known && !hides_words(&bare)
}

/// Whether it is about one object, and none of the server's: the names in a backup may be anybody's, and the
/// arguments of a function come from there as they are.
fn is_own(sql: &str, bare: &str) -> bool {
    let named = bare.split_once(" ON ").map_or(bare, |(_, named)| named);
    let mut depth = 0_i32;
    let single = named.chars().all(|c| {
        depth += i32::from(c == '(') - i32::from(c == ')');
        depth >= 0 && (c != ',' || depth > 0)
    });
    let of_server = ["\"pg_catalog\"", "\"information_schema\""];
    single && !of_server.iter().any(|schema| sql.contains(schema))
}

/// Whether there are comments or quotes by dollars: what they hide is not what the words say.
fn hides_words(bare: &str) -> bool {
    ["--", "/*", "$"].iter().any(|sign| bare.contains(sign))
}

/// Privileges on an object. Without ON it would be the membership in a role.
fn is_grant(words: &[&str]) -> bool {
    matches!(words.first(), Some(&"GRANT" | &"REVOKE"))
        && words.contains(&"ON")
        && (words.contains(&"TO") || words.contains(&"FROM"))
        && !words.contains(&"PARAMETER")
}

/// `ALTER … OWNER TO …`.
fn is_owner(words: &[&str]) -> bool {
    let kind = words.get(1).copied().unwrap_or_default();
    words.first() == Some(&"ALTER")
        && !matches!(kind, "ROLE" | "USER" | "GROUP" | "SYSTEM" | "DATABASE")
        && words.len() >= 4
        && words[words.len() - 3..words.len() - 1] == ["OWNER", "TO"]
}

/// `ALTER TABLE … ENABLE ROW LEVEL SECURITY`, and nothing else.
fn is_row_security(words: &[&str]) -> bool {
    words.starts_with(&["ALTER", "TABLE"])
        && words.ends_with(&["ROW", "LEVEL", "SECURITY"])
        && words[2..].iter().all(|word| {
            matches!(
                *word,
                "ONLY" | "X" | "ENABLE" | "NO" | "FORCE" | "ROW" | "LEVEL" | "SECURITY"
            )
        })
}

/// The statement with every quoted name and literal replaced by `x`.
fn without_names(sql: &str) -> String {
    let mut bare = String::with_capacity(sql.len());
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        if c != '"' && c != '\'' {
            bare.push(c);
            continue;
        }
        let escapes = c == '\'' && bare.ends_with(['e', 'E']);
        while let Some(inner) = chars.next() {
            if inner == '\\' && escapes {
                chars.next();
            } else if inner == c && chars.next_if_eq(&c).is_none() {
                break;
            }
        }
        bare.push_str(" x ");
    }
    // `"a"."b"` is one name.
    bare.replace(" x . x ", " x ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_no_code_is_allowed() {
        for sql in [
            "CREATE SCHEMA \"a\"",
            "COMMENT ON TABLE \"a\".\"b\" IS 'x; ALTER ROLE'",
            "GRANT SELECT (\"a\"), UPDATE ON TABLE \"a\".\"b\" TO \"c\" WITH GRANT OPTION",
            "REVOKE ALL ON FUNCTION \"a\".\"b\"(integer) FROM PUBLIC",
            "ALTER TABLE \"a\".\"b\" OWNER TO \"c\"",
            "ALTER TABLE \"a\".\"b\" ENABLE ROW LEVEL SECURITY",
            "ALTER TABLE ONLY \"a\".\"b\" FORCE ROW LEVEL SECURITY",
            "ALTER FUNCTION \"a\".\"b\"(integer, text) OWNER TO \"c\"",
            "ALTER DEFAULT PRIVILEGES FOR ROLE \"a\" GRANT SELECT ON TABLES TO \"b\"",
        ] {
            assert!(runs_no_code(sql), "{sql}");
        }
    }

    #[test]
    fn what_runs_code_or_gives_roles_is_not() {
        for sql in [
            "CREATE TABLE \"a\".\"b\" ()",
            "ALTER ROLE \"a\" SUPERUSER",
            "ALTER ROLE \"a\" RENAME TO \"x\" OWNER TO y",
            "GRANT \"pg_execute_server_program\" TO \"a\"",
            "GRANT EXECUTE ON FUNCTION \"pg_catalog\".\"pg_read_file\"(text) TO PUBLIC",
            "GRANT EXECUTE ON FUNCTION \"a\".\"f\"(text), pg_catalog.pg_read_file(text) TO PUBLIC",
            "ALTER FUNCTION \"pg_catalog\".\"lower\"(text) OWNER TO \"a\"",
            "GRANT \"x ON y\" TO \"a\"",
            "GRANT SET ON PARAMETER \"a\" TO \"b\"",
            "ALTER SYSTEM SET archive_command = 'x'",
            "ALTER DATABASE \"a\" OWNER TO \"b\"",
            "ALTER FUNCTION \"a\".\"b\"() OWNER TO postgres --) OWNER TO \"c\"",
            "ALTER FUNCTION \"a\".\"b\"() OWNER TO postgres /*) OWNER TO \"c\"",
            "ALTER DATABASE \"a\" SET session_preload_libraries = 'x'",
            "COPY \"a\" TO PROGRAM 'x'",
            "DO 'x'",
            "SELECT f()",
            "REFRESH MATERIALIZED VIEW \"a\".\"b\"",
            "ALTER TABLE \"a\" ADD CHECK (f())",
            "ALTER TABLE \"a\" ADD CHECK (f()), ENABLE ROW LEVEL SECURITY",
            "",
        ] {
            assert!(!runs_no_code(sql), "{sql}");
        }
    }
}
