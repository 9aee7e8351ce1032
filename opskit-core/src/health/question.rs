//! The probe that most are: one query whose rows speak for themselves.

use super::probe::{HealthProbe, Limits, Needs, Requirements, Sample, Threshold};
use super::server::Server;
use super::verdict::{Finding, Reason, State, Verdict};
use crate::error::Result;
use async_trait::async_trait;

/// How the second column of the rows is read.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reading {
    /// A number, held against the threshold, in this unit. NULL where it cannot be seen, for this reason.
    Number(Threshold, &'static str, Reason),
    /// The state itself: `warn`, `fail`, `skipped` or `unknown`.
    Word,
}

/// One query that gives rows of object, reading and detail: none where nothing is wrong. Where a reading is NULL, the
/// detail is the statement that cures it, if one does.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) id: &'static str,
    pub(super) about: &'static str,
    pub(super) remedy: &'static str,
    pub(super) version: u32,
    pub(super) needs: Needs,
    pub(super) reading: Reading,
    pub(super) sql: &'static str,
}

#[async_trait]
impl HealthProbe for Question {
    fn id(&self) -> &'static str {
        self.id
    }

    fn about(&self) -> &'static str {
        self.about
    }

    fn remedy(&self) -> &'static str {
        self.remedy
    }

    fn requires(&self) -> Requirements {
        Requirements {
            version: self.version,
            needs: self.needs,
        }
    }

    fn threshold(&self) -> Option<Threshold> {
        match self.reading {
            Reading::Number(threshold, ..) => Some(threshold),
            Reading::Word => None,
        }
    }

    async fn sample(&self, server: &mut Server) -> Result<Sample> {
        let rows = server.ask(self.sql).await?;
        Ok(Sample { rows })
    }

    fn judge(&self, now: &Sample, _before: Option<&Sample>, limits: &Limits) -> Verdict {
        match self.reading {
            Reading::Word => judge_words(now),
            Reading::Number(threshold, unit, blind) => {
                let threshold = limits.of(self.id).unwrap_or(threshold);
                judge_numbers(now, threshold, unit, blind)
            }
        }
    }
}

fn judge_words(now: &Sample) -> Verdict {
    let mut findings = Vec::new();
    for row in &now.rows {
        let detail = Sample::field(row, 2).unwrap_or_default();
        let state = match Sample::field(row, 1) {
            Some("skipped") => return Verdict::skipped(detail),
            Some("unknown") => return Verdict::unknown(Reason::Visibility, detail),
            Some("warn") => State::Warn,
            Some("fail") => State::Fail,
            _ => return Verdict::unknown(Reason::Error, "the answer has no state"),
        };
        findings.push(finding(row, state, detail.to_owned()));
    }
    Verdict::found(findings)
}

fn judge_numbers(now: &Sample, limit: Threshold, unit: &str, blind: Reason) -> Verdict {
    let (mut findings, mut unseen, mut cures) = (Vec::new(), Vec::new(), Vec::new());
    for row in &now.rows {
        let reading = Sample::field(row, 1).and_then(|text| text.parse::<f64>().ok());
        let detail = Sample::field(row, 2).unwrap_or_default();
        let Some(value) = reading.filter(|value| value.is_finite()) else {
            unseen.push(finding(row, State::Unknown, "cannot be seen".to_owned()));
            cures.extend((!detail.is_empty()).then(|| detail.to_owned()));
            continue;
        };
        if let Some(state) = against(value, limit) {
            let detail = format!("{value:.1} {unit} {detail}");
            findings.push(finding(row, state, detail.trim_end().to_owned()));
        }
    }
    let is_blind = !unseen.is_empty();
    findings.extend(unseen);
    let mut verdict = Verdict::found(findings);
    if is_blind {
        verdict.reason = Some(blind);
        verdict.because = Some("not everything can be seen".to_owned());
        verdict.cure = (!cures.is_empty()).then(|| cures.join("\n"));
    }
    verdict
}

/// How bad a reading is, where it is bad.
pub(super) fn against(value: f64, limit: Threshold) -> Option<State> {
    if value >= limit.fail {
        Some(State::Fail)
    } else {
        (value >= limit.warn).then_some(State::Warn)
    }
}

fn finding(row: &[Option<String>], state: State, detail: String) -> Finding {
    Finding {
        object: Sample::field(row, 0).unwrap_or_default().to_owned(),
        state,
        detail,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(rows: &[[Option<&str>; 3]]) -> Sample {
        let row = |row: &[Option<&str>; 3]| row.iter().map(|f| f.map(str::to_owned)).collect();
        Sample {
            rows: rows.iter().map(row).collect(),
        }
    }

    #[test]
    fn numbers_are_held_against_both_limits() {
        let limit = Threshold {
            warn: 70.0,
            fail: 85.0,
        };
        let state = |value| {
            let now = sample(&[[Some("s"), Some(value), None]]);
            judge_numbers(&now, limit, "%", Reason::Privilege).state
        };
        assert_eq!(state("69.9"), State::Pass);
        assert_eq!(state("70"), State::Warn);
        assert_eq!(state("85"), State::Fail);
        assert_eq!(state("NaN"), State::Unknown);
    }

    #[test]
    fn what_cannot_be_seen_is_unknown_and_names_its_cure() {
        let limit = Threshold {
            warn: 1.0,
            fail: 2.0,
        };
        let now = sample(&[
            [Some("a"), Some("0"), None],
            [Some("b"), None, Some("GRANT x;")],
        ]);
        let verdict = judge_numbers(&now, limit, "s", Reason::Privilege);
        assert_eq!(
            (verdict.state, verdict.reason),
            (State::Unknown, Some(Reason::Privilege))
        );
        assert_eq!(verdict.cure.as_deref(), Some("GRANT x;"));
    }

    #[test]
    fn a_word_that_is_no_state_never_passes() {
        assert_eq!(judge_words(&sample(&[])).state, State::Pass);
        assert_eq!(
            judge_words(&sample(&[[Some("a"), Some("ok"), None]])).state,
            State::Unknown
        );
        assert_eq!(
            judge_words(&sample(&[[Some("a"), None, None]])).state,
            State::Unknown
        );
        assert_eq!(
            judge_words(&sample(&[[Some("a"), Some("fail"), None]])).state,
            State::Fail
        );
    }
}
