//! What a probe found.

use serde::{Deserialize, Serialize};

/// How a probe ends, the least worrying first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum State {
    /// It does not apply here, or was not asked for. Never blocks.
    Skipped,
    /// It looked, could have seen the problem, and there is none.
    Pass,
    /// Somebody should look. Does not block.
    Warn,
    /// It could not have seen the problem. Blocks as a failure does.
    Unknown,
    /// There is a problem.
    Fail,
}

impl State {
    /// Whether a run with this in it has not gone well.
    ///
    /// ```
    /// use opskit_core::health::State;
    /// assert!(State::Unknown.blocks() && State::Fail.blocks());
    /// assert!(!State::Skipped.blocks() && !State::Warn.blocks());
    /// ```
    #[must_use]
    pub const fn blocks(self) -> bool {
        matches!(self, Self::Unknown | Self::Fail)
    }

    /// Its word in documents.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Pass => "pass",
            Self::Warn => "warn",
            Self::Unknown => "unknown",
            Self::Fail => "fail",
        }
    }
}

/// Why a probe could not have seen the problem.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Reason {
    /// The role may not look.
    Privilege,
    /// The server does not keep or show what is needed.
    Visibility,
    /// The server's version does not tell.
    Version,
    /// Counters that began again since they were last read, or are not kept.
    StaleStatistics,
    /// It took too long, or waited for a lock.
    TimeOut,
    /// The question failed, or the connection was lost.
    Error,
}

/// One thing that a probe has to say about one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Finding {
    /// What it is about: a table, a session by its process, a setting.
    pub object: String,
    /// How bad it is.
    pub state: State,
    /// What was found, in a few words.
    pub detail: String,
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Verdict {
    /// The worst of it.
    pub state: State,
    /// Why it is unknown, where it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// Why it is skipped or unknown, in a few words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
    /// The statement that lets it look next time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cure: Option<String>,
    /// What there is to say, the worst first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Finding>,
}

impl Verdict {
    /// It does not apply, `because` of this.
    pub fn skipped(because: impl Into<String>) -> Self {
        Self {
            because: Some(because.into()),
            ..Self::of(Vec::new(), State::Skipped)
        }
    }

    /// It could not have seen the problem, `because` of this.
    pub fn unknown(reason: Reason, because: impl Into<String>) -> Self {
        Self {
            reason: Some(reason),
            because: Some(because.into()),
            ..Self::of(Vec::new(), State::Unknown)
        }
    }

    /// Adds the statement that cures it.
    #[must_use]
    pub fn cured_by(mut self, cure: impl Into<String>) -> Self {
        self.cure = Some(cure.into());
        self
    }

    /// It looked, and this is all there is to say.
    #[must_use]
    pub fn found(findings: Vec<Finding>) -> Self {
        Self::of(findings, State::Pass)
    }

    /// With these findings as well.
    #[must_use]
    pub(super) fn and(mut self, more: Vec<Finding>) -> Self {
        self.findings.extend(more);
        self.again()
    }

    /// The state that its findings make it, which changed.
    pub(super) fn again(self) -> Self {
        let Self {
            reason,
            because,
            cure,
            findings,
            ..
        } = self;
        Self {
            reason,
            because,
            cure,
            ..Self::found(findings)
        }
    }

    fn of(mut findings: Vec<Finding>, at_least: State) -> Self {
        findings.sort_by_key(|finding| std::cmp::Reverse(finding.state));
        Self {
            state: findings
                .first()
                .map_or(at_least, |worst| worst.state.max(at_least)),
            reason: None,
            because: None,
            cure: None,
            findings,
        }
    }
}
