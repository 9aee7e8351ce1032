//! Lists of options in parentheses, as `CREATE TYPE`, `CREATE AGGREGATE` and others take them.

use crate::name::{QualifiedName, quote_literal};

/// The options of one statement.
#[derive(Debug, Default)]
pub(super) struct Parameters {
    list: Vec<String>,
}

impl Parameters {
    /// Adds `NAME = value`.
    pub(super) fn set(&mut self, name: &str, value: impl AsRef<str>) {
        self.list.push(format!("{name} = {}", value.as_ref()));
    }

    /// Adds `NAME = value` where there is a value.
    pub(super) fn set_some<T: AsRef<str>>(&mut self, name: &str, value: Option<T>) {
        if let Some(value) = value {
            self.set(name, value);
        }
    }

    /// Adds a function, collation or type where there is one.
    pub(super) fn name(&mut self, name: &str, value: Option<&QualifiedName>) {
        self.set_some(name, value.map(QualifiedName::to_sql));
    }

    /// Adds an operator where there is one.
    pub(super) fn operator(&mut self, name: &str, value: Option<&QualifiedName>) {
        self.set_some(name, value.map(operator));
    }

    /// Adds a string where there is one.
    pub(super) fn text(&mut self, name: &str, value: Option<&str>) {
        self.set_some(name, value.map(quote_literal));
    }

    /// Adds a word without a value.
    pub(super) fn word(&mut self, name: &str) {
        self.list.push(name.to_owned());
    }

    /// The list in parentheses, an option per line.
    pub(super) fn to_sql(&self) -> String {
        format!("(\n    {}\n)", self.list.join(",\n    "))
    }
}

/// An operator in `OPERATOR(…)`: its own name is never quoted.
fn operator(name: &QualifiedName) -> String {
    format!(
        "OPERATOR({}.{})",
        crate::name::quote_ident(&name.schema),
        name.name
    )
}
