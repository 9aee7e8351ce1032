//! The last report of some probes, and at most one run that makes a new one.

use crate::command::health::Setup;
use opskit_core::context::OpContext;
use opskit_core::health::{HealthReport, HealthRequest, check};
use opskit_core::postgres::url::DatabaseUrl;
use opskit_core::{Error, ErrorKind, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::{Mutex, Semaphore};

/// What a run came to: a report, or why there is none.
pub(crate) type Outcome = Arc<Result<HealthReport>>;

/// All runs of the server, one at a time: it has one connection to the database at most.
#[derive(Debug)]
pub(crate) struct Runs {
    ctx: OpContext,
    url: DatabaseUrl,
    setup: Setup,
    one_at_a_time: Semaphore,
    begun: AtomicU64,
}

impl Runs {
    pub(crate) fn new(ctx: OpContext, url: DatabaseUrl, setup: Setup) -> Self {
        Self {
            ctx,
            url,
            setup,
            one_at_a_time: Semaphore::new(1),
            begun: AtomicU64::new(0),
        }
    }

    /// How many were begun.
    pub(crate) fn begun(&self) -> u64 {
        self.begun.load(Ordering::Relaxed)
    }

    async fn run(&self, request: &HealthRequest) -> Result<HealthReport> {
        let stopped = |source| {
            Error::new(ErrorKind::Internal, "the server of health has ended").with_source(source)
        };
        let _turn = self.one_at_a_time.acquire().await.map_err(stopped)?;
        self.begun.fetch_add(1, Ordering::Relaxed);
        let probes = self.setup.probes();
        Box::pin(check(&self.ctx, &self.url, &probes, request)).await
    }
}

/// The last report of the probes that a request asks.
#[derive(Debug, Clone)]
pub(crate) struct Reports(Arc<Kept>);

#[derive(Debug)]
struct Kept {
    runs: Arc<Runs>,
    request: HealthRequest,
    max_age: Duration,
    last: Arc<Mutex<Option<(Instant, Outcome)>>>,
}

impl Reports {
    pub(crate) fn new(runs: &Arc<Runs>, request: HealthRequest, max_age: Duration) -> Self {
        Self(Arc::new(Kept {
            runs: Arc::clone(runs),
            request,
            max_age,
            last: Arc::default(),
        }))
    }

    /// A report that is no older than it may be. Whoever comes while one is made waits for that one.
    pub(crate) async fn fresh(&self) -> Outcome {
        let mut last = Arc::clone(&self.0.last).lock_owned().await;
        if let Some((when, outcome)) = &*last
            && when.elapsed() < self.0.max_age
        {
            return Arc::clone(outcome);
        }
        let kept = Arc::clone(&self.0);
        // On a task of its own: a caller that hangs up ends no run that others wait for.
        let run = tokio::spawn(async move {
            let outcome = Arc::new(kept.runs.run(&kept.request).await);
            *last = Some((Instant::now(), Arc::clone(&outcome)));
            outcome
        });
        run.await.unwrap_or_else(|source| {
            let error = Error::new(ErrorKind::Internal, "a run of probes stopped");
            Arc::new(Err(error.with_source(source)))
        })
    }
}
