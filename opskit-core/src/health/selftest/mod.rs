//! The probes put to the test: each thing is broken on purpose on a scratch server, and its probe must see it.

mod backups;
mod fault;
mod faults;
mod patient;
mod slow;

use super::probe::HealthProbe;
use super::probes;
use super::verdict::State;
use crate::context::OpContext;
use crate::error::{Error, ErrorKind, Result};
use fault::{Fault, How};
use patient::{Looks, Patient};
use serde::Serialize;
use std::path::PathBuf;
use std::time::Duration;

/// What is put to the test.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct SelfTestRequest {
    /// The ids of the probes, or their first words; all when empty.
    pub only: Vec<String>,
    /// Where the server binaries are; looked for where nobody says.
    pub bin_dir: Option<PathBuf>,
}

/// How a probe stood its test.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
#[non_exhaustive]
pub enum TrialOutcome {
    /// It was green, red with the fault, and green again.
    Passed,
    /// It was not.
    Failed,
    /// This server cannot be broken in that way.
    Skipped,
}

/// One probe and its fault.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Trial {
    /// The probe.
    pub probe: String,
    /// What was broken.
    pub fault: &'static str,
    /// How it stood it.
    pub outcome: TrialOutcome,
    /// What it said of the fault.
    pub red: Option<State>,
    /// What it said in words, or why it failed.
    pub detail: String,
    /// How long it took.
    pub elapsed_ms: u64,
}

/// All of them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct SelfTestReport {
    /// `opskit.health-self-test/1`.
    pub schema: &'static str,
    /// The server that was broken, such as 150018.
    pub version_num: u32,
    /// The trials.
    pub trials: Vec<Trial>,
}

impl SelfTestReport {
    /// Whether each probe stood its test. Where none ran, nothing is known.
    #[must_use]
    pub fn is_sound(&self) -> bool {
        let stood = |trial: &Trial| trial.outcome != TrialOutcome::Failed;
        let passed = |trial: &Trial| trial.outcome == TrialOutcome::Passed;
        self.trials.iter().all(stood) && self.trials.iter().any(passed)
    }
}

/// The ids of the probes that have a fault, in the order in which they are tried. Each probe must have one.
///
/// ```
/// use opskit_core::health::{probes, self_tested};
/// let tested = self_tested();
/// assert!(probes().iter().all(|probe| tested.contains(&probe.id())));
/// ```
#[must_use]
pub fn self_tested() -> Vec<&'static str> {
    faults::all().map(|fault| fault.id).collect()
}

/// Breaks a scratch server in every way that there is a probe for. Each probe must be green before, red with the fault, and
/// green after. `tell` is called after each.
///
/// ```no_run
/// use opskit_core::context::OpContext;
/// use opskit_core::health::{SelfTestRequest, self_test};
/// # async fn example() -> opskit_core::Result<()> {
/// let request = SelfTestRequest::default();
/// let report = self_test(&OpContext::default(), &request, |trial| println!("{}", trial.probe)).await?;
/// assert!(report.is_sound());
/// # Ok(())
/// # }
/// ```
///
/// # Errors
/// `InvalidInput` for the name of a probe that does not exist; as [`ScratchServer::builder`] where no server can be
/// started; `Cancelled`.
///
/// [`ScratchServer::builder`]: crate::scratch::ScratchServer::builder
pub async fn self_test(
    ctx: &OpContext,
    request: &SelfTestRequest,
    mut tell: impl FnMut(&Trial),
) -> Result<SelfTestReport> {
    let wanted: Vec<_> = faults::all()
        .filter(|fault| super::run::is_wanted(&request.only, fault.id))
        .collect();
    if wanted.is_empty() {
        let error = Error::new(ErrorKind::InvalidInput, "there is no such probe");
        return Err(error.with_hint("`opskit health list` shows all of them."));
    }
    let patient = Patient::start(ctx, request.bin_dir.clone()).await?;
    let mut trials = Vec::new();
    for fault in wanted {
        let begun = ctx.clock().elapsed();
        let tried = async { Ok(Box::pin(tried(&patient, &fault)).await) };
        let (outcome, red, detail) = match ctx.cancel().guard(tried).await? {
            Ok((outcome, red, detail)) => (outcome, red, detail),
            Err(error) => (TrialOutcome::Failed, None, error.chain().join(": ")),
        };
        let elapsed = ctx.clock().elapsed() - begun;
        let trial = Trial {
            probe: fault.id.to_owned(),
            fault: fault.words,
            outcome,
            red,
            detail,
            elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
        };
        tell(&trial);
        trials.push(trial);
    }
    Ok(SelfTestReport {
        schema: "opskit.health-self-test/1",
        version_num: patient.version_num(),
        trials,
    })
}

type Outcome = (TrialOutcome, Option<State>, String);

/// How long a server may take to show what was done to it: statistics are written in its own time.
const PATIENCE: Duration = Duration::from_secs(40);

async fn tried(patient: &Patient, fault: &Fault) -> Result<Outcome> {
    if let How::Answer(rows) = fault.how {
        return judged(fault.id, rows);
    }
    if let How::Backups(damage) = fault.how {
        return backups::tried(fault.id, damage);
    }
    let mut looks = Looks::default();
    patient.prepare(fault, &mut looks).await?;
    let green = patient.becomes(fault, &looks, &GREEN, "before").await?;
    drop(green);
    let broken = patient.break_it(fault, &mut looks).await?;
    let red = patient.becomes(fault, &looks, &RED, "with").await;
    let mended = patient.mend(fault, &mut looks, broken).await;
    let red = red?;
    mended?;
    patient.becomes(fault, &looks, &GREEN, "after").await?;
    let said = red.findings.first();
    let said = said.map_or_else(String::new, |it| format!("{}: {}", it.object, it.detail));
    Ok((TrialOutcome::Passed, Some(red.state), said))
}

const RED: [State; 2] = [State::Warn, State::Fail];
const GREEN: [State; 2] = [State::Pass, State::Skipped];

/// What no scratch server can be made to say is judged as if one had.
fn judged(id: &str, rows: &[&[&str]]) -> Result<Outcome> {
    if rows.is_empty() {
        let why = "it is for information".to_owned();
        return Ok((TrialOutcome::Skipped, None, why));
    }
    let field = |text: &&str| Some((*text).to_owned());
    let rows = rows.iter().map(|row| row.iter().map(field).collect());
    let sample = super::Sample {
        rows: rows.collect(),
    };
    let probes = probes();
    let probe = the_probe(&probes, id)?;
    let judge = |sample| probe.judge(sample, None, &super::Limits::default());
    let (red, green) = (judge(&sample), judge(&super::Sample::default()));
    let outcome = match RED.contains(&red.state) && GREEN.contains(&green.state) {
        true => TrialOutcome::Passed,
        false => TrialOutcome::Failed,
    };
    Ok((
        outcome,
        Some(red.state),
        "by an answer as such a server gives it".to_owned(),
    ))
}

/// The probe of this id.
fn the_probe<'p>(probes: &'p [Box<dyn HealthProbe>], id: &str) -> Result<&'p dyn HealthProbe> {
    let found = probes.iter().find(|probe| probe.id() == id);
    let found = found.map(AsRef::as_ref);
    found.ok_or_else(|| Error::new(ErrorKind::Internal, format!("there is no probe \"{id}\"")))
}

/// Every probe that there is, of servers and of backups.
#[cfg(test)]
fn ids() -> Vec<String> {
    use super::{BackupPlace, backup_probes};
    let nowhere = BackupPlace::new(|| Err(Error::new(ErrorKind::NotFound, "nowhere")));
    let all = probes().into_iter().chain(backup_probes(&nowhere));
    all.map(|probe| probe.id().to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_probe_has_its_fault() {
        let mut tested = self_tested();
        let mut all = ids();
        tested.sort_unstable();
        all.sort_unstable();
        assert_eq!(tested, all);
    }
}
