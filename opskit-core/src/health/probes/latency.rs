//! `connections.latency`.

use super::super::probe::{HealthProbe, Limits, Needs, Requirements, Sample, Threshold};
use super::super::question::judge_numbers;
use super::super::server::Server;
use super::super::verdict::{Reason, Verdict};
use crate::error::Result;
use async_trait::async_trait;
use std::time::Instant;

/// How long the shortest question takes.
#[derive(Debug)]
pub(super) struct Latency;

const THRESHOLD: Threshold = Threshold {
    warn: 500.0,
    fail: 2000.0,
};

#[async_trait]
impl HealthProbe for Latency {
    fn id(&self) -> &str {
        "connections.latency"
    }

    fn about(&self) -> &str {
        "how long the server takes for the shortest question, in milliseconds"
    }

    fn remedy(&self) -> &str {
        "Look at the load of the server and at the network."
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
        let asked = Instant::now();
        server.ask("select 1").await?;
        let millis = asked.elapsed().as_secs_f64() * 1000.0;
        Ok(Sample {
            rows: vec![vec![Some("server".to_owned()), Some(millis.to_string())]],
        })
    }

    fn judge(&self, now: &Sample, _before: Option<&Sample>, limits: &Limits) -> Verdict {
        judge_numbers(now, self.id(), limits, THRESHOLD, ("ms", Reason::Error))
    }
}
