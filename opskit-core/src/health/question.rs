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
    /// The state itself: `warn`, `fail` or `unknown`.
    Word,
}

/// One query that gives rows of object, reading and detail: none where nothing is wrong, and one with the reading
/// `skipped` where it does not apply. Where a reading is NULL or `unknown`, the detail is the statement that cures it, if
/// one does.
#[derive(Debug)]
pub(super) struct Question {
    pub(super) id: &'static str,
    pub(super) about: &'static str,
    pub(super) remedy: &'static str,
    pub(super) version: u32,
    pub(super) needs: Needs,
    pub(super) reading: Reading,
    /// The query for servers before this major version, where they need another one.
    pub(super) older: Option<(u32, &'static str)>,
    pub(super) sql: &'static str,
}

#[async_trait]
impl HealthProbe for Question {
    fn id(&self) -> &str {
        self.id
    }

    fn about(&self) -> &str {
        self.about
    }

    fn remedy(&self) -> &str {
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
        let sql = match self.older {
            Some((version, sql)) if server.major() < version => sql,
            _ => self.sql,
        };
        let rows = server.ask(sql).await?;
        Ok(Sample { rows })
    }

    fn judge(&self, now: &Sample, _before: Option<&Sample>, limits: &Limits) -> Verdict {
        match self.reading {
            Reading::Word => judge_words(now),
            Reading::Number(threshold, unit, blind) => {
                judge_numbers(now, self.id, limits, threshold, (unit, blind))
            }
        }
    }
}

fn word(text: &str) -> Option<State> {
    match text {
        "warn" => Some(State::Warn),
        "fail" => Some(State::Fail),
        _ => None,
    }
}

/// Rows of object, state and detail.
pub(super) fn judge_words(now: &Sample) -> Verdict {
    if let Some(because) = now.skipped() {
        return Verdict::skipped(because);
    }
    let mut all = Judged::default();
    for row in &now.rows {
        let detail = Sample::field(row, 2).unwrap_or_default();
        match Sample::field(row, 1) {
            Some("unknown") => all.unseen(row),
            other => match other.and_then(word) {
                Some(state) => all.findings.push(finding(row, state, detail.to_owned())),
                None => return Verdict::unknown(Reason::Error, "the answer has no state"),
            },
        }
    }
    all.verdict(Reason::Privilege)
}

/// Rows of object, number and detail; `warn` and `fail` in place of a number are the state itself. `unit` is that of the number, with the reason for which one cannot be seen.
pub(super) fn judge_numbers(
    now: &Sample,
    id: &str,
    limits: &Limits,
    default: Threshold,
    (unit, blind): (&str, Reason),
) -> Verdict {
    if let Some(because) = now.skipped() {
        return Verdict::skipped(because);
    }
    let mut all = Judged::default();
    for row in &now.rows {
        let detail = Sample::field(row, 2).unwrap_or_default();
        if let Some(state) = Sample::field(row, 1).and_then(word) {
            all.findings.push(finding(row, state, detail.to_owned()));
            continue;
        }
        let reading = Sample::field(row, 1).and_then(|text| text.parse::<f64>().ok());
        let Some(value) = reading.filter(|value| value.is_finite()) else {
            all.unseen(row);
            continue;
        };
        let object = Sample::field(row, 0).unwrap_or_default();
        let limit = limits.of_object(id, object).unwrap_or(default);
        if let Some(state) = against(value, limit) {
            let detail = format!("{value:.1} {unit} {detail}");
            let finding = finding(row, state, detail.trim_end().to_owned());
            all.findings.push(finding);
        }
    }
    all.verdict(blind)
}

/// What is known of the rows so far.
#[derive(Default)]
struct Judged {
    findings: Vec<Finding>,
    unseen: Vec<Finding>,
    cures: Vec<String>,
}

impl Judged {
    /// A row whose reading cannot be seen; its detail is what cures that.
    fn unseen(&mut self, row: &[Option<String>]) {
        let found = finding(row, State::Unknown, "cannot be seen".to_owned());
        self.unseen.push(found);
        let cure = Sample::field(row, 2).filter(|cure| !cure.is_empty());
        self.cures.extend(cure.map(str::to_owned));
    }

    fn verdict(self, blind: Reason) -> Verdict {
        let is_blind = !self.unseen.is_empty();
        let mut verdict = Verdict::found(self.findings).and(self.unseen);
        if is_blind {
            verdict.reason = Some(blind);
            verdict.because = Some("not everything can be seen".to_owned());
            verdict.cure = (!self.cures.is_empty()).then(|| self.cures.join("\n"));
        }
        verdict
    }
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

    fn judge(now: &Sample, limit: Threshold) -> Verdict {
        let limits = Limits::default();
        judge_numbers(now, "a.b", &limits, limit, ("s", Reason::Privilege))
    }

    #[test]
    fn an_object_may_have_its_own_limit_and_what_is_skipped_is_no_pass() {
        let [strict, lax] = [1.0, 90.0].map(|warn| Threshold { warn, fail: 100.0 });
        let limits = Limits::default().with_object("a.b", "big", lax);
        let now = sample(&[
            [Some("big"), Some("50"), None],
            [Some("small"), Some("50"), None],
        ]);
        let verdict = judge_numbers(&now, "a.b", &limits, strict, ("s", Reason::Privilege));
        let objects: Vec<_> = verdict.findings.iter().map(|it| &*it.object).collect();
        assert_eq!(objects, ["small"]);
        let now = sample(&[[Some("the server"), Some("skipped"), Some("it is off")]]);
        assert_eq!(judge(&now, strict).state, State::Skipped);
        assert_eq!(judge_words(&now).state, State::Skipped);
    }

    #[test]
    fn numbers_are_held_against_both_limits() {
        let limit = Threshold {
            warn: 70.0,
            fail: 85.0,
        };
        let state = |value| {
            let now = sample(&[[Some("s"), Some(value), None]]);
            judge(&now, limit).state
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
        let verdict = judge(&now, limit);
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
