//! What the command takes from the process environment, read in one place.

use opskit_core::postgres::url::ConnectEnv;
use opskit_core::repository::StoreEnv;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

/// The environment of the command as plain values. `Debug` shows no values: any may hold a password.
#[derive(Clone, Default)]
#[non_exhaustive]
pub struct Environment {
    /// The `PG*` variables and the account.
    pub connect: ConnectEnv,
    /// The variables of object stores.
    pub stores: StoreEnv,
    /// `DATABASE_URL`.
    pub database_url: Option<String>,
    /// `SUPABASE_DB_URL`.
    pub supabase_db_url: Option<String>,
    /// Whether colour is unwanted: `NO_COLOR` is set, or `TERM` is `dumb`.
    pub plain: bool,
    /// Whether the terminal cannot redraw a line: `TERM` is `dumb`.
    pub dumb: bool,
    /// All variables, for those that `opskit.toml` names.
    pub vars: BTreeMap<String, String>,
}

impl Environment {
    /// Reads the environment of this process.
    ///
    /// ```
    /// let env = opskit_cli::Environment::from_process();
    /// assert!(!format!("{env:?}").contains("postgres://"));
    /// ```
    #[must_use]
    pub fn from_process() -> Self {
        let lossy = |text: OsString| text.to_string_lossy().into_owned();
        let vars: BTreeMap<String, String> = std::env::vars_os()
            .filter(|(_, value)| !value.is_empty())
            .map(|(name, value)| (lossy(name), lossy(value)))
            .collect();
        let var = |name: &str| vars.get(name).cloned();
        let dumb = var("TERM").as_deref() == Some("dumb");
        Self {
            connect: ConnectEnv::from_process(),
            stores: StoreEnv::from_process(),
            database_url: var("DATABASE_URL"),
            supabase_db_url: var("SUPABASE_DB_URL"),
            plain: dumb || var("NO_COLOR").is_some(),
            dumb,
            vars,
        }
    }

    /// The value of a variable that is set and not empty.
    pub(crate) fn var(&self, name: &str) -> Option<&str> {
        self.vars.get(name).map(String::as_str)
    }
}

impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Environment")
            .field("plain", &self.plain)
            .finish_non_exhaustive()
    }
}
