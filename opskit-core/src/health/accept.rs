//! What somebody decided to live with for a while.

use super::verdict::{State, Verdict};
use crate::config::Acceptance;
use time::Date;

impl Verdict {
    /// The verdict of the probe `id` on a day, given what is accepted. What is accepted is told all the same, and blocks
    /// nothing until its last day is over.
    pub(super) fn accepting(mut self, id: &str, accepted: &[Acceptance], today: Date) -> Self {
        let of_probe = || accepted.iter().filter(|it| it.probe == id);
        let is_blind = self.state == State::Unknown;
        let was = self.findings.len();
        for finding in &mut self.findings {
            let mut of_object = of_probe().filter(|it| {
                let object = it.object.as_ref();
                object.is_none_or(|object| *object == finding.object)
            });
            let Some(found) = of_object.by_ref().max_by_key(|it| it.until) else {
                continue;
            };
            if today <= found.until {
                finding.state = State::Skipped;
            }
            finding.detail = format!("{} ({})", finding.detail, told(found, today));
        }
        if was > 0 {
            return self.again();
        }
        let whole = of_probe().filter(|it| it.object.is_none());
        let Some(found) = whole.max_by_key(|it| it.until).filter(|_| is_blind) else {
            return self;
        };
        let because = self.because.take().unwrap_or_default();
        self.because = Some(format!("{because} ({})", told(found, today)));
        if today <= found.until {
            self.state = State::Skipped;
        }
        self
    }
}

fn told(found: &Acceptance, today: Date) -> String {
    let Acceptance { until, reason, .. } = found;
    let is_over = today > *until;
    let word = if is_over { "was accepted" } else { "accepted" };
    format!("{word} until {until}: {reason}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::{Finding, Reason};
    use time::macros::date;

    fn accepted(object: Option<&str>) -> Acceptance {
        Acceptance {
            target: None,
            probe: "a.b".to_owned(),
            object: object.map(str::to_owned),
            reason: "known".to_owned(),
            until: date!(2026 - 12 - 31),
        }
    }

    fn red(objects: &[&str]) -> Verdict {
        let finding = |object: &&str| Finding {
            object: (*object).to_owned(),
            state: State::Fail,
            detail: "is bad".to_owned(),
        };
        Verdict::found(objects.iter().map(finding).collect())
    }

    #[test]
    fn what_is_accepted_does_not_block_until_it_ends() {
        let list = [accepted(Some("x"))];
        let on = |day, objects: &[&str]| red(objects).accepting("a.b", &list, day);
        let verdict = on(date!(2026 - 12 - 31), &["x"]);
        assert_eq!(verdict.state, State::Pass);
        let detail = "is bad (accepted until 2026-12-31: known)";
        assert_eq!(verdict.findings[0].detail, detail);
        assert_eq!(on(date!(2026 - 12 - 31), &["x", "y"]).state, State::Fail);
        assert_eq!(on(date!(2027 - 01 - 01), &["x"]).state, State::Fail);
        let other = red(&["x"]).accepting("a.c", &list, date!(2026 - 12 - 31));
        assert_eq!(other, red(&["x"]));
    }

    #[test]
    fn blindness_is_accepted_for_a_whole_probe_only() {
        let blind = || Verdict::unknown(Reason::Privilege, "no member");
        let on = |it: Acceptance| blind().accepting("a.b", &[it], date!(2026 - 12 - 01)).state;
        assert_eq!(on(accepted(Some("x"))), State::Unknown);
        assert_eq!(on(accepted(None)), State::Skipped);
    }
}
