//! What quoted tokens mean: their text without quotes, escapes resolved.

use super::lexer::{Backslash, TokenKind, continued, string_end};
use std::borrow::Cow;
use std::ops::Range;

/// The value of a token; see [`super::Token::value`].
pub(super) fn value(kind: TokenKind, text: &str) -> Cow<'_, str> {
    match kind {
        TokenKind::Word if text.bytes().any(|byte| byte.is_ascii_uppercase()) => {
            Cow::Owned(text.to_ascii_lowercase())
        }
        TokenKind::QuotedIdentifier => name(text, '\\'),
        TokenKind::String => string(text),
        TokenKind::DollarBody => Cow::Borrowed(&text[inner(kind, text)]),
        _ => Cow::Borrowed(text),
    }
}

/// The bytes between the quotes of a token, without the closing one where it is missing.
pub(super) fn inner(kind: TokenKind, text: &str) -> Range<usize> {
    let quote = match kind {
        TokenKind::QuotedIdentifier => "\"",
        TokenKind::String => "'",
        TokenKind::DollarBody => {
            let tag = text.get(1..).and_then(|rest| rest.find('$'));
            text.get(..tag.map_or(0, |at| at + 2)).unwrap_or_default()
        }
        _ => return 0..text.len(),
    };
    let start = text.find(quote).map_or(0, |at| at + quote.len());
    let rest = text.get(start..).unwrap_or_default();
    start..start + rest.strip_suffix(quote).unwrap_or(rest).len()
}

/// A quoted name; `escape` stands before code points, in names with `U&`.
pub(super) fn name(text: &str, escape: char) -> Cow<'_, str> {
    let inner = &text[inner(TokenKind::QuotedIdentifier, text)];
    let plain = match inner.contains('"') {
        true => Cow::Owned(inner.replace("\"\"", "\"")),
        false => Cow::Borrowed(inner),
    };
    if text.starts_with('"') {
        plain
    } else {
        Cow::Owned(code_points(&plain, escape))
    }
}

fn string(text: &str) -> Cow<'_, str> {
    let quote = text.find('\'').unwrap_or_default();
    let prefix = text.as_bytes().first().map(u8::to_ascii_lowercase);
    let backslash = match prefix {
        Some(b'e') => Backslash::Escapes,
        _ => Backslash::Plain,
    };
    let plain = joined(text, quote, backslash);
    match prefix {
        Some(b'e') if plain.contains('\\') => Cow::Owned(escapes(&plain)),
        Some(b'u') if plain.contains('\\') => Cow::Owned(code_points(&plain, '\\')),
        _ => plain,
    }
}

/// The parts of a literal in one, each quote once.
fn joined(text: &str, quote: usize, backslash: Backslash) -> Cow<'_, str> {
    let bytes = text.as_bytes();
    let mut whole = Cow::Borrowed("");
    let mut next = Some(quote);
    while let Some(quote) = next {
        let end = string_end(bytes, quote, backslash);
        let stop = end.map_or(text.len(), |end| end - 1);
        let part = text.get(quote + 1..stop).unwrap_or_default();
        match part.contains("''") {
            true => whole.to_mut().push_str(&unquoted(part, backslash)),
            false if whole.is_empty() => whole = Cow::Borrowed(part),
            false => whole.to_mut().push_str(part),
        }
        next = end.and_then(|end| continued(bytes, end));
    }
    whole
}

/// A quote that a backslash makes does not count as half of a doubled one.
fn unquoted(part: &str, backslash: Backslash) -> String {
    let mut out = String::with_capacity(part.len());
    let mut chars = part.chars();
    while let Some(c) = chars.next() {
        out.push(c);
        match c {
            '\'' => _ = chars.next(),
            '\\' if backslash == Backslash::Escapes => out.extend(chars.next()),
            _ => {}
        }
    }
    out
}

/// Resolves the escapes of `E''`. What is no escape stands for itself, and bytes that make no character
/// are replaced: the server refuses them.
fn escapes(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('\\') {
        out.extend_from_slice(before.as_bytes());
        let Some(c) = after.chars().next() else {
            rest = "";
            break;
        };
        let tail = after.get(c.len_utf8()..).unwrap_or_default();
        let (digits, length, radix) = match c {
            '0'..='7' => (after, 3, 8),
            'x' => (tail, 2, 16),
            'u' => (tail, 4, 16),
            'U' => (tail, 8, 16),
            _ => (tail, 0, 16),
        };
        rest = match leading(digits, length, radix) {
            Some((code, tail)) if matches!(c, 'u' | 'U') => {
                push(
                    &mut out,
                    char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER),
                );
                tail
            }
            Some((code, tail)) => {
                out.push(u8::try_from(code & 0xff).unwrap_or_default());
                tail
            }
            None => {
                push(&mut out, control(c));
                tail
            }
        };
    }
    out.extend_from_slice(rest.as_bytes());
    String::from_utf8(out).unwrap_or_else(|e| String::from_utf8_lossy(e.as_bytes()).into_owned())
}

fn push(out: &mut Vec<u8>, c: char) {
    out.extend_from_slice(c.encode_utf8(&mut [0; 4]).as_bytes());
}

fn control(c: char) -> char {
    match c {
        'b' => '\x08',
        'f' => '\x0c',
        'n' => '\n',
        'r' => '\r',
        't' => '\t',
        'v' => '\x0b',
        c => c,
    }
}

/// The number that up to `length` digits at the start make, and what follows them.
fn leading(text: &str, length: usize, radix: u32) -> Option<(u32, &str)> {
    let digits = text.chars().take(length);
    let count = digits.take_while(|c| c.is_digit(radix)).count();
    let (digits, rest) = text.split_at_checked(count)?;
    Some((u32::from_str_radix(digits, radix).ok()?, rest))
}

/// Resolves the code points of `U&''`: `\0061` and `\+000061`.
fn code_points(text: &str, escape: char) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(escape) {
        out.push_str(before);
        let (digits, length) = match after.strip_prefix('+') {
            Some(digits) => (digits, 6),
            None => (after, 4),
        };
        rest = match (leading(digits, length, 16), after.strip_prefix(escape)) {
            (_, Some(tail)) => {
                out.push(escape);
                tail
            }
            (Some((code, tail)), _) => {
                out.push(char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER));
                tail
            }
            (None, None) => {
                out.push(escape);
                after
            }
        };
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::super::lexer::tokens;

    fn check(text: &str, wanted: &str) {
        let token = tokens(text).next().unwrap();
        assert_eq!(token.text, text, "one token");
        assert_eq!(token.value(), wanted, "{text}");
    }

    #[test]
    fn strings() {
        check("'it''s'", "it's");
        check("''", "");
        check("''''", "'");
        check(r"'a\n'", r"a\n");
        check("'a'\n  'b''c'", "ab'c");
        check("'a'\n'b'\n-- x\n'c'", "abc");
        check(r"e'\' ''\\'", r"' '\");
        check(r"E'\b\f\n\r\t\z\\'", "\x08\x0c\n\r\tz\\");
        check(r"E'\101\x41\u0041\U00000041é\xC3\xA9'", "AAAAéé");
        check(r"E'\x'", "x");
        check(
            r"E'a'
'\tb'",
            "a\tb",
        );
        check(r"U&'d\0061t\+000061\\'", r"data\");
        check(r"U&'\zz'", r"\zz");
        check("x'1F'", "1F");
        check("N'é'", "é");
    }

    #[test]
    fn names_and_bodies() {
        check("SELECT", "select");
        check("ÉA", "Éa");
        check(r#""A""b""#, r#"A"b"#);
        check(r#"U&"d\0061""b""#, r#"da"b"#);
        check("$$a'b$$", "a'b");
        check("$x$ $$ $x$", " $$ ");
        check("$1", "$1");
    }

    #[test]
    fn open_ones_have_what_is_there() {
        check("'a", "a");
        check("'a''", "a'");
        check(r"e'\", "");
        check("\"", "");
        check("$$", "");
        check("$a$b$", "b$");
        check("U&'", "");
    }
}
