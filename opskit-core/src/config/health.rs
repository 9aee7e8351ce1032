//! `[health]` and `[[probe]]`: what is normal here, what is accepted, and what else is asked.

use super::raw::{Checker, is_variable};
use super::{parse_duration, parse_size};
use crate::error::Result;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use time::Date;
use time::macros::format_description;
use toml::Spanned;

type Text = Spanned<String>;

/// What health is measured by, where it is not the defaults.
#[derive(Debug, Clone, PartialEq, Default)]
#[non_exhaustive]
pub struct HealthSettings {
    /// How large the server's disk is, in bytes.
    pub disk: Option<u64>,
    /// How long a recovery may take: drills are held against it.
    pub recovery_time: Option<Duration>,
    /// Thresholds.
    pub limits: Vec<HealthLimit>,
    /// Findings that are accepted.
    pub accept: Vec<Acceptance>,
    /// Probes of the project's own.
    pub probes: Vec<DeclaredProbe>,
}

/// The threshold of a probe.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct HealthLimit {
    /// Of which target; of all where none is named.
    pub target: Option<String>,
    /// Its id.
    pub probe: String,
    /// For which object; for all where none is named.
    pub object: Option<String>,
    /// Warns from here on.
    pub warn: f64,
    /// Fails from here on.
    pub fail: f64,
}

/// A finding that somebody decided to live with.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(
    clippy::exhaustive_structs,
    reason = "callers of the library make them"
)]
pub struct Acceptance {
    /// Of which target; of all where none is named.
    pub target: Option<String>,
    /// The id of the probe.
    pub probe: String,
    /// The object as the finding names it; all of the probe's where none is named.
    pub object: Option<String>,
    /// Why.
    pub reason: String,
    /// The last day on which it holds, in UTC.
    pub until: Date,
}

/// A probe that the project declares.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeclaredProbe {
    /// Of which target; of all where none is named.
    pub target: Option<String>,
    /// Its id.
    pub id: String,
    /// What to do when it is not green.
    pub remedy: String,
    /// What is asked.
    pub question: DeclaredQuestion,
    /// It warns where this holds.
    pub warn: Option<Comparison>,
    /// It fails where this holds.
    pub fail: Option<Comparison>,
}

/// What a declared probe asks.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeclaredQuestion {
    /// A query.
    Sql(String),
    /// A URL.
    Http(DeclaredRequest),
}

/// A request over HTTP, and what the answer must be.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeclaredRequest {
    /// Where.
    pub url: DeclaredUrl,
    /// Headers, and the environment variables that hold their values.
    pub headers: BTreeMap<String, String>,
    /// The status that it must have.
    pub status: u16,
    /// What its body must contain.
    pub body: Option<String>,
    /// What must hold at which place of its JSON document, as RFC 6901 names places.
    pub json: BTreeMap<String, Comparison>,
}

/// A URL, or the environment variable that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum DeclaredUrl {
    /// The URL.
    Given(String),
    /// The variable.
    Env(String),
}

/// Something that can hold of a value, such as `> 10` or `== ok`.
///
/// ```
/// use opskit_core::config::Comparison;
/// let few = Comparison::parse("> 10").unwrap();
/// assert_eq!(few.holds("11"), Some(true));
/// assert_eq!(few.holds("9.5"), Some(false));
/// // What cannot be compared neither holds nor does not.
/// assert_eq!(few.holds("many"), None);
/// assert_eq!(Comparison::parse("== ok").unwrap().holds("ok"), Some(true));
/// assert!(Comparison::parse("10").is_err());
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comparison {
    operator: Operator,
    value: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    Less,
    AtMost,
    Equal,
    Unequal,
    AtLeast,
    More,
}

impl Comparison {
    /// Reads an operator (`<`, `<=`, `==`, `!=`, `>=`, `>`) and a value.
    ///
    /// # Errors
    /// What to do about a text that is none.
    pub fn parse(text: &str) -> std::result::Result<Self, String> {
        const OPERATORS: [(&str, Operator); 6] = [
            ("<=", Operator::AtMost),
            (">=", Operator::AtLeast),
            ("==", Operator::Equal),
            ("!=", Operator::Unequal),
            ("<", Operator::Less),
            (">", Operator::More),
        ];
        let hint = || "write an operator and a value, such as \"> 10\" or \"== ok\"".to_owned();
        let text = text.trim();
        let mut operators = OPERATORS.iter();
        let found =
            operators.find_map(|(sign, operator)| Some((text.strip_prefix(sign)?, operator)));
        let (value, operator) = found.ok_or_else(hint)?;
        let value = value.trim().to_owned();
        let is_order = !matches!(operator, Operator::Equal | Operator::Unequal);
        if is_order && number(&value).is_none() {
            return Err("compare by order with a number only".to_owned());
        }
        Ok(Self {
            operator: *operator,
            value,
        })
    }

    /// Whether it holds; none where the two cannot be compared.
    #[must_use]
    pub fn holds(&self, value: &str) -> Option<bool> {
        let numbers = (number(value), number(&self.value));
        let (Some(left), Some(right)) = numbers else {
            let is_same = value == self.value;
            return match self.operator {
                Operator::Equal => Some(is_same),
                Operator::Unequal => Some(!is_same),
                _ => None,
            };
        };
        Some(match self.operator {
            Operator::Less => left < right,
            Operator::AtMost => left <= right,
            Operator::Equal => left.total_cmp(&right).is_eq(),
            Operator::Unequal => left.total_cmp(&right).is_ne(),
            Operator::AtLeast => left >= right,
            Operator::More => left > right,
        })
    }
}

fn number(text: &str) -> Option<f64> {
    let number: f64 = text.trim().parse().ok()?;
    // A negative zero is a zero.
    number.is_finite().then_some(number + 0.0)
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawHealth {
    disk: Option<Text>,
    recovery_time: Option<Text>,
    #[serde(default)]
    limit: Vec<RawLimit>,
    #[serde(default)]
    accept: Vec<RawAcceptance>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawLimit {
    target: Option<Text>,
    probe: Text,
    object: Option<String>,
    warn: f64,
    fail: f64,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAcceptance {
    target: Option<Text>,
    probe: String,
    object: Option<String>,
    reason: Text,
    until: Text,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawProbe {
    target: Option<Text>,
    id: Text,
    remedy: Option<String>,
    query: Option<Text>,
    url: Option<Text>,
    url_env: Option<Text>,
    #[serde(default)]
    headers: BTreeMap<String, Text>,
    status: Option<u16>,
    body: Option<String>,
    #[serde(default)]
    json: BTreeMap<Text, Text>,
    warn: Option<Text>,
    fail: Option<Text>,
}

impl Checker<'_> {
    pub(super) fn health(
        &self,
        raw: RawHealth,
        probes: Vec<RawProbe>,
        targets: &BTreeSet<String>,
    ) -> Result<HealthSettings> {
        let limit = |raw: RawLimit| {
            self.known("target", raw.target.as_ref(), targets)?;
            if !(raw.warn <= raw.fail && raw.fail.is_finite()) {
                let what = "warn is a number that is not above fail";
                return Err(self.wrong(&raw.probe.span(), what));
            }
            Ok(HealthLimit {
                target: raw.target.map(Text::into_inner),
                probe: raw.probe.into_inner(),
                object: raw.object,
                warn: raw.warn,
                fail: raw.fail,
            })
        };
        let mut ids = BTreeSet::new();
        let mut declared = Vec::new();
        for raw in probes {
            self.known("target", raw.target.as_ref(), targets)?;
            if !ids.insert(raw.id.get_ref().clone()) {
                return Err(self.wrong(&raw.id.span(), "there are two probes with this id"));
            }
            declared.push(self.probe(raw)?);
        }
        let accept = raw.accept.into_iter();
        Ok(HealthSettings {
            disk: self.parsed(raw.disk.as_ref(), parse_size)?,
            recovery_time: self.parsed(raw.recovery_time.as_ref(), parse_duration)?,
            limits: raw.limit.into_iter().map(limit).collect::<Result<_>>()?,
            accept: accept
                .map(|raw| self.acceptance(raw, targets))
                .collect::<Result<_>>()?,
            probes: declared,
        })
    }

    fn acceptance(&self, raw: RawAcceptance, targets: &BTreeSet<String>) -> Result<Acceptance> {
        self.known("target", raw.target.as_ref(), targets)?;
        if raw.reason.get_ref().trim().is_empty() {
            return Err(self.wrong(&raw.reason.span(), "the reason is empty"));
        }
        let day = format_description!("[year]-[month]-[day]");
        let until = Date::parse(raw.until.get_ref(), &day).map_err(|_| {
            let what = "until is a day such as \"2027-01-31\"";
            self.wrong(&raw.until.span(), what)
        })?;
        Ok(Acceptance {
            target: raw.target.map(Text::into_inner),
            probe: raw.probe,
            object: raw.object,
            reason: raw.reason.into_inner(),
            until,
        })
    }

    fn probe(&self, raw: RawProbe) -> Result<DeclaredProbe> {
        let wrong = |what: &str| Err(self.wrong(&raw.id.span(), what));
        if !is_probe_id(raw.id.get_ref()) {
            return wrong("the id of a probe has a group and a name, such as orders.stuck");
        }
        let is_asked_over_http = raw.url.is_some() || raw.url_env.is_some();
        let of_http = !raw.headers.is_empty()
            || raw.status.is_some()
            || raw.body.is_some()
            || !raw.json.is_empty();
        let comparison = |text: &Option<Text>| self.parsed(text.as_ref(), Comparison::parse);
        let (warn, fail) = (comparison(&raw.warn)?, comparison(&raw.fail)?);
        let question = match &raw.query {
            Some(_) if is_asked_over_http || of_http => {
                return wrong("a probe has a query, or a url and what belongs to it");
            }
            Some(query) => DeclaredQuestion::Sql(query.get_ref().clone()),
            None if is_asked_over_http => DeclaredQuestion::Http(self.request(&raw)?),
            None => return wrong("a probe has a query, a url or a url_env"),
        };
        Ok(DeclaredProbe {
            target: raw.target.map(Text::into_inner),
            id: raw.id.into_inner(),
            remedy: raw.remedy.unwrap_or_default(),
            question,
            warn,
            fail,
        })
    }

    fn request(&self, raw: &RawProbe) -> Result<DeclaredRequest> {
        let variable = |name: &Text| match is_variable(name.get_ref()) {
            true => Ok(name.get_ref().clone()),
            false => {
                let what = "this is not the name of an environment variable";
                Err(self.wrong(&name.span(), what).with_hint(
                    "Values of headers and URLs with a secret stand in the environment, not in this file.",
                ))
            }
        };
        let url = match (&raw.url, &raw.url_env) {
            (Some(url), None) if is_plain_url(url.get_ref()) => {
                DeclaredUrl::Given(url.get_ref().clone())
            }
            (Some(url), None) => {
                let what = "url is no URL of http or https without a password";
                return Err(self.wrong(&url.span(), what));
            }
            (None, Some(name)) => DeclaredUrl::Env(variable(name)?),
            _ => return Err(self.wrong(&raw.id.span(), "a probe has a url or a url_env")),
        };
        let headers = raw.headers.iter();
        let headers = headers.map(|(name, text)| Ok((name.clone(), variable(text)?)));
        let mut json = BTreeMap::new();
        for (place, text) in &raw.json {
            if !place.get_ref().is_empty() && !place.get_ref().starts_with('/') {
                let what =
                    "a place in a JSON document begins with a slash, as in /database/version";
                return Err(self.wrong(&place.span(), what));
            }
            let comparison = self.parsed(Some(text), Comparison::parse)?;
            json.extend(comparison.map(|it| (place.get_ref().clone(), it)));
        }
        Ok(DeclaredRequest {
            url,
            headers: headers.collect::<Result<_>>()?,
            status: raw.status.unwrap_or(200),
            body: raw.body.clone(),
            json,
        })
    }
}

fn is_plain_url(text: &str) -> bool {
    let rest = text
        .strip_prefix("https://")
        .or_else(|| text.strip_prefix("http://"));
    rest.is_some_and(|rest| !rest.is_empty() && !rest.contains('@'))
}

/// Two words or more with dots in between, as the ids of other probes are.
fn is_probe_id(text: &str) -> bool {
    let is_word = |word: &str| {
        let is_part = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
        !word.is_empty() && word.bytes().all(is_part)
    };
    text.contains('.') && text.split('.').all(is_word)
}
