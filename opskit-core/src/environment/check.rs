//! Whether the environment is as the rules say.

use crate::config::{Variable, VariableClass};
use serde::Serialize;
use std::collections::BTreeMap;

/// A rule for the value of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EnvRule {
    /// It must be set, and not be empty.
    Required,
    /// It must look as the pattern says.
    Pattern,
}

/// A variable that is not as a rule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnvProblem {
    /// The variable.
    pub variable: String,
    /// The rule.
    pub rule: EnvRule,
}

/// A variable, without its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EnvVariable {
    /// Its name.
    pub name: String,
    /// What may become of its value.
    pub class: VariableClass,
    /// Whether it is set.
    pub is_set: bool,
}

/// How the environment is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EnvCheck {
    /// The version of this document: `opskit.env-check/1`.
    pub schema: &'static str,
    /// The variables that are declared.
    pub variables: Vec<EnvVariable>,
    /// Every rule that is broken.
    pub problems: Vec<EnvProblem>,
}

/// Looks whether variables are as their rules say. `value` gives that of a variable which is set and not empty.
///
/// ```
/// use opskit_core::config::Config;
/// use opskit_core::environment::{EnvRule, check};
/// let config = Config::parse("[env.PORT]\nrequired = true\npattern = '\\d+'")?;
/// let found = check(&config.variables, |_| Some("s3cret"));
/// assert_eq!(found.problems[0].rule, EnvRule::Pattern);
/// assert!(!format!("{found:?}").contains("s3cret"));
/// # Ok::<(), opskit_core::Error>(())
/// ```
pub fn check<'a>(
    variables: &BTreeMap<String, Variable>,
    value: impl Fn(&str) -> Option<&'a str>,
) -> EnvCheck {
    let mut check = EnvCheck {
        schema: "opskit.env-check/1",
        variables: Vec::new(),
        problems: Vec::new(),
    };
    for (name, variable) in variables {
        let value = value(name);
        let broken = match (value, &variable.pattern) {
            (None, _) => variable.required.then_some(EnvRule::Required),
            (Some(value), Some(pattern)) => (!pattern.fits(value)).then_some(EnvRule::Pattern),
            (Some(_), None) => None,
        };
        check.problems.extend(broken.map(|rule| EnvProblem {
            variable: name.clone(),
            rule,
        }));
        check.variables.push(EnvVariable {
            name: name.clone(),
            class: variable.class,
            is_set: value.is_some(),
        });
    }
    check
}
