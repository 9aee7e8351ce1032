//! What a statement says: its tokens, and questions about them.

use super::super::lexer::{Token, TokenKind};

/// The tokens of one statement.
#[derive(Debug, Clone, Copy)]
pub(in crate::migrate) struct Said<'t, 'a>(pub(in crate::migrate) &'t [Token<'a>]);

impl<'t, 'a> Said<'t, 'a> {
    /// Whether it begins with these words.
    pub(in crate::migrate) fn starts(self, words: &[&str]) -> bool {
        self.0.len() >= words.len()
            && words
                .iter()
                .zip(self.0)
                .all(|(word, token)| token.is_word(word))
    }

    /// Where these words stand one behind the other.
    pub(in crate::migrate) fn find(self, words: &[&str]) -> Option<usize> {
        (0..self.0.len()).find(|at| Said(&self.0[*at..]).starts(words))
    }

    pub(in crate::migrate) fn has(self, words: &[&str]) -> bool {
        self.find(words).is_some()
    }

    pub(in crate::migrate) fn has_any(self, words: &[&str]) -> bool {
        words.iter().any(|word| self.has(&[word]))
    }

    /// What stands behind the first place of these words.
    pub(in crate::migrate) fn after(self, words: &[&str]) -> Option<Self> {
        let at = self.find(words)?;
        Some(Self(&self.0[at + words.len()..]))
    }

    /// From here on.
    pub(in crate::migrate) fn from(self, at: usize) -> Self {
        Self(self.0.get(at..).unwrap_or_default())
    }

    pub(in crate::migrate) fn skip_words(self, words: &[&str]) -> Self {
        let count = self
            .0
            .iter()
            .take_while(|token| words.iter().any(|word| token.is_word(word)))
            .count();
        self.from(count)
    }

    /// The name that stands first, as written.
    pub(in crate::migrate) fn name(self) -> String {
        let mut name = String::new();
        for token in self.0 {
            let is_part = matches!(token.kind, TokenKind::Word | TokenKind::QuotedIdentifier);
            match name.is_empty() || name.ends_with('.') {
                true if is_part => name.push_str(&token.value()),
                false if token.is_symbol(".") => name.push('.'),
                _ => break,
            }
        }
        name.to_lowercase()
    }

    /// The actions of an `ALTER TABLE`: what stands between commas outside of parentheses.
    pub(in crate::migrate) fn actions(self) -> Vec<Self> {
        let mut depth = 0_usize;
        let mut start = 0;
        let mut actions = Vec::new();
        for (at, token) in self.0.iter().enumerate() {
            match token.text {
                "(" => depth += 1,
                ")" => depth = depth.saturating_sub(1),
                "," if depth == 0 => {
                    actions.push(Self(&self.0[start..at]));
                    start = at + 1;
                }
                _ => {}
            }
        }
        actions.push(self.from(start));
        actions
    }

    /// Whether `word` stands in the same parentheses as the first token, up to where they close.
    pub(in crate::migrate) fn clause(self, word: &str) -> Option<Self> {
        let mut depth = 0_usize;
        for (at, token) in self.0.iter().enumerate() {
            match token.text {
                "(" => depth += 1,
                ")" if depth == 0 => return None,
                ")" => depth -= 1,
                ";" if depth == 0 => return None,
                _ if depth == 0 && token.is_word(word) => return Some(self.from(at + 1)),
                _ => {}
            }
        }
        None
    }
}
