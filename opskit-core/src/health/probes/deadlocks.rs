//! `locks.deadlocks`.

use super::super::probe::{HealthProbe, Limits, Needs, Requirements, Sample, Threshold};
use super::super::question::against;
use super::super::server::Server;
use super::super::verdict::{Finding, Reason, Verdict};
use crate::error::Result;
use async_trait::async_trait;

/// How often sessions wait for each other in a circle, between two runs.
#[derive(Debug)]
pub(super) struct Deadlocks;

const THRESHOLD: Threshold = Threshold {
    warn: 1.0,
    fail: 5.0,
};

/// Database, counter, seconds, and since when it counts: another text after a reset, a restart or a failover.
const SQL: &str = "\
select datname::text, deadlocks::text, extract(epoch from clock_timestamp())::text, \
coalesce(stats_reset::text, '') || ' ' || pg_postmaster_start_time()::text \
from pg_stat_database where datname = current_database()";

#[async_trait]
impl HealthProbe for Deadlocks {
    fn id(&self) -> &'static str {
        "locks.deadlocks"
    }

    fn about(&self) -> &'static str {
        "deadlocks per minute since an earlier report"
    }

    fn remedy(&self) -> &'static str {
        "Take locks in the same order everywhere; the server log names the statements."
    }

    fn requires(&self) -> Requirements {
        Requirements {
            version: 13,
            needs: Needs::Nothing,
        }
    }

    fn threshold(&self) -> Option<Threshold> {
        Some(THRESHOLD)
    }

    async fn sample(&self, server: &mut Server) -> Result<Sample> {
        let rows = server.ask(SQL).await?;
        Ok(Sample { rows })
    }

    fn judge(&self, now: &Sample, before: Option<&Sample>, limits: &Limits) -> Verdict {
        let Some(before) = before else {
            return Verdict::skipped("there is no earlier report to compare with");
        };
        let (Some(new), Some(old)) = (Counter::read(now), Counter::read(before)) else {
            return Verdict::unknown(Reason::Error, "the counter cannot be read");
        };
        let seconds = new.at - old.at;
        if new.since != old.since || new.name != old.name || new.count < old.count || seconds <= 0.0
        {
            let because = "the counters began again since the earlier report";
            return Verdict::unknown(Reason::StaleStatistics, because);
        }
        let rate = (new.count - old.count) * 60.0 / seconds;
        let limit = limits.of(self.id()).unwrap_or(THRESHOLD);
        let finding = against(rate, limit).map(|state| Finding {
            object: format!("database {}", new.name),
            state,
            detail: format!("{rate:.1} per minute"),
        });
        Verdict::found(finding.into_iter().collect())
    }
}

struct Counter<'s> {
    name: &'s str,
    count: f64,
    at: f64,
    since: &'s str,
}

impl<'s> Counter<'s> {
    fn read(sample: &'s Sample) -> Option<Self> {
        let row = sample.rows.first()?;
        Some(Self {
            name: Sample::field(row, 0)?,
            count: Sample::field(row, 1)?.parse().ok()?,
            at: Sample::field(row, 2)?.parse().ok()?,
            since: Sample::field(row, 3)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::health::State;

    fn sample(count: &str, at: &str, since: &str) -> Sample {
        let row = ["shop", count, at, since].map(|field| Some(field.to_owned()));
        Sample {
            rows: vec![row.to_vec()],
        }
    }

    #[test]
    fn a_counter_needs_two_samples_of_one_life() {
        let judge = |now: &Sample, before: Option<&Sample>| {
            Deadlocks.judge(now, before, &Limits::default()).state
        };
        let old = sample("3", "100", "monday");
        assert_eq!(judge(&old, None), State::Skipped);
        assert_eq!(
            judge(&sample("3", "160", "monday"), Some(&old)),
            State::Pass
        );
        assert_eq!(
            judge(&sample("8", "160", "monday"), Some(&old)),
            State::Fail
        );
        assert_eq!(
            judge(&sample("3", "160", "tuesday"), Some(&old)),
            State::Unknown
        );
        assert_eq!(
            judge(&sample("1", "160", "monday"), Some(&old)),
            State::Unknown
        );
    }
}
