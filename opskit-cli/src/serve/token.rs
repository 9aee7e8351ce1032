//! The token that shows details.

use opskit_core::secret::Secret;

/// What a caller must know to see more than a state.
#[derive(Debug, Clone)]
pub(crate) struct Token(Secret);

impl Token {
    pub(crate) fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(Secret::new(text)))
    }

    /// Whether an `Authorization` header bears it. How long that takes tells nothing of where it differs.
    pub(crate) fn is_borne_by(&self, header: &[u8]) -> bool {
        let Some(given) = header.strip_prefix(b"Bearer ") else {
            return false;
        };
        let wanted = self.0.expose().as_bytes();
        let differs = wanted
            .iter()
            .zip(given)
            .fold(0, |differs, (a, b)| differs | (a ^ b));
        given.len() == wanted.len() && std::hint::black_box(differs) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_token_counts() {
        let token = Token::new(" s3cret\n").unwrap();
        assert!(token.is_borne_by(b"Bearer s3cret"));
        for wrong in [
            "Bearer s3cre",
            "Bearer s3crets",
            "Bearer S3cret",
            "s3cret",
            "Basic s3cret",
            "",
        ] {
            assert!(!token.is_borne_by(wrong.as_bytes()), "{wrong}");
        }
        assert!(Token::new(" \n").is_none());
    }
}
