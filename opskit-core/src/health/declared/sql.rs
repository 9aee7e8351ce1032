//! A query.

use super::super::probe::{HealthProbe, Limits, Needs, Requirements, Sample};
use super::super::question::judge_words;
use super::super::server::Server;
use super::super::verdict::{Finding, Reason, State, Verdict};
use crate::config::{Comparison, DeclaredProbe, DeclaredQuestion};
use crate::error::Result;
use async_trait::async_trait;

/// A query whose rows are a value, or an object, a value and a detail. Without comparisons the value is the state.
#[derive(Debug)]
pub(super) struct SqlProbe(pub(super) DeclaredProbe);

#[async_trait]
impl HealthProbe for SqlProbe {
    fn id(&self) -> &str {
        &self.0.id
    }

    fn about(&self) -> &str {
        "a query of opskit.toml"
    }

    fn remedy(&self) -> &str {
        &self.0.remedy
    }

    fn requires(&self) -> Requirements {
        Requirements {
            version: 13,
            needs: Needs::Nothing,
        }
    }

    async fn sample(&self, server: &mut Server) -> Result<Sample> {
        let DeclaredQuestion::Sql(query) = &self.0.question else {
            return Ok(Sample::default());
        };
        // In parentheses it is one query: what would do more is no query of this form. The line ends a comment.
        let query = query.trim().trim_end_matches(';');
        let rows = server
            .ask_as_user(&format!("select q.* from (\n{query}\n) as q"))
            .await?;
        Ok(Sample { rows })
    }

    fn judge(&self, now: &Sample, _before: Option<&Sample>, _limits: &Limits) -> Verdict {
        let (warn, fail) = (&self.0.warn, &self.0.fail);
        if warn.is_none() && fail.is_none() {
            return judge_words(now);
        }
        if now.rows.is_empty() {
            return Verdict::unknown(Reason::Error, "the query gave no row");
        }
        let mut findings = Vec::new();
        for row in &now.rows {
            let (object, at) = match row.len() {
                1 => ("", 0),
                _ => (Sample::field(row, 0).unwrap_or_default(), 1),
            };
            let value = Sample::field(row, at);
            let holds = |comparison: &Option<_>| match (comparison, value) {
                (None, _) => Some(false),
                (Some(_), None) => None,
                (Some(comparison), Some(value)) => Comparison::holds(comparison, value),
            };
            let (state, word) = match (holds(fail), holds(warn)) {
                (Some(true), _) => (State::Fail, told(value)),
                (None, _) | (_, None) => (State::Unknown, "cannot be compared".to_owned()),
                (_, Some(true)) => (State::Warn, told(value)),
                _ => continue,
            };
            let detail = Sample::field(row, at + 1).unwrap_or_default();
            findings.push(Finding {
                object: object.to_owned(),
                state,
                detail: format!("{word} {detail}").trim_end().to_owned(),
            });
        }
        let is_blind = findings.iter().any(|it| it.state == State::Unknown);
        let mut verdict = Verdict::found(findings);
        if is_blind {
            verdict.reason = Some(Reason::Error);
        }
        verdict
    }
}

/// A number is told; a text is somebody's data.
fn told(value: Option<&str>) -> String {
    let number = value.filter(|text| text.parse::<f64>().is_ok());
    number.map_or_else(
        || "is not as it should be".to_owned(),
        |it| format!("is {it}"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe(warn: Option<&str>, fail: Option<&str>) -> SqlProbe {
        let comparison = |text: Option<&str>| text.map(|text| Comparison::parse(text).unwrap());
        let text = "[[probe]]\nid = \"a.b\"\nquery = \"select 1\"";
        let mut config = crate::config::Config::parse(text).unwrap();
        let mut probe = config.health.probes.remove(0);
        (probe.warn, probe.fail) = (comparison(warn), comparison(fail));
        SqlProbe(probe)
    }

    fn judged(probe: &SqlProbe, rows: &[&[Option<&str>]]) -> State {
        let row = |row: &&[Option<&str>]| row.iter().map(|it| it.map(str::to_owned)).collect();
        let now = Sample {
            rows: rows.iter().map(row).collect(),
        };
        probe.judge(&now, None, &Limits::default()).state
    }

    #[test]
    fn a_value_is_compared_and_what_is_no_value_never_passes() {
        let both = probe(Some("> 1"), Some("> 10"));
        assert_eq!(judged(&both, &[&[Some("1")]]), State::Pass);
        assert_eq!(judged(&both, &[&[Some("2")]]), State::Warn);
        assert_eq!(
            judged(&both, &[&[Some("x"), Some("11"), None]]),
            State::Fail
        );
        assert_eq!(judged(&both, &[&[None]]), State::Unknown);
        assert_eq!(judged(&both, &[&[Some("many")]]), State::Unknown);
        assert_eq!(judged(&both, &[]), State::Unknown);
        let text = probe(None, Some("!= on"));
        assert_eq!(judged(&text, &[&[Some("on")]]), State::Pass);
        assert_eq!(judged(&text, &[&[Some("off")]]), State::Fail);
    }

    #[test]
    fn without_comparisons_rows_say_what_is_wrong() {
        let words = probe(None, None);
        assert_eq!(judged(&words, &[]), State::Pass);
        assert_eq!(
            judged(&words, &[&[Some("x"), Some("fail"), Some("is bad")]]),
            State::Fail
        );
        assert_eq!(judged(&words, &[&[Some("1")]]), State::Unknown);
    }
}
