//! What the surroundings say about connecting, as a plain value.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

/// The part of the process environment that a connection string is completed from: the `PG*`
/// variables, the home directory, the operating-system user and the socket directories.
///
/// A plain value, so that a parse depends on nothing that a test cannot give. `Debug` never shows
/// the value of a variable, because one of them may be `PGPASSWORD`.
///
/// ```
/// use opskit_core::postgres::url::ConnectEnv;
/// let mut env = ConnectEnv::default();
/// env.vars.insert("PGUSER".into(), "alice".into());
/// assert!(!format!("{env:?}").contains("alice"));
/// ```
#[derive(Clone, Default, PartialEq, Eq)]
pub struct ConnectEnv {
    /// The variables, by name. Only those that start with `PG` are read.
    pub vars: BTreeMap<String, String>,
    /// Where `.pgpass` and `.postgresql/` are looked for.
    pub home: Option<PathBuf>,
    /// The user to connect as when nothing names one.
    pub user: Option<String>,
    /// Where a server's socket is looked for when nothing names a host, in this order.
    pub socket_dirs: Vec<PathBuf>,
}

impl ConnectEnv {
    /// The environment of this process, as `libpq` would see it.
    #[must_use]
    pub fn from_process() -> Self {
        // `vars_os`, because `vars` panics when any variable is not Unicode.
        let vars = std::env::vars_os()
            .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
            .filter(|(name, _)| name.starts_with("PG"))
            .collect();
        let account = Account::current();
        let named = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty());
        Self {
            vars,
            home: named("HOME").map(PathBuf::from).or(account.home),
            user: account.name.or_else(|| named("USER")?.into_string().ok()),
            socket_dirs: vec![PathBuf::from("/var/run/postgresql"), PathBuf::from("/tmp")],
        }
    }

    pub(super) fn var(&self, name: &str) -> Option<&str> {
        self.vars
            .get(name)
            .map(String::as_str)
            .filter(|value| !value.is_empty())
    }
}

impl fmt::Debug for ConnectEnv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConnectEnv")
            .field("vars", &self.vars.keys().collect::<Vec<_>>())
            .field("home", &self.home)
            .field("user", &self.user)
            .field("socket_dirs", &self.socket_dirs)
            .finish()
    }
}

/// The account this process runs as, by the password database. `libpq` asks `getpwuid`; reading
/// the file is what can be done without `unsafe`, and `$USER` covers directories it does not list.
#[derive(Default)]
struct Account {
    name: Option<String>,
    home: Option<PathBuf>,
}

impl Account {
    fn current() -> Self {
        let uid = rustix::process::geteuid().as_raw();
        let passwd = std::fs::read("/etc/passwd").unwrap_or_default();
        Self::find(&String::from_utf8_lossy(&passwd), uid)
    }

    fn find(passwd: &str, uid: u32) -> Self {
        for line in passwd.lines() {
            let fields: Vec<&str> = line.split(':').collect();
            if let [name, _, id, _, _, home, ..] = fields[..]
                && id.parse() == Ok(uid)
            {
                return Self {
                    name: Some(name.to_owned()),
                    home: Some(PathBuf::from(home)),
                };
            }
        }
        Self::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_account_by_its_number() {
        let passwd =
            "root:x:0:0:root:/:/bin/sh\n\nbroken\nann:x:1000:1000:Ann:/people/ann:/bin/sh\n";
        let ann = Account::find(passwd, 1000);
        assert_eq!(ann.name.as_deref(), Some("ann"));
        assert_eq!(ann.home, Some(PathBuf::from("/people/ann")));
        assert!(Account::find(passwd, 7).name.is_none());
    }

    #[test]
    fn debug_shows_names_only() {
        let mut env = ConnectEnv::default();
        env.vars.insert("PGPASSWORD".into(), "hunter2".into());
        let shown = format!("{env:?}");
        assert!(
            shown.contains("PGPASSWORD") && !shown.contains("hunter2"),
            "{shown}"
        );
    }
}
