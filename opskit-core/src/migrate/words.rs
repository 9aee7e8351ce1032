//! A cursor over the tokens of a statement, for those who ask what it does.

use super::lexer::{Token, TokenKind, Tokens, tokens};
use super::literal;

/// The server cuts longer names.
const NAME_BYTES_MAX: usize = 63;

/// A cursor over tokens. It is cheap to clone, which is how to look ahead.
///
/// ```
/// use opskit_core::migrate::Words;
/// let mut words = Words::new("ALTER TABLE IF EXISTS Shop.\"Orders\" ADD COLUMN note text");
/// assert!(words.next_are(&["alter", "table"]));
/// words.next_are(&["if", "exists"]);
/// assert_eq!(words.name().unwrap(), ["shop", "Orders"]);
/// assert!(words.next_is("add"));
/// ```
#[derive(Debug, Clone)]
pub struct Words<'a> {
    tokens: Tokens<'a>,
}

impl<'a> Words<'a> {
    /// A cursor at the first token.
    #[must_use]
    pub fn new(sql: &'a str) -> Self {
        Self {
            tokens: tokens(sql),
        }
    }

    /// The next token; the cursor stays.
    ///
    /// ```
    /// use opskit_core::migrate::Words;
    /// let words = Words::new("drop table t");
    /// assert!(words.peek().unwrap().is_word("drop"));
    /// assert!(words.peek().unwrap().is_word("drop"));
    /// ```
    #[must_use]
    pub fn peek(&self) -> Option<Token<'a>> {
        self.tokens.clone().next()
    }

    /// Steps over the next token when it is this word.
    ///
    /// ```
    /// use opskit_core::migrate::Words;
    /// let mut words = Words::new("DROP \"table\"");
    /// assert!(!words.next_is("table"));
    /// assert!(words.next_is("drop"));
    /// assert!(!words.next_is("table"), "a name in quotes is no keyword");
    /// ```
    pub fn next_is(&mut self, word: &str) -> bool {
        self.step_if(|token| token.is_word(word))
    }

    /// Steps over the next tokens when they are these words, all of them.
    ///
    /// ```
    /// use opskit_core::migrate::Words;
    /// let mut words = Words::new("create or replace view v");
    /// assert!(!words.next_are(&["create", "view"]));
    /// assert!(words.next_are(&["create", "or", "replace"]));
    /// assert!(words.next_is("view"));
    /// ```
    pub fn next_are(&mut self, words: &[&str]) -> bool {
        let mut ahead = self.clone();
        let are = words.iter().all(|word| ahead.next_is(word));
        if are {
            *self = ahead;
        }
        are
    }

    /// Steps over the next token when it is one of these words, and says which.
    ///
    /// ```
    /// use opskit_core::migrate::Words;
    /// let mut words = Words::new("ABORT");
    /// assert_eq!(words.next_of(&["rollback", "abort"]), Some("abort"));
    /// ```
    pub fn next_of<'w>(&mut self, words: &[&'w str]) -> Option<&'w str> {
        words.iter().copied().find(|word| self.next_is(word))
    }

    /// Steps over the next token when it is this symbol.
    ///
    /// ```
    /// use opskit_core::migrate::Words;
    /// let mut words = Words::new("(a)");
    /// assert!(words.next_symbol("("));
    /// assert!(!words.next_symbol("("));
    /// ```
    pub fn next_symbol(&mut self, symbol: &str) -> bool {
        self.step_if(|token| token.is_symbol(symbol))
    }

    /// Reads a name, qualified or not: its parts as the server stores them, so without quotes, in lower case
    /// where there were none, and cut to 63 bytes. The cursor stays where no name is.
    ///
    /// ```
    /// use opskit_core::migrate::Words;
    /// let mut words = Words::new("Public . \"My Table\" (a)");
    /// assert_eq!(words.name().unwrap(), ["public", "My Table"]);
    /// assert!(words.next_symbol("("));
    /// assert_eq!(words.name().unwrap(), ["a"]);
    /// assert_eq!(words.name(), None);
    /// ```
    pub fn name(&mut self) -> Option<Vec<String>> {
        let mut parts = vec![self.name_part()?];
        loop {
            let mut ahead = self.clone();
            let part = match ahead.next_symbol(".") {
                true => ahead.name_part(),
                false => None,
            };
            let Some(part) = part else {
                return Some(parts);
            };
            parts.push(part);
            *self = ahead;
        }
    }

    /// Steps over a pair of parentheses and all that is between, and gives a cursor over that.
    ///
    /// ```
    /// use opskit_core::migrate::Words;
    /// let mut words = Words::new("(a, f(b)) with");
    /// assert_eq!(words.parenthesized().unwrap().count(), 6);
    /// assert!(words.next_is("with"));
    /// assert!(words.parenthesized().is_none());
    /// ```
    pub fn parenthesized(&mut self) -> Option<Words<'a>> {
        let mut ahead = self.clone();
        if !ahead.next_symbol("(") {
            return None;
        }
        let start = ahead.clone();
        let mut depth = 1_usize;
        for token in ahead.by_ref() {
            match token.text {
                "(" => depth += 1,
                ")" => depth -= 1,
                _ => {}
            }
            if depth == 0 {
                *self = ahead;
                return Some(Self {
                    tokens: start.tokens.until(token.span.start),
                });
            }
        }
        None
    }

    fn name_part(&mut self) -> Option<String> {
        let mut ahead = self.clone();
        let token = ahead.next()?;
        let mut name = match token.kind {
            TokenKind::Word => token.value().into_owned(),
            TokenKind::QuotedIdentifier => {
                let escape = match token.text.starts_with('"') {
                    true => None,
                    false => ahead.unicode_escape(),
                };
                literal::name(token.text, escape.unwrap_or('\\')).into_owned()
            }
            _ => return None,
        };
        *self = ahead;
        name.truncate(name.floor_char_boundary(NAME_BYTES_MAX));
        Some(name)
    }

    /// Reads `UESCAPE '!'`.
    fn unicode_escape(&mut self) -> Option<char> {
        let mut ahead = self.clone();
        if !ahead.next_is("uescape") {
            return None;
        }
        let token = ahead.next().filter(|it| it.kind == TokenKind::String)?;
        *self = ahead;
        token.value().chars().next()
    }

    fn step_if(&mut self, is_wanted: impl Fn(&Token<'a>) -> bool) -> bool {
        let mut ahead = self.tokens.clone();
        let is_next = ahead.next().is_some_and(|token| is_wanted(&token));
        if is_next {
            self.tokens = ahead;
        }
        is_next
    }
}

impl<'a> Iterator for Words<'a> {
    type Item = Token<'a>;

    fn next(&mut self) -> Option<Token<'a>> {
        self.tokens.next()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_the_server_stores_them() {
        let check = |sql: &str, wanted: &[&str], rest: &str| {
            let mut words = Words::new(sql);
            assert_eq!(words.name().unwrap(), wanted, "{sql}");
            assert_eq!(words.next().map_or("", |token| token.text), rest, "{sql}");
        };
        check("A.b.\"C\"\"d\" x", &["a", "b", "C\"d"], "x");
        check("a /* c */ . b", &["a", "b"], "");
        check("a.*", &["a"], ".");
        check("a.", &["a"], ".");
        check(r#"U&"d!0061" uescape '!' . b"#, &["da", "b"], "");
        check(r#"U&"d\0061" uescape"#, &["da"], "uescape");
        check(r#""a" uescape '!'"#, &["a"], "uescape");
        check("ÄB", &["Äb"], "");
        let long = "é".repeat(40);
        check(&long, &["é".repeat(31).as_str()], "");
    }

    #[test]
    fn what_is_no_name_leaves_the_cursor() {
        for sql in ["", "(a)", "'a'", "1", "$1", "$$a$$"] {
            let mut words = Words::new(sql);
            assert_eq!(words.name(), None, "{sql}");
            assert_eq!(words.peek(), tokens(sql).next());
        }
        let mut words = Words::new("((a)");
        assert!(words.parenthesized().is_none());
        assert!(words.next_symbol("("));
    }
}
