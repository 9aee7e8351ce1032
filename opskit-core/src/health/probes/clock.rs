//! `server.clock`.

use super::super::probe::{HealthProbe, Limits, Needs, Requirements, Sample, Threshold};
use super::super::question::judge_numbers;
use super::super::server::Server;
use super::super::verdict::{Reason, Verdict};
use crate::error::Result;
use async_trait::async_trait;
use time::OffsetDateTime;

/// How far the server's clock is from this machine's: times of backups and of recovery mean little where it is far.
#[derive(Debug)]
pub(super) struct ClockSkew;

const THRESHOLD: Threshold = Threshold {
    warn: 2.0,
    fail: 5.0,
};

/// Since 1970.
#[expect(clippy::cast_precision_loss, reason = "microseconds are enough")]
fn seconds(at: OffsetDateTime) -> f64 {
    at.unix_timestamp_nanos() as f64 / 1e9
}

#[async_trait]
impl HealthProbe for ClockSkew {
    fn id(&self) -> &str {
        "server.clock"
    }

    fn about(&self) -> &str {
        "how far the server's clock is from this machine's, in seconds"
    }

    fn remedy(&self) -> &str {
        "Let both machines keep time by NTP."
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
        let asked = seconds(server.time());
        let rows = server
            .ask("select extract(epoch from clock_timestamp())::text")
            .await?;
        let answered = seconds(server.time());
        let theirs = rows.first().and_then(|row| Sample::field(row, 0));
        let theirs: Option<f64> = theirs.and_then(|text| text.parse().ok());
        // It looked at its clock somewhere in between: only what is outside is known to be wrong.
        let skew = theirs.map(|at| (asked - at).max(at - answered).max(0.0));
        let reading = skew.map(|seconds| seconds.to_string());
        Ok(Sample {
            rows: vec![vec![Some("server".to_owned()), reading]],
        })
    }

    fn judge(&self, now: &Sample, _before: Option<&Sample>, limits: &Limits) -> Verdict {
        judge_numbers(now, self.id(), limits, THRESHOLD, ("s", Reason::Error))
    }
}
