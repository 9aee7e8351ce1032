//! The project's configuration, `opskit.toml`, as plain values.
//!
//! This module reads text only. Finding the file and the environment variables that it names is up to
//! the caller, as is deciding what a setting means for one command. A database is named by the environment
//! variable that holds its URL, so that no password is in the file; the URL of a hook may be in it, and is
//! never shown.

mod health;
mod raw;
mod retention;
mod rule;
#[cfg(test)]
mod tests;
mod units;
mod variable;

pub use health::{
    Acceptance, Comparison, DeclaredProbe, DeclaredQuestion, DeclaredRequest, DeclaredUrl,
    HealthLimit, HealthSettings,
};
pub use retention::{ClassRetention, Retention};
pub use rule::{Rule, RuleCheck};
pub use units::{parse_duration, parse_size};
pub use variable::{ValuePattern, Variable, VariableClass};

use crate::catalog::Pattern;
use crate::error::{Error, ErrorKind, Result};
use crate::hook::{Hook, HookUrl, Hooks, TIMEOUT};
use crate::seal::VerifyingKey;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// The name of the file, looked for in the working directory and upwards.
pub const FILE_NAME: &str = "opskit.toml";

/// How much care a database deserves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TargetClass {
    /// What changes or deletes needs the target's name said once more.
    Production,
    /// A copy that people rely on.
    Staging,
    /// May be thrown away at any time.
    Scratch,
}

/// A database by name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Target {
    /// How much care it deserves.
    pub class: TargetClass,
    /// The environment variable that holds its URL.
    pub url_env: String,
    /// The repository for its backups; the default one when not said.
    pub repository: Option<String>,
    /// Schemas that backups, comparisons and checks leave out.
    pub ignore_schemas: Vec<String>,
    /// Tables whose rows backups leave out.
    pub exclude: Vec<Pattern>,
    /// Objects that a backup may go without, by the names that it refuses them with.
    pub accept_loss: Vec<String>,
    /// How often a backup is due.
    pub schedule: Option<Duration>,
    /// Which of its backups to keep, in repositories that do not say it themselves.
    pub retention: Option<Retention>,
}

/// A place for backups by name.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepositoryPlace {
    /// Where it is: a directory. A relative one starts at the folder of the file.
    pub url: String,
    /// Which backups to keep there, of whatever target.
    pub retention: Option<Retention>,
    /// Whom its backups are encrypted for: public keys of age, or `passphrase`. Where there are none, they are in
    /// the clear.
    pub recipients: Vec<String>,
    /// Whose signatures its backups need, one of them. Where there is nobody, they need none.
    pub signers: Vec<VerifyingKey>,
}

/// What a run may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct Limits {
    /// Connections that work at the same time.
    pub jobs: Option<u16>,
    /// Memory for buffers, in bytes.
    pub memory: Option<u64>,
    /// Size of a part on the server's disk, in bytes.
    pub part_size: Option<u64>,
    /// How long to wait for the lock on a table.
    pub lock_timeout: Option<Duration>,
}

/// Where migrations are, and how they run.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct MigrateSettings {
    /// The folder of the migrations. A relative one starts at the folder of the file.
    pub folder: Option<String>,
    /// Folders or files of tests that must hold after a run, relative to the folder of the file.
    pub tests: Vec<String>,
    /// How long a statement waits for a lock before it gives way.
    pub lock_timeout: Option<Duration>,
    /// For how long a statement that gets no lock is tried again.
    pub lock_deadline: Option<Duration>,
    /// How long a statement may take.
    pub statement_timeout: Option<Duration>,
    /// Called before a run, to stop whoever writes.
    pub before: Option<HookSetting>,
    /// Called at its end, to let them in again.
    pub after: Option<HookSetting>,
    /// The target that a migration must have run on before it runs on a production target.
    pub staging: Option<String>,
}

/// Who is told when a run ends, and how long that may take.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
#[non_exhaustive]
pub struct HookSettings {
    /// Called after a success.
    pub on_success: Option<HookSetting>,
    /// Called after a failure.
    pub on_failure: Option<HookSetting>,
    /// How long one may take.
    pub timeout: Option<Duration>,
}

/// One hook, as it is written.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum HookSetting {
    /// A program or a URL.
    Given(Hook),
    /// A URL in this environment variable.
    UrlEnv(String),
}

impl HookSetting {
    /// The hook, with the URL that `variable` gives for the name of an environment variable. Where it gives none, the
    /// hook is one that cannot be called.
    #[must_use]
    pub fn resolve<'a>(&self, variable: impl Fn(&str) -> Option<&'a str>) -> Hook {
        let name = match self {
            Self::Given(hook) => return hook.clone(),
            Self::UrlEnv(name) => name,
        };
        let broken = |problem| Hook::Broken { problem };
        match variable(name).map(HookUrl::parse) {
            Some(Ok(url)) => Hook::Web(url),
            Some(Err(_)) => broken(format!("{name} holds no URL that a hook can have")),
            None => broken(format!("{name} is not set, and the hook has its URL there")),
        }
    }
}

impl HookSettings {
    /// The hooks, with the URLs that `variable` gives for the names of environment variables.
    ///
    /// ```
    /// use opskit_core::config::Config;
    /// use opskit_core::hook::Hook;
    /// let config = Config::parse("[hooks]\non_failure = { url_env = \"ALERT_URL\" }")?;
    /// let url = |name: &str| (name == "ALERT_URL").then_some("https://hooks.example.com/T0");
    /// assert!(matches!(config.hooks.resolve(url).on_failure, Some(Hook::Web(_))));
    /// // Nobody is told then; a warning of the run says so.
    /// assert!(matches!(config.hooks.resolve(|_| None).on_failure, Some(Hook::Broken { .. })));
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    #[must_use]
    pub fn resolve<'a>(&self, variable: impl Fn(&str) -> Option<&'a str>) -> Hooks {
        let resolve = |setting: &HookSetting| setting.resolve(&variable);
        Hooks {
            on_success: self.on_success.as_ref().map(resolve),
            on_failure: self.on_failure.as_ref().map(resolve),
            timeout: self.timeout.unwrap_or(TIMEOUT),
        }
    }
}

/// Everything that `opskit.toml` says.
///
/// ```
/// use opskit_core::config::{Config, TargetClass};
/// let config = Config::parse(r#"
///     default_target = "shop"
///
///     [target.shop]
///     class = "production"
///     url_env = "SHOP_DATABASE_URL"
///     schedule = "24h"
/// "#)?;
/// assert_eq!(config.target("shop")?.class, TargetClass::Production);
/// assert!(config.target("ship").unwrap_err().hint().unwrap().contains("shop"));
/// # Ok::<(), opskit_core::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct Config {
    /// The target that is meant when none is named.
    pub default_target: Option<String>,
    /// The repository that is meant when none is named.
    pub default_repository: Option<String>,
    /// The databases.
    pub targets: BTreeMap<String, Target>,
    /// The places for backups.
    pub repositories: BTreeMap<String, RepositoryPlace>,
    /// Which backups to keep of targets that do not say it themselves.
    pub retention: ClassRetention,
    /// Environment variables that the project declares.
    pub variables: BTreeMap<String, Variable>,
    /// What a run may take.
    pub limits: Limits,
    /// Where migrations are, and how they run.
    pub migrate: MigrateSettings,
    /// What health is measured by, and what else is asked.
    pub health: HealthSettings,
    /// What must be so of the data.
    pub rules: Vec<Rule>,
    /// What is called when a run ends.
    pub hooks: HookSettings,
}

impl Config {
    /// Reads the text of `opskit.toml`.
    ///
    /// ```
    /// use opskit_core::config::Config;
    /// let error = Config::parse("[limits]\njobs = 0").unwrap_err();
    /// assert_eq!(error.to_string(), "opskit.toml line 2: jobs is a number from 1 to 256");
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::InvalidInput`], with the line of the mistake. No value of the file is repeated:
    /// someone may have put a password there.
    pub fn parse(text: &str) -> Result<Self> {
        raw::parse(text)
    }

    /// The target of this name.
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], with the names that there are.
    pub fn target(&self, name: &str) -> Result<&Target> {
        let found = self.targets.get(name);
        found.ok_or_else(|| unknown("target", name, self.targets.keys()))
    }

    /// The repository of this name.
    ///
    /// ```
    /// use opskit_core::config::Config;
    /// let config = Config::parse("[repository.main]\nurl = \"backups\"")?;
    /// assert_eq!(config.repository("main")?.url, "backups");
    /// assert!(config.repository("other").is_err());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`ErrorKind::NotFound`], with the names that there are.
    pub fn repository(&self, name: &str) -> Result<&RepositoryPlace> {
        let found = self.repositories.get(name);
        found.ok_or_else(|| unknown("repository", name, self.repositories.keys()))
    }
}

impl Config {
    /// Which backups of a target to keep in a repository: what the repository says, else the target, else
    /// the table of its class, else the default of its class. None where nobody says: all are kept.
    ///
    /// ```
    /// use opskit_core::config::Config;
    /// let config = Config::parse(r#"
    ///     [target.shop]
    ///     class = "staging"
    ///     url_env = "SHOP_URL"
    ///     [repository.archive]
    ///     url = "archive"
    ///     retention = { keep_yearly = 10 }
    /// "#)?;
    /// let here = config.retention_of(None, Some("shop")).unwrap();
    /// assert_eq!(here.keep_within.unwrap().as_secs(), 7 * 86_400);
    /// assert_eq!(config.retention_of(Some("archive"), Some("shop")).unwrap().keep_yearly, Some(10));
    /// assert_eq!(config.retention_of(None, None), None);
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    #[must_use]
    pub fn retention_of(
        &self,
        repository: Option<&str>,
        target: Option<&str>,
    ) -> Option<Retention> {
        let repository = repository.and_then(|name| self.repositories.get(name));
        if let Some(rules) = repository.and_then(|place| place.retention.as_ref()) {
            return Some(rules.clone());
        }
        let target = self.targets.get(target?)?;
        let said = target
            .retention
            .as_ref()
            .or(self.retention.of(target.class));
        said.cloned().or_else(|| Retention::of_class(target.class))
    }
}

fn unknown<'a>(what: &str, name: &str, known: impl Iterator<Item = &'a String>) -> Error {
    let known: Vec<&str> = known.map(String::as_str).collect();
    let hint = match known[..] {
        [] => format!("{FILE_NAME} names no {what}."),
        _ => format!("{FILE_NAME} names: {}.", known.join(", ")),
    };
    Error::new(
        ErrorKind::NotFound,
        format!("there is no {what} \"{name}\""),
    )
    .with_hint(hint)
}
