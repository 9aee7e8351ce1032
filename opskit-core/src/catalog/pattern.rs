//! Name patterns, as `psql` and `pg_dump` read them.

use crate::error::{Error, ErrorKind, Result};
use crate::name::quote_literal;
use std::fmt;

/// A pattern for the names of tables: `orders`, `public.*`, `"Odd Name"`, `audit_20??`.
///
/// As in `psql` and `pg_dump`: `*` stands for any characters, `?` for one, letters fold to lower case
/// outside double quotes, a dot outside them separates schema and name. Without a schema the pattern
/// means what the search path finds first. Other characters that are special in regular expressions
/// keep that meaning outside quotes, but for `$`, which is allowed in names.
///
/// ```
/// use opskit_core::catalog::Pattern;
/// assert!(Pattern::parse("public.*").unwrap().is_wild());
/// assert!(!Pattern::parse("\"a*\"").unwrap().is_wild());
/// assert!(Pattern::parse("a.b.c").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pattern {
    text: String,
    schema: Option<String>,
    name: String,
    wild: bool,
}

impl Pattern {
    /// Reads a pattern.
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] for an empty one, an open quote, or more than two parts.
    pub fn parse(text: &str) -> Result<Self> {
        let invalid = |why: &str| {
            Error::new(ErrorKind::InvalidInput, format!("the pattern \"{text}\" {why}"))
                .with_hint("Write name or schema.name; * stands for any characters, ? for one; quote odd names: \"Odd.Name\".")
        };
        let mut parts = vec![String::new()];
        let mut wild = false;
        let mut quoted = false;
        let mut chars = text.chars().peekable();
        while let Some(c) = chars.next() {
            let part = match parts.last_mut() {
                Some(part) => part,
                None => return Err(invalid("is empty")),
            };
            match c {
                '"' if quoted && chars.next_if_eq(&'"').is_some() => part.push('"'),
                '"' => quoted = !quoted,
                _ if quoted => push_literal(part, c),
                '.' => parts.push(String::new()),
                '*' => {
                    wild = true;
                    part.push_str(".*");
                }
                '?' => {
                    wild = true;
                    part.push('.');
                }
                '$' => part.push_str("\\$"),
                _ => {
                    wild |= "|+()[]{}^\\".contains(c);
                    part.extend(c.to_lowercase());
                }
            }
        }
        if quoted {
            return Err(invalid("has an open quote"));
        }
        if parts.iter().any(String::is_empty) {
            return Err(invalid("has an empty name"));
        }
        let name = parts.pop().unwrap_or_default();
        let schema = parts.pop();
        if !parts.is_empty() {
            return Err(invalid("has more than two parts"));
        }
        Ok(Self {
            text: text.to_owned(),
            schema,
            name,
            wild,
        })
    }

    /// Whether it can match more than one name.
    #[must_use]
    pub fn is_wild(&self) -> bool {
        self.wild
    }

    /// Whether it names a schema.
    #[must_use]
    pub fn has_schema(&self) -> bool {
        self.schema.is_some()
    }

    /// The condition on a row `v` that has the names as `nspname` and `relname`. A pattern without a schema
    /// finds tables of every schema.
    pub(crate) fn condition_on_names(&self) -> String {
        let matches = |column: &str, pattern: &str| {
            let regex = quote_literal(&format!("^({pattern})$"));
            format!("{column} operator(pg_catalog.~) {regex} collate pg_catalog.default")
        };
        let schema = self.schema.as_deref().unwrap_or(".*");
        format!(
            "{} and {}",
            matches("v.nspname", schema),
            matches("v.relname", &self.name)
        )
    }

    /// The condition on a `pg_class` row `c` and its `pg_namespace` row `n`.
    pub(super) fn condition(&self) -> String {
        let matches = |column: &str, pattern: &str| {
            let regex = quote_literal(&format!("^({pattern})$"));
            format!("{column} operator(pg_catalog.~) {regex} collate pg_catalog.default")
        };
        let name = matches("c.relname", &self.name);
        match &self.schema {
            Some(schema) => format!("{name} and {}", matches("n.nspname", schema)),
            None => format!("{name} and pg_catalog.pg_table_is_visible(c.oid)"),
        }
    }
}

impl fmt::Display for Pattern {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

/// A character that stands for itself.
fn push_literal(out: &mut String, c: char) {
    if "|*+?()[]{}.^$\\".contains(c) {
        out.push('\\');
    }
    out.push(c);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn regexes(text: &str) -> (Option<String>, String) {
        let pattern = Pattern::parse(text).unwrap();
        (pattern.schema, pattern.name)
    }

    #[test]
    fn folds_quotes_and_wildcards() {
        assert_eq!(regexes("Orders"), (None, "orders".into()));
        assert_eq!(
            regexes("public.o?d*"),
            (Some("public".into()), "o.d.*".into())
        );
        assert_eq!(
            regexes("\"A.b\".\"c\"\"*\""),
            (Some("A\\.b".into()), "c\"\\*".into())
        );
        assert_eq!(regexes("pay$"), (None, "pay\\$".into()));
    }

    #[test]
    fn refuses_what_is_no_pattern() {
        for text in ["", ".", "a.", "\"a", "a.b.c"] {
            assert_eq!(
                Pattern::parse(text).unwrap_err().kind(),
                ErrorKind::InvalidInput,
                "{text}"
            );
        }
    }
}
