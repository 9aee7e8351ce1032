//! Password files (`~/.pgpass`), by the rules of `libpq`'s `passwordFromFile`.

use crate::secret::Secret;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// Whose password is looked for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) host: &'a str,
    pub(super) port: u16,
    pub(super) dbname: &'a str,
    pub(super) user: &'a str,
}

/// The text of the password file, or nothing when there is none or when others may read it:
/// `libpq` ignores such a file with a warning, and so does this.
pub(super) fn read(path: &Path) -> Option<String> {
    let metadata = std::fs::metadata(path).ok()?;
    if !metadata.is_file() {
        tracing::warn!(path = %path.display(), "the password file is not a plain file and was ignored");
        return None;
    }
    if metadata.mode() & 0o077 != 0 {
        tracing::warn!(path = %path.display(), "the password file may be read by others and was ignored; chmod 0600 it");
        return None;
    }
    std::fs::read(path)
        .ok()
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The password on the first line of `text` that matches.
pub(super) fn find(text: &str, wanted: Wanted<'_>) -> Option<Secret> {
    let port = wanted.port.to_string();
    text.lines()
        .filter(|line| !line.starts_with('#'))
        .find_map(|line| {
            let rest = matching(line, wanted.host)?;
            let rest = matching(rest, &port)?;
            let rest = matching(rest, wanted.dbname)?;
            let rest = matching(rest, wanted.user)?;
            Some(field(rest).0)
        })
        .filter(|password| !password.is_empty())
        .map(Secret::new)
}

/// What follows the first field of `line`, when that field matches `wanted`.
fn matching<'a>(line: &'a str, wanted: &str) -> Option<&'a str> {
    if let Some(rest) = line.strip_prefix("*:") {
        return Some(rest);
    }
    let (value, rest) = field(line);
    (value == wanted).then_some(rest?)
}

/// The first field with its escapes undone, and what follows its colon.
fn field(line: &str) -> (String, Option<&str>) {
    let mut value = String::new();
    let mut chars = line.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            ':' => return (value, Some(&line[at + 1..])),
            '\\' => value.push(chars.next().map_or('\\', |(_, escaped)| escaped)),
            c => value.push(c),
        }
    }
    (value, None)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn matches_as_libpq() {
        let wanted = Wanted {
            host: "db.example",
            port: 5432,
            dbname: "shop",
            user: "ann",
        };
        let table = [
            ("db.example:5432:shop:ann:one", Some("one")),
            ("*:*:*:*:two", Some("two")),
            (
                "# db.example:5432:shop:ann:x\n*:5432:shop:*:three",
                Some("three"),
            ),
            (
                "other:5432:shop:ann:x\ndb.example:5432:shop:ann:four",
                Some("four"),
            ),
            (
                "db.example:5432:shop:ann:first\n*:*:*:*:second",
                Some("first"),
            ),
            (r"*:*:*:*:a\:b\\c", Some(r"a:b\c")),
            (r"db\.example:*:*:ann:five", Some("five")),
            ("*:*:*:*:six:trailing", Some("six")),
            ("*:*:*:*:", None),
            ("*:*:*:*", None),
            ("db.example:5433:shop:ann:x", None),
            ("db.example:5432:*shop:ann:x", None),
            ("", None),
            ("*:*:*:*:seven\r", Some("seven\r")),
            ("*:*:*:*:eight\r\n", Some("eight")),
        ];
        for (text, expected) in table {
            assert_eq!(
                find(text, wanted).as_ref().map(Secret::expose),
                expected,
                "{text}"
            );
        }
    }

    #[test]
    fn ignores_a_file_that_others_may_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("pgpass");
        std::fs::write(&path, "*:*:*:*:x").unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o640)).unwrap();
        assert_eq!(read(&path), None);
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        assert_eq!(read(&path).as_deref(), Some("*:*:*:*:x"));
        assert_eq!(read(dir.path()), None);
        assert_eq!(read(&dir.path().join("missing")), None);
    }
}
