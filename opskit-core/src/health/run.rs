//! One run: every probe on one connection, each within its time.

use super::probe::{HealthProbe, Limits, Sample};
use super::report::{FORMAT, HealthReport, ProbeResult};
use super::server::{Server, ServerIdentity};
use super::verdict::{Reason, Verdict};
use crate::config::Acceptance;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::url::DatabaseUrl;
use crate::repository::rfc3339;
use std::time::Duration;

/// How much longer than its time a probe may take, to end by itself.
const PATIENCE: Duration = Duration::from_secs(2);

/// What a run is asked for.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct HealthRequest {
    /// The ids of the probes, or their first words (`locks`); all when empty.
    pub only: Vec<String>,
    /// Thresholds that differ from the defaults.
    pub limits: Limits,
    /// Findings that somebody decided to live with.
    pub accept: Vec<Acceptance>,
    /// An earlier report of the same server, which counters are compared with.
    pub before: Option<HealthReport>,
    /// How long the run may take: 30 s at first.
    pub deadline: Duration,
    /// How long one probe may take: 5 s at first.
    pub probe_deadline: Duration,
}

impl Default for HealthRequest {
    fn default() -> Self {
        Self {
            only: Vec::new(),
            limits: Limits::default(),
            accept: Vec::new(),
            before: None,
            deadline: Duration::from_secs(30),
            probe_deadline: Duration::from_secs(5),
        }
    }
}

impl HealthRequest {
    /// Whether each name is that of a probe, or of a group of them. A limit or an acceptance of a probe that is not there
    /// would be no limit at all, and nobody would know.
    ///
    /// # Errors
    /// `InvalidInput` for the first that is not.
    pub fn check_names(&self, probes: &[Box<dyn HealthProbe>]) -> Result<()> {
        let is_there = |wanted: &str| probes.iter().any(|probe| matches(wanted, probe.id()));
        let is_probe = |wanted: &str| probes.iter().any(|probe| probe.id() == wanted);
        let only = self.only.iter().map(String::as_str);
        let accept = self.accept.iter().map(|accepted| &*accepted.probe);
        let mut unknown = only.filter(|name| !is_there(name)).chain(
            accept
                .chain(self.limits.ids())
                .filter(|name| !is_probe(name)),
        );
        match unknown.next() {
            None => Ok(()),
            Some(name) => {
                let message = format!("there is no probe \"{name}\"");
                let error = Error::new(ErrorKind::InvalidInput, message);
                Err(error.with_hint("`opskit health list` shows all of them."))
            }
        }
    }

    fn wants(&self, id: &str) -> bool {
        is_wanted(&self.only, id)
    }
}

/// Whether a probe is among those that are named; all are where none is.
pub(super) fn is_wanted(only: &[String], id: &str) -> bool {
    only.is_empty() || only.iter().any(|wanted| matches(wanted, id))
}

fn matches(wanted: &str, id: &str) -> bool {
    id.strip_prefix(wanted)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// Asks a server how it is, on one connection. A probe that fails is part of the report, not an `Err`.
///
/// Cancelled, it returns an error of kind `Cancelled`, and the server stops what it does for it.
///
/// ```no_run
/// use opskit_core::context::OpContext;
/// use opskit_core::health::{HealthRequest, check, probes};
/// use opskit_core::postgres::url::{ConnectEnv, DatabaseUrl};
///
/// # async fn example() -> opskit_core::Result<()> {
/// let url = DatabaseUrl::parse("postgres://app@localhost/shop", &ConnectEnv::from_process())?;
/// let report = check(&OpContext::default(), &url, &probes(), &HealthRequest::default()).await?;
/// assert!(!report.blocks(), "{report:?}");
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `InvalidInput` for the name of a probe that does not exist; else where the server cannot be reached or does not say
/// who it is.
pub async fn check(
    ctx: &OpContext,
    url: &DatabaseUrl,
    probes: &[Box<dyn HealthProbe>],
    request: &HealthRequest,
) -> Result<HealthReport> {
    request.check_names(probes)?;
    let started_at = rfc3339(ctx.clock().now())?;
    let begun = ctx.clock().elapsed();
    let left = || {
        request
            .deadline
            .saturating_sub(ctx.clock().elapsed() - begun)
    };
    let connected = tokio::time::timeout(request.deadline, async {
        let mut server = Server::connect(url, ctx).await?;
        let identity = server.identity().await?;
        if let Some(before) = &request.before {
            same_database(&before.server, &identity)?;
        }
        Ok::<_, Error>((server, identity))
    });
    let (mut server, identity) = ctx.cancel().guard(flat(connected)).await?;
    let mut results = Vec::new();
    for probe in probes.iter().filter(|probe| request.wants(probe.id())) {
        let started = ctx.clock().elapsed();
        let asked = one(&mut server, &identity, probe.as_ref(), request, left());
        let (verdict, sample) = ctx.cancel().guard(async { Ok(asked.await) }).await?;
        let verdict = verdict.accepting(probe.id(), &request.accept, ctx.clock().now().date());
        results.push(ProbeResult {
            id: probe.id().to_owned(),
            remedy: probe.remedy().to_owned(),
            verdict,
            sample,
            elapsed_ms: millis(ctx.clock().elapsed() - started),
        });
    }
    // The answers are there; a server that does not take leave changes nothing.
    let _ = tokio::time::timeout(Duration::from_secs(1), server.close()).await;
    Ok(HealthReport {
        format: FORMAT,
        server: identity,
        started_at,
        elapsed_ms: millis(ctx.clock().elapsed() - begun),
        results,
    })
}

async fn flat<T>(
    work: impl Future<Output = Result<Result<T>, tokio::time::error::Elapsed>>,
) -> Result<T> {
    let late = |_| {
        Error::new(
            ErrorKind::Timeout,
            "the server did not say who it is in time",
        )
    };
    work.await.map_err(late)?
}

/// Counters of another database would be compared with this one's.
fn same_database(before: &ServerIdentity, now: &ServerIdentity) -> Result<()> {
    let differs = |a: &Option<String>, b: &Option<String>| a.is_some() && b.is_some() && a != b;
    if before.database == now.database
        && !differs(&before.system_identifier, &now.system_identifier)
    {
        return Ok(());
    }
    let message = "the earlier report is of another database";
    Err(Error::new(ErrorKind::InvalidInput, message)
        .with_hint("Compare with a report of this one, or with none."))
}

fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

async fn one(
    server: &mut Server,
    identity: &ServerIdentity,
    probe: &dyn HealthProbe,
    request: &HealthRequest,
    left: Duration,
) -> (Verdict, Option<Sample>) {
    if let Some(blind) = probe.requires().unmet(identity) {
        return (blind, None);
    }
    if left.is_zero() {
        let because = "the run's time was over before it was asked";
        return (Verdict::unknown(Reason::TimeOut, because), None);
    }
    let time = left.min(request.probe_deadline);
    server.set_statement_timeout(time);
    let before = request.before.as_ref().and_then(|report| {
        let earlier = report
            .results
            .iter()
            .find(|result| result.id == probe.id())?;
        earlier.sample.as_ref()
    });
    // Not every probe asks the server, which would end it in time.
    let asked = tokio::time::timeout(time + PATIENCE, probe.sample(server));
    let late = |_| Error::new(ErrorKind::Timeout, "it did not end in time");
    match asked.await.map_err(late).flatten() {
        Ok(sample) => (probe.judge(&sample, before, &request.limits), Some(sample)),
        Err(error) => (blind_by(&error), None),
    }
}

/// A probe that could not ask could not see.
fn blind_by(error: &Error) -> Verdict {
    // Cancelled by its own time-out, as the server says it.
    let is_late = error.sqlstate() == Some("57014");
    let reason = match error.kind() {
        ErrorKind::PermissionDenied => Reason::Privilege,
        ErrorKind::Timeout | ErrorKind::Busy => Reason::TimeOut,
        _ if is_late => Reason::TimeOut,
        _ => Reason::Error,
    };
    Verdict::unknown(reason, error.chain().join(": "))
}
