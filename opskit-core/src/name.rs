//! Names of database objects: quoted for SQL in one place, encoded for paths in one place.

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// No more than this many bytes of what a stranger wrote, cut between characters.
pub(crate) fn start_of(text: &str, bytes_max: usize) -> &str {
    &text[..text.floor_char_boundary(bytes_max)]
}

/// Quotes an identifier for SQL, always.
///
/// ```
/// assert_eq!(opskit_core::name::quote_ident("a\"b"), "\"a\"\"b\"");
/// ```
#[must_use]
pub fn quote_ident(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Takes a name with dots apart as the server does: what is not quoted is in lower case, and `""` is a quote. Nothing
/// where it is no name.
///
/// ```
/// use opskit_core::name::parse_identifiers;
/// assert_eq!(parse_identifiers("Public.\"Big \"\"t\"\".x\"").unwrap(), ["public", "Big \"t\".x"]);
/// assert_eq!(parse_identifiers("a b"), None);
/// assert_eq!(parse_identifiers("a..b"), None);
/// ```
#[must_use]
pub fn parse_identifiers(text: &str) -> Option<Vec<String>> {
    let mut names = Vec::new();
    let mut rest = text;
    loop {
        let (name, behind) = match rest.strip_prefix('"') {
            Some(quoted) => quoted_identifier(quoted)?,
            None => {
                let end = rest.find('.').unwrap_or(rest.len());
                (rest[..end].to_lowercase(), &rest[end..])
            }
        };
        let is_plain = name
            .chars()
            .all(|c| c.is_alphanumeric() || matches!(c, '_' | '$'));
        if name.is_empty() || (!rest.starts_with('"') && !is_plain) {
            return None;
        }
        names.push(name);
        match behind.strip_prefix('.') {
            Some(next) => rest = next,
            None if behind.is_empty() => return Some(names),
            None => return None,
        }
    }
}

/// What stands up to the closing quote, and what stands behind it.
fn quoted_identifier(text: &str) -> Option<(String, &str)> {
    let mut name = String::new();
    let mut rest = text;
    loop {
        let end = rest.find('"')?;
        name.push_str(&rest[..end]);
        rest = &rest[end + 1..];
        match rest.strip_prefix('"') {
            Some(next) => {
                name.push('"');
                rest = next;
            }
            None => return Some((name, rest)),
        }
    }
}

/// Quotes a string literal for SQL; right whatever `standard_conforming_strings` says.
///
/// ```
/// assert_eq!(opskit_core::name::quote_literal("it's"), "'it''s'");
/// assert_eq!(opskit_core::name::quote_literal("a\\b"), " E'a\\\\b'");
/// ```
#[must_use]
pub fn quote_literal(text: &str) -> String {
    let quoted = text.replace('\'', "''");
    if quoted.contains('\\') {
        // A leading blank keeps the E apart from whatever word stands before it.
        format!(" E'{}'", quoted.replace('\\', "\\\\"))
    } else {
        format!("'{quoted}'")
    }
}

/// A schema-qualified name, as the catalog spells it (no quotes).
///
/// ```
/// use opskit_core::name::QualifiedName;
/// let name = QualifiedName::new("public", "Orders");
/// assert_eq!(name.to_string(), "public.Orders");
/// assert_eq!(name.to_sql(), "\"public\".\"Orders\"");
/// assert_eq!(name.to_path(), "public.%4Frders");
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct QualifiedName {
    /// The schema.
    pub schema: String,
    /// The object's name within it.
    pub name: String,
}

impl QualifiedName {
    /// A name from its two halves.
    pub fn new(schema: impl Into<String>, name: impl Into<String>) -> Self {
        Self {
            schema: schema.into(),
            name: name.into(),
        }
    }

    /// The name for SQL, both halves quoted.
    #[must_use]
    pub fn to_sql(&self) -> String {
        format!("{}.{}", quote_ident(&self.schema), quote_ident(&self.name))
    }

    /// The name as one path component: `schema.name`, each half by [`path_segment`].
    #[must_use]
    pub fn to_path(&self) -> String {
        format!(
            "{}.{}",
            path_segment(&self.schema),
            path_segment(&self.name)
        )
    }
}

impl fmt::Display for QualifiedName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.schema, self.name)
    }
}

/// The longest path segment written as it is; file systems stop at 255 bytes a component, and a
/// component holds two segments and a suffix.
const SEGMENT_MAX: usize = 96;

/// Encodes a name so that it is safe as (part of) a path component on any file system and object
/// store: bytes outside `[a-z0-9_-]` become `%XX`, so upper and lower case stay apart where the
/// file system folds them. A long result is cut and ends in `~` and a digest of the whole name.
///
/// ```
/// use opskit_core::name::path_segment;
/// assert_eq!(path_segment("orders"), "orders");
/// assert_eq!(path_segment("../x"), "%2E%2E%2Fx");
/// assert!(path_segment(&"é".repeat(31)).len() <= 96);
/// ```
#[must_use]
pub fn path_segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'0'..=b'9' | b'_' | b'-' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    if out.len() > SEGMENT_MAX {
        let digest = hex(&Sha256::digest(name.as_bytes())[..8]);
        out.truncate(SEGMENT_MAX - digest.len() - 1);
        // What is cut off may be the second half of an encoded byte.
        if let Some(at) = out.rfind('%').filter(|at| at + 3 > out.len()) {
            out.truncate(at);
        }
        out.push('~');
        out.push_str(&digest);
    }
    out
}

/// Sixteen hexadecimal digits that nobody else has: the standard library seeds its hashers at random.
pub(crate) fn random_hex() -> String {
    use std::hash::{BuildHasher as _, RandomState};
    format!("{:016x}", RandomState::new().hash_one(std::process::id()))
}

/// Lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    use fmt::Write as _;
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
            let _ = write!(out, "{byte:02x}");
            out
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn segments_never_escape_their_component(name in "\\PC{0,63}") {
            let segment = path_segment(&name);
            prop_assert!(segment.len() <= SEGMENT_MAX);
            prop_assert!(segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-%~".contains(&b)));
        }

        #[test]
        fn different_names_have_different_segments(a in "\\PC{0,63}", b in "\\PC{0,63}") {
            prop_assert_eq!(a == b, path_segment(&a) == path_segment(&b));
        }
    }
}
