//! The variables that object stores are usually described by, as plain values.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

/// Variables and the home directory. `Debug` shows no values.
///
/// ```
/// use opskit_core::repository::StoreEnv;
/// let env = StoreEnv::from_vars([("AWS_SECRET_ACCESS_KEY", "s3cret")]);
/// assert!(!format!("{env:?}").contains("s3cret"));
/// ```
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct StoreEnv {
    /// The variables that start with `AWS_`, `AZURE_` and `GOOGLE_`.
    pub vars: BTreeMap<String, String>,
    /// Where `.aws/` and `.config/gcloud/` are looked for.
    pub home: Option<PathBuf>,
}

impl StoreEnv {
    /// The environment of this process.
    #[must_use]
    pub fn from_process() -> Self {
        let known = |name: &str| {
            let starts = ["AWS_", "AZURE_", "GOOGLE_"];
            starts.iter().any(|start| name.starts_with(start))
        };
        // `vars_os`, because `vars` panics when any variable is not Unicode.
        let vars = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| known(name));
        Self {
            vars: vars.collect(),
            home: std::env::var_os("HOME").map(PathBuf::from),
        }
    }

    /// These variables, and no home.
    pub fn from_vars<N: Into<String>, V: Into<String>>(
        vars: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        let vars = vars.into_iter();
        Self {
            vars: vars
                .map(|(name, value)| (name.into(), value.into()))
                .collect(),
            home: None,
        }
    }

    /// A variable that is set and not empty.
    pub(super) fn var(&self, name: &str) -> Option<&str> {
        let value = self.vars.get(name).map(String::as_str);
        value.filter(|value| !value.is_empty())
    }

    /// The first of these that is set.
    pub(super) fn first(&self, names: &[&str]) -> Option<&str> {
        names.iter().find_map(|name| self.var(name))
    }

    /// A file that a variable names, else one below the home directory.
    pub(super) fn file(&self, variable: &str, below_home: &str) -> Option<PathBuf> {
        let named = self.var(variable).map(PathBuf::from);
        named.or_else(|| Some(self.home.as_deref().map(Path::to_owned)?.join(below_home)))
    }
}

impl fmt::Debug for StoreEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreEnv")
            .field("vars", &self.vars.keys().collect::<Vec<_>>())
            .field("home", &self.home)
            .finish()
    }
}
