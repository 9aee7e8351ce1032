//! `keyword=value` connection strings, by the rules of `libpq`'s `conninfo_parse`.

use crate::error::{Error, ErrorKind, Result};

/// The settings of `text`, in order. Errors name keywords and positions, never values.
pub(super) fn parse_keywords(text: &str) -> Result<Vec<(String, String)>> {
    let mut settings = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let (keyword, after) = keyword(rest)?;
        let (value, after) = value(keyword, after)?;
        settings.push((keyword.to_owned(), value));
        rest = after.trim_start();
    }
    Ok(settings)
}

/// A keyword and what follows its `=`, blanks around the sign left out.
fn keyword(text: &str) -> Result<(&str, &str)> {
    let end = text.find(|c: char| c == '=' || c.is_ascii_whitespace());
    let (keyword, after) = text.split_at(end.unwrap_or(text.len()));
    match after.trim_start().strip_prefix('=') {
        // What stands here may be half of a password with a blank in it: it is not repeated.
        None => Err(malformed("a keyword without \"=\"")),
        Some(_) if keyword.is_empty() => Err(malformed("a \"=\" without a keyword")),
        Some(after) => Ok((keyword, after.trim_start())),
    }
}

/// A value and what follows it.
fn value<'a>(keyword: &str, text: &'a str) -> Result<(String, &'a str)> {
    let (text, quoted) = match text.strip_prefix('\'') {
        Some(inner) => (inner, true),
        None => (text, false),
    };
    let mut value = String::new();
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        match c {
            '\\' => value.extend(chars.next().map(|(_, escaped)| escaped)),
            '\'' if quoted => return Ok((value, &text[at + 1..])),
            c if !quoted && c.is_ascii_whitespace() => return Ok((value, &text[at..])),
            c => value.push(c),
        }
    }
    if quoted {
        let error = malformed(&format!("the value of \"{keyword}\" has no closing quote"));
        return Err(error);
    }
    Ok((value, ""))
}

fn malformed(what: &str) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("the connection string is malformed: {what}"),
    )
    .with_hint("Write keyword=value pairs with blanks between them; quote values that hold blanks: password='a b'.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_libpq() {
        let table: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            ("  ", &[]),
            ("host=a port=1", &[("host", "a"), ("port", "1")]),
            ("host = a\n\tport= 1", &[("host", "a"), ("port", "1")]),
            ("password='a b'", &[("password", "a b")]),
            (
                r"password='it\'s' user=u",
                &[("password", "it's"), ("user", "u")],
            ),
            (r"password=a\ b\\c", &[("password", r"a b\c")]),
            ("password='' user=u", &[("password", ""), ("user", "u")]),
            ("password=a'b", &[("password", "a'b")]),
            ("password='a'user=b", &[("password", "a"), ("user", "b")]),
            (r"password=a\", &[("password", "a")]),
            ("host=é=ü", &[("host", "é=ü")]),
        ];
        for (text, expected) in table {
            let parsed = parse_keywords(text).unwrap();
            let parsed: Vec<_> = parsed
                .iter()
                .map(|(k, v)| (k.as_str(), v.as_str()))
                .collect();
            assert_eq!(&parsed[..], *expected, "{text}");
        }
    }

    #[test]
    fn refuses_without_repeating_values() {
        for text in [
            "password='s3cret",
            "password=s3 cret",
            "=s3cret",
            "host=a s3cret",
        ] {
            let error = parse_keywords(text).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidInput);
            assert!(!format!("{error:?}").contains("cret"), "{error:?}");
        }
    }
}
