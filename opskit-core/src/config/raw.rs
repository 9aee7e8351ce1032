//! The file as it is written, with the place of every value, and its check.

use super::health::{RawHealth, RawProbe};
use super::retention::{RawClassRetention, RawRetention};
use super::rule::RawRule;
use super::variable::RawVariable;
use super::{
    Config, FILE_NAME, HookSetting, HookSettings, Limits, MigrateSettings, RepositoryPlace, Target,
    TargetClass, parse_duration, parse_size,
};
use crate::catalog::Pattern;
use crate::error::{Error, ErrorKind, Result};
use crate::hook::{Hook, HookUrl};
use crate::seal::{PASSPHRASE, Recipient, VerifyingKey};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use toml::Spanned;

type Text = Spanned<String>;

/// As the attribute of [`RawHook`] has it, which takes no constant.
const A_HOOK_IS: &str = "a hook is a list of a program and its arguments, a URL, or { url_env = the name of a variable }";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawConfig {
    default_target: Option<Text>,
    default_repository: Option<Text>,
    #[serde(default)]
    target: BTreeMap<Text, RawTarget>,
    #[serde(default)]
    repository: BTreeMap<Text, RawRepository>,
    #[serde(default)]
    retention: RawClassRetention,
    #[serde(default)]
    env: BTreeMap<Text, RawVariable>,
    #[serde(default)]
    limits: RawLimits,
    #[serde(default)]
    migrate: RawMigrate,
    #[serde(default)]
    hooks: RawHooks,
    #[serde(default)]
    health: RawHealth,
    #[serde(default)]
    probe: Vec<RawProbe>,
    #[serde(default)]
    rule: Vec<RawRule>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTarget {
    class: TargetClass,
    url_env: Text,
    repository: Option<Text>,
    #[serde(default)]
    ignore_schemas: Vec<String>,
    #[serde(default)]
    exclude: Vec<Text>,
    #[serde(default)]
    accept_loss: Vec<String>,
    schedule: Option<Text>,
    retention: Option<Spanned<RawRetention>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawRepository {
    url: Text,
    retention: Option<Spanned<RawRetention>>,
    #[serde(default)]
    recipients: Vec<Text>,
    #[serde(default)]
    signers: Vec<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimits {
    jobs: Option<Spanned<u16>>,
    memory: Option<Text>,
    part_size: Option<Text>,
    lock_timeout: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawMigrate {
    folder: Option<String>,
    #[serde(default)]
    tests: Vec<String>,
    lock_timeout: Option<Text>,
    lock_deadline: Option<Text>,
    statement_timeout: Option<Text>,
    before: Option<Spanned<RawHook>>,
    after: Option<Spanned<RawHook>>,
    staging: Option<Text>,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHooks {
    on_success: Option<Spanned<RawHook>>,
    on_failure: Option<Spanned<RawHook>>,
    timeout: Option<Text>,
}

#[derive(Debug, Deserialize)]
#[serde(
    untagged,
    expecting = "a hook is a list of a program and its arguments, a URL, or { url_env = the name of a variable }"
)]
enum RawHook {
    Command(Vec<String>),
    Url(String),
    Variable(RawHookVariable),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawHookVariable {
    url_env: String,
}

pub(super) fn parse(text: &str) -> Result<Config> {
    let raw: RawConfig = toml::from_str(text).map_err(|error| from_toml(text, &error))?;
    Checker { text }.config(raw)
}

/// What may be referred to.
struct Names {
    targets: BTreeSet<String>,
    repositories: BTreeSet<String>,
}

impl Names {
    fn of(raw: &RawConfig) -> Self {
        let name = |name: &Text| name.get_ref().clone();
        Self {
            targets: raw.target.keys().map(name).collect(),
            repositories: raw.repository.keys().map(name).collect(),
        }
    }
}

/// Turns what is written into values; knows the text, to tell the line of a mistake.
pub(super) struct Checker<'a> {
    text: &'a str,
}

impl Checker<'_> {
    fn config(&self, raw: RawConfig) -> Result<Config> {
        let names = Names::of(&raw);
        let mut targets = BTreeMap::new();
        for (name, target) in raw.target {
            self.name("target", &name)?;
            self.known(
                "repository",
                target.repository.as_ref(),
                &names.repositories,
            )?;
            targets.insert(name.into_inner(), self.target(target)?);
        }
        let mut repositories = BTreeMap::new();
        for (name, place) in raw.repository {
            self.name("repository", &name)?;
            repositories.insert(name.into_inner(), self.repository(place)?);
        }
        self.known("target", raw.default_target.as_ref(), &names.targets)?;
        let repository = raw.default_repository.as_ref();
        self.known("repository", repository, &names.repositories)?;
        self.known("target", raw.migrate.staging.as_ref(), &names.targets)?;
        let migrate = self.migrate(raw.migrate)?;
        let health = self.health(raw.health, raw.probe, &names.targets)?;
        Ok(Config {
            default_target: raw.default_target.map(Spanned::into_inner),
            default_repository: raw.default_repository.map(Spanned::into_inner),
            targets,
            repositories,
            retention: self.class_retention(raw.retention)?,
            variables: self.variables(raw.env)?,
            limits: self.limits(&raw.limits)?,
            migrate,
            health,
            rules: self.rules(raw.rule, &names.targets)?,
            hooks: HookSettings {
                on_success: self.hook(raw.hooks.on_success)?,
                on_failure: self.hook(raw.hooks.on_failure)?,
                timeout: self.parsed(raw.hooks.timeout.as_ref(), parse_duration)?,
            },
        })
    }

    fn target(&self, raw: RawTarget) -> Result<Target> {
        let variable = raw.url_env.get_ref();
        if !is_variable(variable) {
            let what = "url_env is not the name of an environment variable";
            return Err(self.wrong(&raw.url_env.span(), what).with_hint(
                "The URL itself holds a password and has no place in a file: put it into a variable, and name that.",
            ));
        }
        let patterns = raw.exclude.iter().map(|pattern| {
            Pattern::parse(pattern.get_ref())
                .map_err(|error| self.wrong(&pattern.span(), error.to_string()))
        });
        Ok(Target {
            class: raw.class,
            url_env: variable.clone(),
            repository: raw.repository.map(Spanned::into_inner),
            ignore_schemas: raw.ignore_schemas,
            exclude: patterns.collect::<Result<_>>()?,
            accept_loss: raw.accept_loss,
            schedule: self.parsed(raw.schedule.as_ref(), parse_duration)?,
            retention: self.retention(raw.retention)?,
        })
    }

    fn repository(&self, raw: RawRepository) -> Result<RepositoryPlace> {
        if raw.url.get_ref().is_empty() {
            return Err(self.wrong(&raw.url.span(), "url is empty"));
        }
        Ok(RepositoryPlace {
            url: raw.url.into_inner(),
            retention: self.retention(raw.retention)?,
            recipients: self.recipients(raw.recipients)?,
            signers: self.signers(&raw.signers)?,
        })
    }

    fn recipients(&self, raw: Vec<Text>) -> Result<Vec<String>> {
        for recipient in &raw {
            let text = recipient.get_ref();
            let known = text == PASSPHRASE || text.parse::<Recipient>().is_ok();
            if !known {
                let what = "a recipient is a public key of age (age1…) or \"passphrase\"";
                return Err(self.wrong(&recipient.span(), what));
            }
        }
        Ok(raw.into_iter().map(Text::into_inner).collect())
    }

    fn signers(&self, raw: &[Text]) -> Result<Vec<VerifyingKey>> {
        let key = |signer: &Text| {
            let what = "a signer is a public key: ed25519: and 44 characters of base64";
            let parsed = signer.get_ref().parse();
            parsed.map_err(|_| self.wrong(&signer.span(), what))
        };
        raw.iter().map(key).collect()
    }

    fn limits(&self, raw: &RawLimits) -> Result<Limits> {
        if let Some(jobs) = &raw.jobs
            && !(1..=256).contains(jobs.get_ref())
        {
            return Err(self.wrong(&jobs.span(), "jobs is a number from 1 to 256"));
        }
        Ok(Limits {
            jobs: raw.jobs.as_ref().map(|jobs| *jobs.get_ref()),
            memory: self.parsed(raw.memory.as_ref(), parse_size)?,
            part_size: self.parsed(raw.part_size.as_ref(), parse_size)?,
            lock_timeout: self.parsed(raw.lock_timeout.as_ref(), parse_duration)?,
        })
    }

    fn migrate(&self, raw: RawMigrate) -> Result<MigrateSettings> {
        Ok(MigrateSettings {
            folder: raw.folder,
            tests: raw.tests,
            lock_timeout: self.parsed(raw.lock_timeout.as_ref(), parse_duration)?,
            lock_deadline: self.parsed(raw.lock_deadline.as_ref(), parse_duration)?,
            statement_timeout: self.parsed(raw.statement_timeout.as_ref(), parse_duration)?,
            before: self.hook(raw.before)?,
            after: self.hook(raw.after)?,
            staging: raw.staging.map(Spanned::into_inner),
        })
    }

    fn hook(&self, raw: Option<Spanned<RawHook>>) -> Result<Option<HookSetting>> {
        let Some(raw) = raw else { return Ok(None) };
        let span = raw.span();
        let setting = match raw.into_inner() {
            // Written down so that it is plain that nobody is told.
            RawHook::Command(words) if words.is_empty() => return Ok(None),
            RawHook::Command(words) => HookSetting::Given(Hook::Command(words)),
            RawHook::Url(url) => {
                let url = HookUrl::parse(&url).map_err(|error| {
                    let hint = error.hint().unwrap_or_default().to_owned();
                    self.wrong(&span, error).with_hint(format!(
                        "{hint} A program is a list: [\"program\", \"argument\"]."
                    ))
                })?;
                HookSetting::Given(Hook::Web(url))
            }
            RawHook::Variable(raw) if is_variable(&raw.url_env) => HookSetting::UrlEnv(raw.url_env),
            RawHook::Variable(_) => {
                return Err(self.wrong(&span, "url_env is not the name of an environment variable"));
            }
        };
        Ok(Some(setting))
    }

    pub(super) fn parsed<T>(
        &self,
        text: Option<&Text>,
        parse: fn(&str) -> std::result::Result<T, String>,
    ) -> Result<Option<T>> {
        let parsed = text.map(|text| {
            parse(text.get_ref()).map_err(|hint| {
                self.wrong(&text.span(), "the value cannot be read")
                    .with_hint(format!("Please {hint}."))
            })
        });
        parsed.transpose()
    }

    /// Names are typed where URLs and paths are: they must not look like either.
    fn name(&self, what: &str, name: &Text) -> Result<()> {
        if is_word(name.get_ref()) {
            return Ok(());
        }
        let what = format!("the name of a {what} has letters, digits, _ and - only");
        Err(self.wrong(&name.span(), what))
    }

    pub(super) fn known(
        &self,
        what: &str,
        name: Option<&Text>,
        known: &BTreeSet<String>,
    ) -> Result<()> {
        match name {
            Some(name) if !known.contains(name.get_ref()) => {
                // Whatever else stands there may be a secret in the wrong place.
                let word = Some(name.get_ref()).filter(|name| is_word(name));
                let table = word.map_or(String::new(), |word| format!(" [{what}.{word}]"));
                let what = format!("there is no such {what}{table} in this file");
                Err(self.wrong(&name.span(), what))
            }
            _ => Ok(()),
        }
    }

    pub(super) fn wrong(&self, span: &Range<usize>, what: impl std::fmt::Display) -> Error {
        wrong(self.text, Some(span), what)
    }
}

pub(super) fn is_variable(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    !text.is_empty() && text.bytes().all(is_part)
}

fn is_word(text: &str) -> bool {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || b"_-".contains(&byte);
    !text.is_empty() && text.bytes().all(is_part)
}

fn wrong(text: &str, span: Option<&Range<usize>>, what: impl std::fmt::Display) -> Error {
    let line = span.map(|span| {
        let before = text.as_bytes().get(..span.start).unwrap_or_default();
        1 + before.iter().filter(|byte| **byte == b'\n').count()
    });
    let place = line.map_or_else(String::new, |line| format!(" line {line}"));
    Error::new(
        ErrorKind::InvalidInput,
        format!("{FILE_NAME}{place}: {what}"),
    )
}

/// What the parser says, without the values that it repeats.
fn from_toml(text: &str, error: &toml::de::Error) -> Error {
    let message = error.message();
    let what = without_values(message);
    let what: Vec<&str> = what.split_whitespace().collect();
    let error = wrong(text, error.span().as_ref(), what.join(" "));
    if message.starts_with("unknown field `url`") {
        error.with_hint("A URL holds a password and has no place in a file: put it into an environment variable, and name that in url_env.")
    } else {
        error
    }
}

/// Keeps the first words of a message, which say what is wrong, and what is expected, which are words of
/// ours. Between them stands what the file says.
fn without_values(message: &str) -> String {
    if message == A_HOOK_IS || message.starts_with("missing field `") {
        return message.to_owned();
    }
    // A value may have these words too: the last ones are not its own.
    let (said, expected) = match message.rsplit_once("expected ") {
        Some((said, expected)) => (said, Some(expected)),
        None => (message, None),
    };
    let words = said.split(['`', '"', '\'', ':', ',', '\n', '(']).next();
    let mut what = words.unwrap_or_default().trim().to_owned();
    let key = said.strip_prefix("unknown field `");
    if let Some((key, _)) = key.and_then(|key| key.split_once('`'))
        && is_word(key)
    {
        what = format!("{what} `{key}`");
    }
    match (what.is_empty(), expected) {
        (_, None) => what,
        (true, Some(expected)) => format!("expected {expected}"),
        (false, Some(expected)) => format!("{what}, expected {expected}"),
    }
}
