//! SQL text as a row of tokens, with the rules of `psql`'s scanner and of the server's.
//!
//! Strings are read as with `standard_conforming_strings = on`: a backslash is special in `E''` only.

use super::literal;
use std::borrow::Cow;
use std::ops::Range;

/// The server knows no longer operator than an identifier; the limit also bounds what is read again
/// after a long row of signs.
const SYMBOL_BYTES_MAX: usize = 63;

/// What a token is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TokenKind {
    /// A keyword or a name without quotes.
    Word,
    /// A name in double quotes, also `U&""`.
    QuotedIdentifier,
    /// A literal in single quotes, also with one of the prefixes `E B X N U&`, and also when it goes on
    /// after a line break.
    String,
    /// A literal between dollar tags.
    DollarBody,
    /// A number, with whatever letters stick to it.
    Number,
    /// An operator, a bracket, a comma: anything else.
    Symbol,
    /// A parameter: `$1`, with whatever letters stick to it.
    Parameter,
}

/// One token and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Token<'a> {
    /// What it is.
    pub kind: TokenKind,
    /// Its bytes in the text that it was read from.
    pub span: Range<usize>,
    /// Its text, as written.
    pub text: &'a str,
}

impl<'a> Token<'a> {
    /// Whether this is that word, in whatever case of letters.
    ///
    /// ```
    /// use opskit_core::migrate::tokens;
    /// let mut tokens = tokens(r#"Table "table""#);
    /// assert!(tokens.next().unwrap().is_word("table"));
    /// assert!(!tokens.next().unwrap().is_word("table"));
    /// ```
    #[must_use]
    pub fn is_word(&self, word: &str) -> bool {
        self.kind == TokenKind::Word && self.text.eq_ignore_ascii_case(word)
    }

    /// Whether this is that symbol.
    ///
    /// ```
    /// use opskit_core::migrate::tokens;
    /// assert!(tokens("::text").next().unwrap().is_symbol("::"));
    /// ```
    #[must_use]
    pub fn is_symbol(&self, symbol: &str) -> bool {
        self.kind == TokenKind::Symbol && self.text == symbol
    }

    /// What the token means to the server: the text within the quotes with its escapes resolved, a word in
    /// lower case, anything else as written.
    ///
    /// ```
    /// use opskit_core::migrate::tokens;
    /// let values = |sql| tokens(sql).map(|token| token.value().into_owned()).collect::<Vec<_>>();
    /// assert_eq!(values(r"Do 'it''s' E'a\tb' $x$ $$ $x$"), ["do", "it's", "a\tb", " $$ "]);
    /// ```
    #[must_use]
    pub fn value(&self) -> Cow<'a, str> {
        literal::value(self.kind, self.text)
    }

    /// The bytes between the quotes or dollar tags, in the text that the token was read from; all of it where
    /// there are none. [`Token::value`] is what they mean.
    ///
    /// ```
    /// use opskit_core::migrate::tokens;
    /// let sql = "do $x$ begin end $x$";
    /// let body = tokens(sql).nth(1).unwrap();
    /// assert_eq!(&sql[body.inner()], " begin end ");
    /// ```
    #[must_use]
    pub fn inner(&self) -> Range<usize> {
        let inner = literal::inner(self.kind, self.text);
        self.span.start + inner.start..self.span.start + inner.end
    }
}

/// The tokens of a text, without blanks and comments.
///
/// A literal that never ends goes up to the end of the text; [`Script::parse`](super::Script::parse)
/// refuses those.
///
/// ```
/// use opskit_core::migrate::{TokenKind, tokens};
/// let kinds: Vec<_> = tokens("select $1 -- one\n").map(|token| token.kind).collect();
/// assert_eq!(kinds, [TokenKind::Word, TokenKind::Parameter]);
/// ```
#[must_use]
pub fn tokens(text: &str) -> Tokens<'_> {
    Tokens { text, at: 0 }
}

/// What [`tokens`] gives.
#[derive(Debug, Clone)]
pub struct Tokens<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Tokens<'a> {
    /// Those that stand before this byte.
    pub(super) fn until(self, end: usize) -> Self {
        Self {
            text: self.text.get(..end).unwrap_or(self.text),
            at: self.at,
        }
    }
}

impl<'a> Iterator for Tokens<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        loop {
            let piece = piece_at(self.text, self.at)?;
            let span = self.at..piece.end;
            self.at = piece.end;
            if let PieceKind::Token(kind) = piece.kind {
                let text = self.text.get(span.clone()).unwrap_or_default();
                return Some(Token { kind, span, text });
            }
        }
    }
}

/// Any part of a text, blanks and comments included.
pub(super) struct Piece {
    pub(super) kind: PieceKind,
    pub(super) end: usize,
    /// False where a quote or a comment is still open at the end of the text.
    pub(super) is_closed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum PieceKind {
    Blank,
    Comment,
    Token(TokenKind),
}

/// The piece that starts at this byte; none at the end. All pieces end between characters, because every
/// byte above ASCII is part of a word, of a literal or of a comment.
pub(super) fn piece_at(text: &str, at: usize) -> Option<Piece> {
    let bytes = text.as_bytes();
    let rest = bytes.get(at..)?;
    let first = *rest.first()?;
    let second = rest.get(1).copied().unwrap_or_default();
    Some(match (first, second) {
        (b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c', _) => {
            whole(PieceKind::Blank, run(bytes, at, is_space))
        }
        (b'-', b'-') => whole(PieceKind::Comment, run(bytes, at, |b| !is_newline(b))),
        (b'/', b'*') => or_end(PieceKind::Comment, text, block_comment(bytes, at)),
        (b'\'', _) => string(text, at, Backslash::Plain),
        (b'e' | b'E', b'\'') => string(text, at + 1, Backslash::Escapes),
        (b'b' | b'B' | b'x' | b'X' | b'n' | b'N', b'\'') => string(text, at + 1, Backslash::Plain),
        (b'u' | b'U', b'&') if rest.get(2) == Some(&b'\'') => {
            string(text, at + 2, Backslash::Plain)
        }
        (b'u' | b'U', b'&') if rest.get(2) == Some(&b'"') => identifier(text, at + 2),
        (b'"', _) => identifier(text, at),
        (b'$', _) => dollar(text, at),
        (b'0'..=b'9', _) | (b'.', b'0'..=b'9') => token(TokenKind::Number, number(bytes, at)),
        (b':', b':' | b'=') | (b'.', b'.') => token(TokenKind::Symbol, at + 2),
        _ if is_word_start(first) => token(TokenKind::Word, run(bytes, at, is_word_part)),
        _ if is_operator(first) => token(TokenKind::Symbol, operator(bytes, at)),
        _ => token(TokenKind::Symbol, at + 1),
    })
}

fn whole(kind: PieceKind, end: usize) -> Piece {
    Piece {
        kind,
        end,
        is_closed: true,
    }
}

fn token(kind: TokenKind, end: usize) -> Piece {
    whole(PieceKind::Token(kind), end)
}

/// A piece that ends there, or is open at the end of the text.
fn or_end(kind: PieceKind, text: &str, end: Option<usize>) -> Piece {
    Piece {
        kind,
        end: end.unwrap_or(text.len()),
        is_closed: end.is_some(),
    }
}

/// Where the bytes of this kind end.
fn run(bytes: &[u8], at: usize, is_part: impl Fn(u8) -> bool) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    at + rest.iter().take_while(|byte| is_part(**byte)).count()
}

fn is_space(byte: u8) -> bool {
    matches!(byte, b' ' | b'\t' | b'\n' | b'\r' | b'\x0b' | b'\x0c')
}

pub(super) fn is_newline(byte: u8) -> bool {
    matches!(byte, b'\n' | b'\r')
}

/// Blanks beyond ASCII are letters to the server, as are all bytes up there.
fn is_word_start(byte: u8) -> bool {
    byte.is_ascii_alphabetic() || byte == b'_' || !byte.is_ascii()
}

fn is_tag_part(byte: u8) -> bool {
    is_word_start(byte) || byte.is_ascii_digit()
}

fn is_word_part(byte: u8) -> bool {
    is_tag_part(byte) || byte == b'$'
}

fn is_operator(byte: u8) -> bool {
    is_beyond_standard(byte) || matches!(byte, b'+' | b'-' | b'*' | b'/' | b'<' | b'>' | b'=')
}

/// Signs that make an operator one of Postgres' own, which may end in `+` or `-`.
fn is_beyond_standard(byte: u8) -> bool {
    matches!(
        byte,
        b'~' | b'!' | b'@' | b'#' | b'^' | b'&' | b'|' | b'`' | b'?' | b'%'
    )
}

/// Comments of this form hold each other.
fn block_comment(bytes: &[u8], at: usize) -> Option<usize> {
    let mut depth = 1;
    let mut at = at + 2;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'/', Some(b'*')) => (depth, at) = (depth + 1, at + 2),
            (b'*', Some(b'/')) => (depth, at) = (depth - 1, at + 2),
            _ => at += 1,
        }
        if depth == 0 {
            return Some(at);
        }
    }
}

/// What a backslash in a literal does.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Backslash {
    Plain,
    Escapes,
}

fn string(text: &str, quote: usize, backslash: Backslash) -> Piece {
    let bytes = text.as_bytes();
    let mut end = string_end(bytes, quote, backslash);
    while let Some(quote) = end.and_then(|end| continued(bytes, end)) {
        end = string_end(bytes, quote, backslash);
    }
    or_end(PieceKind::Token(TokenKind::String), text, end)
}

/// Behind the quote that closes the one at `quote`.
pub(super) fn string_end(bytes: &[u8], quote: usize, backslash: Backslash) -> Option<usize> {
    let mut at = quote + 1;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'\'', Some(b'\'')) => at += 2,
            (b'\'', _) => return Some(at + 1),
            (b'\\', _) if backslash == Backslash::Escapes => at += 2,
            _ => at += 1,
        }
    }
}

/// The quote with which a literal that was closed goes on. Some line break must stand between, and nothing
/// but blanks and comments to the end of the line.
///
/// `psql` reads line by line and takes what follows for a literal of its own; that makes a difference for
/// `E''` only, where the server has the last word.
pub(super) fn continued(bytes: &[u8], end: usize) -> Option<usize> {
    let mut at = end;
    let mut has_newline = false;
    loop {
        match (bytes.get(at)?, bytes.get(at + 1)) {
            (b'\'', _) if has_newline => return Some(at),
            (b'-', Some(b'-')) => at = run(bytes, at, |byte| !is_newline(byte)),
            (byte, _) if is_space(*byte) => {
                has_newline |= is_newline(*byte);
                at += 1;
            }
            _ => return None,
        }
    }
}

fn identifier(text: &str, quote: usize) -> Piece {
    let bytes = text.as_bytes();
    let mut at = quote + 1;
    let end = loop {
        match (bytes.get(at), bytes.get(at + 1)) {
            (None, _) => break None,
            (Some(b'"'), Some(b'"')) => at += 2,
            (Some(b'"'), _) => break Some(at + 1),
            _ => at += 1,
        }
    };
    or_end(PieceKind::Token(TokenKind::QuotedIdentifier), text, end)
}

/// A parameter, a literal between tags, or a sign alone.
fn dollar(text: &str, at: usize) -> Piece {
    let bytes = text.as_bytes();
    let next = bytes.get(at + 1).copied().unwrap_or_default();
    if next.is_ascii_digit() {
        let end = run(bytes, at + 1, |byte| byte.is_ascii_digit());
        // The server refuses letters that stick to it, and reads them as part of it.
        let junk = bytes.get(end).is_some_and(|byte| is_word_start(*byte));
        let end = if junk {
            run(bytes, end, is_word_part)
        } else {
            end
        };
        return token(TokenKind::Parameter, end);
    }
    let tag_end = run(bytes, at + 1, is_tag_part);
    if bytes.get(tag_end) != Some(&b'$') {
        return token(TokenKind::Symbol, at + 1);
    }
    let tag = text.get(at..=tag_end).unwrap_or_default();
    let rest = text.get(tag_end + 1..).unwrap_or_default();
    let end = rest.find(tag).map(|found| tag_end + 1 + found + tag.len());
    or_end(PieceKind::Token(TokenKind::DollarBody), text, end)
}

fn number(bytes: &[u8], at: usize) -> usize {
    let (mut end, mut has_dot, mut has_letter) = (at, false, false);
    while let Some(byte) = bytes.get(end) {
        let next = bytes.get(end + 1).copied().unwrap_or_default();
        match byte {
            b'e' | b'E' if !has_letter && matches!(next, b'+' | b'-') => {
                has_letter = true;
                end += 1;
            }
            b'.' if has_dot || has_letter || next == b'.' => break,
            b'.' => has_dot = true,
            byte if is_tag_part(*byte) => has_letter |= is_word_start(*byte) && *byte != b'_',
            _ => break,
        }
        end += 1;
    }
    end
}

/// An operator ends where a comment starts. One of the signs of the standard alone does not end in `+` or
/// `-`, so that `a=-1` reads as people mean it.
fn operator(bytes: &[u8], at: usize) -> usize {
    let rest = bytes.get(at..).unwrap_or_default();
    let (mut length, mut without_sign, mut is_own) = (0, 1, false);
    for (byte, next) in rest.iter().zip(rest.iter().skip(1).chain([&0])) {
        let starts_comment = matches!((byte, next), (b'/', b'*') | (b'-', b'-'));
        if length == SYMBOL_BYTES_MAX || starts_comment || !is_operator(*byte) {
            break;
        }
        length += 1;
        is_own |= is_beyond_standard(*byte);
        if !matches!(byte, b'+' | b'-') {
            without_sign = length;
        }
    }
    at + if is_own { length } else { without_sign }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, wanted: &[&str]) {
        let found: Vec<_> = tokens(text).map(|token| token.text).collect();
        assert_eq!(found, wanted, "{text}");
    }

    #[test]
    fn words_names_and_numbers() {
        check("a$b$ _x1 é", &["a$b$", "_x1", "é"]);
        check(r#"a."B""c".d"#, &["a", ".", r#""B""c""#, ".", "d"]);
        check(r#"u&"\0061" u&x"#, &[r#"u&"\0061""#, "u", "&", "x"]);
        check(
            "1 1.5 .5 1e-5 1.e+5 0x1F 1_000 1..10",
            &[
                "1", "1.5", ".5", "1e-5", "1.e+5", "0x1F", "1_000", "1", "..", "10",
            ],
        );
        check("$1 $12a $1$", &["$1", "$12a", "$1", "$"]);
    }

    #[test]
    fn literals() {
        check(
            "'a''b' e'\\'' x'1F' N'n'",
            &["'a''b'", "e'\\''", "x'1F'", "N'n'"],
        );
        check(r"'\' 'x'", &[r"'\'", "'x'"]);
        check("'a' 'b'", &["'a'", "'b'"]);
        check("'a' -- c\n 'b'", &["'a' -- c\n 'b'"]);
        check("'a' /* c */\n 'b'", &["'a'", "'b'"]);
        check("e'a'\n'\\'' x", &["e'a'\n'\\''", "x"]);
        check("name'x'", &["name", "'x'"]);
        check("$$a$b$$ $é$ $$ $e$ $é$", &["$$a$b$$", "$é$ $$ $e$ $é$"]);
        check("$a$ $aa$a$ x", &["$a$ $aa$a$", "x"]);
        check("$1$a$ ; $a$", &["$1", "$a$ ; $a$"]);
    }

    #[test]
    fn signs_and_comments() {
        check("a=-1", &["a", "=", "-", "1"]);
        check(
            "a @- b::c:=d=>e",
            &["a", "@-", "b", "::", "c", ":=", "d", "=>", "e"],
        );
        check("+/*x*/-", &["+", "-"]);
        check("*--x\n<>", &["*", "<>"]);
        check("--x\r1", &["1"]);
        check("/*/ /* */ */ */1", &["*/", "1"]);
        check("/* /* */ */1", &["1"]);
        check("\\", &["\\"]);
    }

    #[test]
    fn what_never_ends_goes_to_the_end() {
        for text in ["'a", "e'\\", "\"a", "u&'", "$a$ $", "$$", "e'\\'"] {
            check(text, &[text]);
        }
        check("1 /* /* */", &["1"]);
    }
}
