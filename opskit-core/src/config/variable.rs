//! Environment variables that a project declares, and the rules for their values.

use super::raw::{Checker, is_variable};
use crate::error::Result;
use regex::Regex;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use toml::Spanned;

/// What may become of the value of a variable from one deployment to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum VariableClass {
    /// It may change.
    #[default]
    Mutable,
    /// It may change, and that is told.
    Guarded,
    /// It must not change.
    Frozen,
}

/// What a whole value must look like.
///
/// ```
/// use opskit_core::config::Config;
/// let config = Config::parse("[env.PORT]\npattern = '\\d{4}'")?;
/// let pattern = config.variables["PORT"].pattern.as_ref().unwrap();
/// assert!(pattern.fits("5432") && !pattern.fits("54321"));
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct ValuePattern(Regex);

impl ValuePattern {
    fn parse(text: &str) -> Option<Self> {
        // On its own first: what is put around it must not make a pattern of what is none.
        Regex::new(text).ok()?;
        // The whole value: that something stands somewhere in it proves little.
        Regex::new(&format!("\\A(?:{text})\\z")).ok().map(Self)
    }

    /// Whether a value is what it must look like, from its first to its last character.
    #[must_use]
    pub fn fits(&self, value: &str) -> bool {
        self.0.is_match(value)
    }
}

impl PartialEq for ValuePattern {
    fn eq(&self, other: &Self) -> bool {
        self.0.as_str() == other.0.as_str()
    }
}

impl Eq for ValuePattern {}

/// A variable that a project declares.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Variable {
    /// What may become of its value.
    pub class: VariableClass,
    /// Whether it must be set.
    pub required: bool,
    /// What its value must look like, where it is set.
    pub pattern: Option<ValuePattern>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawVariable {
    #[serde(default)]
    class: VariableClass,
    #[serde(default)]
    required: bool,
    pattern: Option<Spanned<String>>,
}

impl Checker<'_> {
    pub(super) fn variables(
        &self,
        raw: BTreeMap<Spanned<String>, RawVariable>,
    ) -> Result<BTreeMap<String, Variable>> {
        let mut variables = BTreeMap::new();
        for (name, raw) in raw {
            if !is_variable(name.get_ref()) {
                let what = "the name of an environment variable has letters, digits and _ only";
                return Err(self.wrong(&name.span(), what));
            }
            let variable = Variable {
                class: raw.class,
                required: raw.required,
                pattern: raw
                    .pattern
                    .as_ref()
                    .map(|text| self.pattern(text))
                    .transpose()?,
            };
            variables.insert(name.into_inner(), variable);
        }
        Ok(variables)
    }

    fn pattern(&self, text: &Spanned<String>) -> Result<ValuePattern> {
        ValuePattern::parse(text.get_ref()).ok_or_else(|| {
            let error = self.wrong(&text.span(), "pattern is no regular expression");
            error.with_hint("It has the syntax of Rust's regex crate: no look-around, no back-references; in '…' a backslash stands for itself.")
        })
    }
}
