//! The parameters that are one word of a list.

use crate::error::{Error, ErrorKind, Result};
use std::fmt;

macro_rules! words {
    ($(#[$doc:meta])* $name:ident, $parameter:literal, { $($(#[$variant_doc:meta])* $variant:ident = $word:literal,)+ }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)+
        }

        impl $name {
            /// Every value, in the order of the documentation.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The word that stands for it in a connection string.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => $word,)+
                }
            }

            pub(super) fn parse(word: &str) -> Result<Self> {
                match Self::ALL.iter().find(|value| value.as_str() == word) {
                    Some(value) => Ok(*value),
                    None => Err(unknown_word($parameter, &[$($word),+])),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

words!(
    /// How much TLS protects a connection; the words and their meaning are `libpq`'s.
    ///
    /// ```
    /// use opskit_core::postgres::url::SslMode;
    /// assert_eq!(SslMode::VerifyFull.as_str(), "verify-full");
    /// assert!(SslMode::Require < SslMode::VerifyCa);
    /// ```
    SslMode, "sslmode", {
        /// Never TLS.
        Disable = "disable",
        /// TLS only when the server refuses a plain connection.
        Allow = "allow",
        /// A plain connection only when the server has no TLS.
        Prefer = "prefer",
        /// TLS, the server's identity unchecked (checked as in [`SslMode::VerifyCa`] when there is a root certificate).
        Require = "require",
        /// TLS, and a trusted authority vouches for the server's certificate.
        VerifyCa = "verify-ca",
        /// As [`SslMode::VerifyCa`], and the certificate names the host that was asked for.
        VerifyFull = "verify-full",
    }
);

impl PartialOrd for SslMode {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for SslMode {
    /// Weaker is less.
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (*self as u8).cmp(&(*other as u8))
    }
}

words!(
    /// Whether the password exchange must prove that no one sits between us and the server.
    ChannelBinding, "channel_binding", {
        /// Never.
        Disable = "disable",
        /// When both sides can.
        Prefer = "prefer",
        /// Always: any other way in is refused.
        Require = "require",
    }
);

words!(
    /// Which of several servers will do.
    TargetSession, "target_session_attrs", {
        /// Any.
        Any = "any",
        /// One where sessions can write by default.
        ReadWrite = "read-write",
        /// One where sessions cannot write by default.
        ReadOnly = "read-only",
        /// One that is not in recovery.
        Primary = "primary",
        /// One that is in recovery.
        Standby = "standby",
        /// One that is in recovery, or any when there is none.
        PreferStandby = "prefer-standby",
    }
);

fn unknown_word(parameter: &str, words: &[&str]) -> Error {
    Error::new(
        ErrorKind::InvalidInput,
        format!("connection parameter \"{parameter}\" has an unknown value"),
    )
    .with_hint(format!("Use one of: {}.", words.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_read_back() {
        for mode in SslMode::ALL {
            assert_eq!(SslMode::parse(mode.as_str()).unwrap(), *mode);
        }
        assert!(SslMode::ALL.is_sorted());
        let error = TargetSession::parse("leader").unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
        assert!(error.hint().unwrap().contains("prefer-standby"));
    }
}
