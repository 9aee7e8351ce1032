//! Options and names as several classes of objects write them.

use crate::catalog::model::Options;
use crate::name::{quote_ident, quote_literal};

/// `schema.name`, both quoted.
pub(super) fn qualified(schema: Option<&str>, name: &str) -> String {
    match schema {
        Some(schema) => format!("{}.{}", quote_ident(schema), quote_ident(name)),
        None => quote_ident(name),
    }
}

/// A schema and a name.
pub(super) fn pair((schema, name): &(String, String)) -> String {
    qualified(Some(schema), name)
}

/// The options as SQL, `"name" = 'value'` with commas between. Their names are preceded by `namespace`,
/// which ends in a dot or is empty.
pub(super) fn assignments(namespace: &str, options: &[String]) -> Vec<String> {
    options
        .iter()
        .map(|option| {
            let (name, value) = option.split_once('=').unwrap_or((option, ""));
            format!("{namespace}{}={}", quote_ident(name), quote_literal(value))
        })
        .collect()
}

/// ` WITH (…)` of `name=value` pairs, or nothing.
pub(super) fn with(options: &[String]) -> String {
    match options {
        [] => String::new(),
        options => format!(" WITH ({})", assignments("", options).join(", ")),
    }
}

/// ` OPTIONS (…)`, or nothing; those whose values are unknown are left out.
pub(super) fn foreign(options: &Options) -> String {
    let one = |(name, value): &(String, String)| {
        format!("{} {}", quote_ident(name), quote_literal(value))
    };
    let all: Vec<String> = options.known.iter().map(one).collect();
    if all.is_empty() {
        return String::new();
    }
    format!(" OPTIONS ({})", all.join(", "))
}
