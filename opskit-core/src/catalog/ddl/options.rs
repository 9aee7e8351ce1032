//! Options that the catalog keeps as `name=value`.

use crate::name::{quote_ident, quote_literal};

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
