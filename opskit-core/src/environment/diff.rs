//! How one environment differs from another.

use super::Frozen;
use crate::config::VariableClass;
use crate::error::{Error, ErrorKind, Result};
use serde::Serialize;
use std::collections::BTreeSet;

/// What became of a variable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum EnvChange {
    /// It has another value.
    Changed,
    /// It was not set, and is.
    Set,
    /// It was set, and is not.
    Unset,
    /// It is declared now, and was not.
    Declared,
    /// It was declared, and is not.
    Gone,
    /// Its value is the same, and may become another than it might.
    Class,
}

/// A variable that is not as it was.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EnvDifference {
    /// Its name.
    pub variable: String,
    /// What became of it.
    pub change: EnvChange,
    /// What might become of its value: the stricter of what was and is declared.
    pub class: VariableClass,
}

/// How one environment differs from another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct EnvDiff {
    /// The version of this document: `opskit.env-diff/1`.
    pub schema: &'static str,
    /// Every variable that is not as it was.
    pub differences: Vec<EnvDifference>,
}

impl EnvDiff {
    /// Compares two environments that were written down with one salt.
    ///
    /// ```
    /// use opskit_core::config::Config;
    /// use opskit_core::environment::{EnvDiff, Frozen, Salt};
    /// let config = Config::parse("[env.PROJECT]\nclass = \"frozen\"")?;
    /// let before = Frozen::of(&config.variables, |_| Some("a"), Salt::random()?)?;
    /// let after = Frozen::of(&config.variables, |_| Some("b"), before.salt.clone())?;
    /// assert!(!EnvDiff::between(&before, &after)?.is_allowed());
    /// assert!(EnvDiff::between(&before, &before)?.differences.is_empty());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`] when their salts differ: then nobody can tell.
    pub fn between(before: &Frozen, after: &Frozen) -> Result<Self> {
        if before.salt != after.salt {
            let what = "the two were frozen with salts of their own, and cannot be compared";
            return Err(Error::new(ErrorKind::InvalidInput, what)
                .with_hint("Freeze the second one with --like and the first one."));
        }
        let names = before.variables.keys().chain(after.variables.keys());
        let names: BTreeSet<&String> = names.collect();
        let differences = names
            .into_iter()
            .filter_map(|name| difference(name, before, after));
        Ok(Self {
            schema: "opskit.env-diff/1",
            differences: differences.collect(),
        })
    }

    /// Whether nothing changed that must not.
    #[must_use]
    pub fn is_allowed(&self) -> bool {
        !self.differences.iter().any(EnvDifference::is_forbidden)
    }
}

impl EnvDifference {
    /// Whether this must not be. That more is declared than was is no change of anything.
    #[must_use]
    pub fn is_forbidden(&self) -> bool {
        self.class == VariableClass::Frozen && self.change != EnvChange::Declared
    }
}

fn difference(name: &String, before: &Frozen, after: &Frozen) -> Option<EnvDifference> {
    let (change, class) = match (before.variables.get(name), after.variables.get(name)) {
        (Some(old), Some(new)) => {
            let change = match (&old.hmac_sha256, &new.hmac_sha256) {
                (Some(old), Some(new)) if old != new => EnvChange::Changed,
                (None, Some(_)) => EnvChange::Set,
                (Some(_), None) => EnvChange::Unset,
                _ if old.class != new.class => EnvChange::Class,
                _ => return None,
            };
            (change, strictest(change, old.class, new.class))
        }
        (Some(old), None) => (EnvChange::Gone, old.class),
        (None, Some(new)) => (EnvChange::Declared, new.class),
        (None, None) => return None,
    };
    Some(EnvDifference {
        variable: name.clone(),
        change,
        class,
    })
}

/// A class that became stricter is no reason to fail; one that became laxer would let a change pass.
fn strictest(change: EnvChange, old: VariableClass, new: VariableClass) -> VariableClass {
    match change {
        EnvChange::Class => old,
        _ => old.max(new),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::environment::Salt;

    fn frozen(class: &str, value: Option<&str>, salt: &Salt) -> Frozen {
        let text = format!("[env.A]\nclass = \"{class}\"");
        let config = Config::parse(&text).unwrap();
        Frozen::of(&config.variables, |_| value, salt.clone()).unwrap()
    }

    #[test]
    fn what_is_frozen_must_not_change() {
        use EnvChange::{Changed, Class, Set, Unset};
        let salt = Salt::random().unwrap();
        for (old, new, change, allowed) in [
            (("frozen", Some("a")), ("frozen", Some("a")), None, true),
            (
                ("frozen", Some("a")),
                ("frozen", Some("b")),
                Some(Changed),
                false,
            ),
            (("frozen", Some("a")), ("frozen", None), Some(Unset), false),
            (("frozen", None), ("frozen", Some("a")), Some(Set), false),
            (
                ("guarded", Some("a")),
                ("guarded", Some("b")),
                Some(Changed),
                true,
            ),
            (
                ("mutable", Some("a")),
                ("mutable", Some("b")),
                Some(Changed),
                true,
            ),
            // Calling it otherwise does not let it through.
            (
                ("frozen", Some("a")),
                ("mutable", Some("b")),
                Some(Changed),
                false,
            ),
            (
                ("frozen", Some("a")),
                ("mutable", Some("a")),
                Some(Class),
                false,
            ),
            (
                ("mutable", Some("a")),
                ("frozen", Some("a")),
                Some(Class),
                true,
            ),
            (
                ("mutable", Some("a")),
                ("frozen", Some("b")),
                Some(Changed),
                false,
            ),
        ] {
            let (old, new) = (frozen(old.0, old.1, &salt), frozen(new.0, new.1, &salt));
            let diff = EnvDiff::between(&old, &new).unwrap();
            let found = diff.differences.first().map(|difference| difference.change);
            assert_eq!(
                (found, diff.is_allowed()),
                (change, allowed),
                "{old:?} {new:?}"
            );
        }
    }

    #[test]
    fn one_that_is_declared_no_more_is_missed() {
        let salt = Salt::random().unwrap();
        let one = frozen("frozen", Some("a"), &salt);
        let mut none = one.clone();
        none.variables.clear();
        let diff = EnvDiff::between(&one, &none).unwrap();
        assert_eq!(diff.differences[0].change, EnvChange::Gone);
        assert!(!diff.is_allowed());
        let diff = EnvDiff::between(&none, &one).unwrap();
        assert_eq!(diff.differences[0].change, EnvChange::Declared);
        assert!(diff.is_allowed());
    }

    #[test]
    fn other_salts_do_not_compare() {
        let one = frozen("frozen", Some("a"), &Salt::random().unwrap());
        let other = frozen("frozen", Some("a"), &Salt::random().unwrap());
        let error = EnvDiff::between(&one, &other).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::InvalidInput);
    }
}
