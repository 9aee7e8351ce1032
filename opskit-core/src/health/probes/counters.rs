//! `locks.deadlocks`, `transactions.rollbacks` and `cache.hits`: what happened between two runs.

use super::super::probe::{HealthProbe, Limits, Needs, Requirements, Sample, Threshold};
use super::super::question::against;
use super::super::server::Server;
use super::super::verdict::{Finding, Reason, State, Verdict};
use crate::error::Result;
use async_trait::async_trait;

/// How the growth of a counter is read.
#[derive(Debug, Clone, Copy)]
enum Per {
    /// Times per minute.
    Minute,
    /// In percent of the growth of the whole, where that grew by this much at least.
    Hundred(f64),
}

/// A counter of this database. Its life ends with a reset, a restart or a failover, and between two lives nothing is
/// known.
#[derive(Debug)]
pub(super) struct Counter {
    id: &'static str,
    about: &'static str,
    remedy: &'static str,
    /// None where it is for information only.
    threshold: Option<Threshold>,
    per: Per,
    unit: &'static str,
    /// Columns of `pg_stat_database`: the counter, and the whole that it is a share of.
    columns: (&'static str, &'static str),
}

pub(super) const DEADLOCKS: Counter = Counter {
    id: "locks.deadlocks",
    about: "deadlocks per minute since an earlier report",
    remedy: "Take locks in the same order everywhere; the server log names the statements.",
    threshold: Some(Threshold {
        warn: 1.0,
        fail: 5.0,
    }),
    per: Per::Minute,
    unit: "per minute",
    columns: ("deadlocks", "0"),
};

pub(super) const ROLLBACKS: Counter = Counter {
    id: "transactions.rollbacks",
    about: "transactions that were rolled back since an earlier report, in percent",
    remedy: "The server log names the errors; a release that fails everywhere shows here first.",
    threshold: Some(Threshold {
        warn: 10.0,
        fail: 50.0,
    }),
    per: Per::Hundred(100.0),
    unit: "% of transactions",
    columns: ("xact_rollback", "xact_commit + xact_rollback"),
};

pub(super) const CACHE: Counter = Counter {
    id: "cache.hits",
    about: "reads that the server's own memory answered since an earlier report, in percent; for information",
    remedy: "Nothing: a low share is no problem by itself.",
    threshold: None,
    per: Per::Hundred(1000.0),
    unit: "% of reads",
    columns: ("blks_hit", "blks_hit + blks_read"),
};

#[async_trait]
impl HealthProbe for Counter {
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
            version: 13,
            needs: Needs::Nothing,
        }
    }

    fn threshold(&self) -> Option<Threshold> {
        self.threshold
    }

    async fn sample(&self, server: &mut Server) -> Result<Sample> {
        let (counter, whole) = self.columns;
        let sql = format!(
            "select datname::text, ({counter})::text, ({whole})::text, extract(epoch from clock_timestamp())::text, \
             coalesce(stats_reset::text, '') || ' ' || pg_postmaster_start_time()::text \
             from pg_stat_database where datname = current_database()"
        );
        let rows = server.ask(&sql).await?;
        Ok(Sample { rows })
    }

    fn judge(&self, now: &Sample, before: Option<&Sample>, limits: &Limits) -> Verdict {
        let Some(before) = before else {
            return Verdict::skipped("there is no earlier report to compare with");
        };
        let (Some(new), Some(old)) = (Reading::of(now), Reading::of(before)) else {
            return Verdict::unknown(Reason::Error, "the counter cannot be read");
        };
        let seconds = new.at - old.at;
        let is_one_life = new.since == old.since && new.name == old.name;
        if !is_one_life || new.count < old.count || seconds <= 0.0 {
            let because = "the counters began again since the earlier report";
            return Verdict::unknown(Reason::StaleStatistics, because);
        }
        let (grown, whole) = (new.count - old.count, new.whole - old.whole);
        let value = match self.per {
            Per::Minute => grown * 60.0 / seconds,
            Per::Hundred(least) if whole < least => {
                return Verdict::skipped("there was too little to tell a share");
            }
            Per::Hundred(_) => 100.0 * grown / whole,
        };
        let limit = limits
            .of(self.id)
            .or(self.threshold)
            .and_then(|limit| against(value, limit));
        let state = limit.unwrap_or(State::Pass);
        Verdict::found(vec![Finding {
            object: format!("database {}", new.name),
            state,
            detail: format!("{value:.1} {}", self.unit),
        }])
    }
}

struct Reading<'s> {
    name: &'s str,
    count: f64,
    whole: f64,
    at: f64,
    since: &'s str,
}

impl<'s> Reading<'s> {
    fn of(sample: &'s Sample) -> Option<Self> {
        let row = sample.rows.first()?;
        let number = |at| Sample::field(row, at)?.parse().ok();
        Some(Self {
            name: Sample::field(row, 0)?,
            count: number(1)?,
            whole: number(2)?,
            at: number(3)?,
            since: Sample::field(row, 4)?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(count: &str, whole: &str, at: &str, since: &str) -> Sample {
        let row = ["shop", count, whole, at, since].map(|field| Some(field.to_owned()));
        Sample {
            rows: vec![row.to_vec()],
        }
    }

    #[test]
    fn a_counter_needs_two_samples_of_one_life() {
        let judge = |now: &Sample, before: Option<&Sample>| {
            DEADLOCKS.judge(now, before, &Limits::default()).state
        };
        let old = sample("3", "0", "100", "monday");
        let at = |count, since| sample(count, "0", "160", since);
        assert_eq!(judge(&old, None), State::Skipped);
        assert_eq!(judge(&at("3", "monday"), Some(&old)), State::Pass);
        assert_eq!(judge(&at("8", "monday"), Some(&old)), State::Fail);
        assert_eq!(judge(&at("3", "tuesday"), Some(&old)), State::Unknown);
        assert_eq!(judge(&at("1", "monday"), Some(&old)), State::Unknown);
    }

    #[test]
    fn a_share_needs_a_whole() {
        let judge = |counter: &Counter, now: &Sample| {
            let old = sample("0", "0", "100", "monday");
            counter.judge(now, Some(&old), &Limits::default()).state
        };
        let at = |count, whole| sample(count, whole, "160", "monday");
        assert_eq!(judge(&ROLLBACKS, &at("40", "50")), State::Skipped);
        assert_eq!(judge(&ROLLBACKS, &at("60", "120")), State::Fail);
        assert_eq!(judge(&ROLLBACKS, &at("20", "120")), State::Warn);
        assert_eq!(judge(&ROLLBACKS, &at("2", "120")), State::Pass);
        assert_eq!(judge(&CACHE, &at("1", "100000")), State::Pass);
    }
}
