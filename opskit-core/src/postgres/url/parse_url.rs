//! `postgresql://` URLs, by the rules of `libpq`'s `conninfo_uri_parse_options`.

use crate::error::{Error, ErrorKind, Result};

/// What follows `postgres://` or `postgresql://`.
pub(super) fn strip_scheme(text: &str) -> Option<&str> {
    text.strip_prefix("postgresql://")
        .or_else(|| text.strip_prefix("postgres://"))
}

/// The settings of the URL whose part after the scheme is `rest`, in order. Errors name the part
/// that is wrong, never its text.
pub(super) fn parse_url(rest: &str) -> Result<Vec<(String, String)>> {
    let mut settings = Vec::new();
    let mut set = |name: &str, value: String| settings.push((name.to_owned(), value));
    let (user_info, rest) = split_user_info(rest);
    if let Some(user_info) = user_info {
        let (user, password) = user_info.split_once(':').unwrap_or((user_info, ""));
        set("user", decode(user, "user name")?);
        set("password", decode(password, "password")?);
    }
    let path_start = find_outside_brackets(rest, &['/', '?']);
    let (authority, path) = rest.split_at(path_start);
    let (hosts, ports) = split_hosts(authority)?;
    set("host", hosts);
    set("port", ports);
    let (path, query) = path.split_once('?').unwrap_or((path, ""));
    // libpq takes these. They come from a password with a bare "@" or "/" in it, whose rest would
    // then be shown as the name of a host or database.
    if authority.contains('@') || path.contains('@') {
        return Err(malformed(
            "there is more than one \"@\", or a \"/\" before it",
        ));
    }
    set(
        "dbname",
        decode(path.strip_prefix('/').unwrap_or(path), "database name")?,
    );
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let Some((name, value)) = pair.split_once('=') else {
            return Err(malformed("a parameter without \"=\""));
        };
        let name = decode(name, "name of a parameter")?;
        let value = decode(value, &format!("parameter \"{name}\""))?;
        // JDBC's spelling, which libpq understands too.
        match (name.as_str(), value.as_str()) {
            ("ssl", "true") => set("sslmode", "require".to_owned()),
            _ => set(&name, value),
        }
    }
    // An empty part is a part that was not given.
    settings.retain(|(_, value)| !value.is_empty());
    Ok(settings)
}

/// Everything before the first `@` that no `/` precedes.
fn split_user_info(rest: &str) -> (Option<&str>, &str) {
    match rest.find(['@', '/']) {
        Some(at) if rest[at..].starts_with('@') => (Some(&rest[..at]), &rest[at + 1..]),
        _ => (None, rest),
    }
}

/// The position of the first of `wanted` that is not part of a `[…]` address, or the end.
fn find_outside_brackets(text: &str, wanted: &[char]) -> usize {
    let mut inside = false;
    for (at, c) in text.char_indices() {
        match c {
            '[' => inside = true,
            ']' => inside = false,
            c if !inside && wanted.contains(&c) => return at,
            _ => {}
        }
    }
    text.len()
}

/// The comma-separated lists of hosts and of ports, in the form of the `host` and `port` keywords.
fn split_hosts(authority: &str) -> Result<(String, String)> {
    let (mut hosts, mut ports) = (Vec::new(), Vec::new());
    for part in authority.split(',') {
        let (host, port) = match part.strip_prefix('[') {
            Some(part) => {
                let Some((host, after)) = part.split_once(']') else {
                    return Err(malformed("an IPv6 address without \"]\""));
                };
                match after.strip_prefix(':') {
                    Some(port) => (host, port),
                    None if after.is_empty() => (host, ""),
                    None => {
                        return Err(malformed(
                            "something other than a port follows an IPv6 address",
                        ));
                    }
                }
            }
            None => part.split_once(':').unwrap_or((part, "")),
        };
        hosts.push(decode(host, "host")?);
        ports.push(decode(port, "port")?);
    }
    // A list of nothing is nothing; a list with gaps keeps its commas, so that the two pair up.
    let join = |list: Vec<String>| {
        let given = list.iter().any(|item| !item.is_empty());
        if given { list.join(",") } else { String::new() }
    };
    Ok((join(hosts), join(ports)))
}

/// Undoes percent-encoding. `+` stays as it is, as in `libpq`.
fn decode(text: &str, part: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, after @ ..] = rest {
        rest = after;
        if *first != b'%' {
            bytes.push(*first);
            continue;
        }
        let byte = match rest {
            [high, low, after @ ..] => {
                rest = after;
                hex_digit(*high)
                    .zip(hex_digit(*low))
                    .map(|(high, low)| high << 4 | low)
            }
            _ => None,
        };
        match byte {
            Some(0) => return Err(malformed(&format!("the {part} holds %00"))),
            Some(byte) => bytes.push(byte),
            None => {
                return Err(malformed(&format!(
                    "the {part} holds a \"%\" that two digits do not follow"
                )));
            }
        }
    }
    String::from_utf8(bytes).map_err(|_| malformed(&format!("the {part} is not UTF-8")))
}

fn hex_digit(byte: u8) -> Option<u8> {
    char::from(byte)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::InvalidInput, format!("the database URL is malformed: {what}")).with_hint(
        "Percent-encode special characters in the user name and the password: @ is %40, / is %2F, : is %3A, # is %23, % is %25.",
    )
}

#[cfg(test)]
#[expect(
    clippy::result_large_err,
    reason = "the macro of proptest returns its own error"
)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parsed(text: &str) -> Vec<(String, String)> {
        parse_url(strip_scheme(text).unwrap()).unwrap()
    }

    /// The cases of libpq's own 001_uri.pl, and some more.
    const TABLE: &[(&str, &[(&str, &str)])] = &[
        ("postgresql://", &[]),
        ("postgresql:///", &[]),
        (
            "postgresql://uri-user:secret@host:12345/db",
            &[
                ("user", "uri-user"),
                ("password", "secret"),
                ("host", "host"),
                ("port", "12345"),
                ("dbname", "db"),
            ],
        ),
        (
            "postgresql://uri-user@host:12345/",
            &[("user", "uri-user"), ("host", "host"), ("port", "12345")],
        ),
        (
            "postgresql://host:12345/db",
            &[("host", "host"), ("port", "12345"), ("dbname", "db")],
        ),
        (
            "postgresql://host/db",
            &[("host", "host"), ("dbname", "db")],
        ),
        (
            "postgresql://host?dbname=db",
            &[("host", "host"), ("dbname", "db")],
        ),
        (
            "postgresql://?host=myhost&user=u",
            &[("host", "myhost"), ("user", "u")],
        ),
        (
            "postgresql:///db?host=/tmp",
            &[("dbname", "db"), ("host", "/tmp")],
        ),
        (
            "postgres://%2Fvar%2Flib%2Fpg/db",
            &[("host", "/var/lib/pg"), ("dbname", "db")],
        ),
        (
            "postgresql://[2001:db8::1234]:5433/db",
            &[
                ("host", "2001:db8::1234"),
                ("port", "5433"),
                ("dbname", "db"),
            ],
        ),
        ("postgresql://[::1]", &[("host", "::1")]),
        ("postgresql://u@[::1]/", &[("user", "u"), ("host", "::1")]),
        (
            "postgresql://h1:1,h2:2/",
            &[("host", "h1,h2"), ("port", "1,2")],
        ),
        (
            "postgresql://h1,h2:2/",
            &[("host", "h1,h2"), ("port", ",2")],
        ),
        (
            "postgresql://h1,[::1]:3/",
            &[("host", "h1,::1"), ("port", ",3")],
        ),
        (
            "postgresql://u:p%40%2F%3A+@h/d%20b",
            &[
                ("user", "u"),
                ("password", "p@/:+"),
                ("host", "h"),
                ("dbname", "d b"),
            ],
        ),
        (
            "postgresql://u:a:b@h",
            &[("user", "u"), ("password", "a:b"), ("host", "h")],
        ),
        (
            "postgresql://h/?sslmode=verify-full&ssl=true",
            &[
                ("host", "h"),
                ("sslmode", "verify-full"),
                ("sslmode", "require"),
            ],
        ),
        (
            "postgresql://h/db?options=-c%20geqo%3Doff",
            &[("host", "h"), ("dbname", "db"), ("options", "-c geqo=off")],
        ),
        ("postgresql://u:@h", &[("user", "u"), ("host", "h")]),
    ];

    #[test]
    fn follows_libpq() {
        for (text, expected) in TABLE {
            let parsed = parsed(text);
            let parsed: Vec<_> = parsed
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect();
            assert_eq!(&parsed[..], *expected, "{text}");
        }
    }

    #[test]
    fn refuses_without_repeating_the_text() {
        for rest in [
            "u:s3cret%@h",
            "u:s3cret%zz@h",
            "u:s3cret%00@h",
            "[::1s3cret",
            "[::1]s3cret",
            "h?s3cret",
            "u:p@s3cret@h",
            "u:12/s3cret@h/db",
            "u:%ff@s3cret",
        ] {
            let error = parse_url(rest).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(!format!("{error:?}").contains("s3cret"), "{error:?}");
        }
    }

    proptest! {
        #[test]
        fn never_panics(text in "[\\PC%@:/?&=,\\[\\]]{0,40}") {
            let _ = parse_url(&text);
        }
    }
}
