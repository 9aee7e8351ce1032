//! Keeping a repository: what is in a backup, what happened, pins, copies, retention.

use crate::error::{apart, json, or_raise};
use crate::operation::Operation;
use crate::options::{Seconds, parse};
use crate::repository::Store;
use opskit_core::config::Retention;
use opskit_core::repository::retention::{Policy, RetentionRequest};
use opskit_core::repository::{
    Among, BackupId, Contents, HistoryEntry, Manifest, PinRequest, RepositoryUrl, StoreEnv,
};
use opskit_core::{Error, ErrorKind, Result};
use pyo3::prelude::*;
use serde::{Deserialize, Serialize};

#[derive(Debug, Serialize)]
struct Shown<'a> {
    manifest: &'a Manifest,
    contents: &'a Contents,
    signers: Vec<String>,
}

/// What a backup holds, and where it is from.
#[pyfunction]
pub(crate) fn show(py: Python<'_>, store: &Store, name: String) -> PyResult<Operation> {
    let repository = store.0.clone();
    Operation::start(py, move |_| {
        apart(move || {
            let reader = repository.read(&repository.find(&name)?)?;
            let contents = reader.contents()?;
            json(&Shown {
                manifest: reader.manifest(),
                contents: &contents,
                signers: reader.signers()?.iter().map(ToString::to_string).collect(),
            })
        })
    })
}

#[derive(Debug, Serialize)]
struct Told {
    records: Vec<HistoryEntry>,
    /// Records that cannot be read, and why.
    unreadable: Vec<String>,
}

/// The records of all that was done.
#[pyfunction]
pub(crate) fn history(py: Python<'_>, store: &Store) -> PyResult<Operation> {
    let repository = store.0.clone();
    Operation::start(py, move |_| {
        apart(move || {
            let history = repository.read_history()?;
            let unreadable = history.unreadable.iter();
            json(&Told {
                unreadable: unreadable
                    .map(|fault| format!("{}: {}", fault.object, fault.problem))
                    .collect(),
                records: history.entries,
            })
        })
    })
}

/// Looks whether the chain of records is whole, and has these ends that somebody knows.
#[pyfunction]
pub(crate) fn history_verify(
    py: Python<'_>,
    store: &Store,
    known: Vec<String>,
) -> PyResult<Operation> {
    let repository = store.0.clone();
    Operation::start(py, move |_| {
        apart(move || json(&repository.verify_history(&known)?))
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PinOptions {
    by: String,
    reason: Option<String>,
    keep: Option<Seconds>,
}

/// Keeps a backup from being removed.
#[pyfunction]
pub(crate) fn pin(
    py: Python<'_>,
    store: &Store,
    name: String,
    options: &str,
) -> PyResult<Operation> {
    let options: PinOptions = or_raise(py, parse(options))?;
    let repository = store.0.clone();
    Operation::start(py, move |ctx| {
        apart(move || {
            let now = ctx.clock().now();
            let mut request = PinRequest::by(options.by);
            request.reason = options.reason;
            let too_late = || Error::new(ErrorKind::InvalidInput, "a pin cannot last that long");
            let until = |Seconds(keep)| {
                let keep = keep.try_into().map_err(|_| too_late())?;
                now.checked_add(keep).ok_or_else(too_late)
            };
            request.until = options.keep.map(until).transpose()?;
            json(&repository.pin(&repository.find(&name)?, &request, now)?)
        })
    })
}

/// Takes a pin away. The backup may be gone that it was of.
#[pyfunction]
pub(crate) fn unpin(
    py: Python<'_>,
    store: &Store,
    name: String,
    by: String,
) -> PyResult<Operation> {
    let repository = store.0.clone();
    Operation::start(py, move |ctx| {
        apart(move || {
            let id: BackupId = match name.parse() {
                Ok(id) => id,
                Err(_) => repository.find(&name)?,
            };
            repository.unpin(&id, &by, ctx.clock().now())
        })
    })
}

/// Copies a backup to a second place, and reads it again there.
#[pyfunction]
pub(crate) fn copy(py: Python<'_>, store: &Store, name: String, to: String) -> PyResult<Operation> {
    let repository = store.0.clone();
    Operation::start(py, move |ctx| {
        apart(move || {
            let id = repository.find(&name)?;
            let place = RepositoryUrl::parse(&to, &StoreEnv::from_process())?;
            json(&repository.copy(&ctx, &id, &repository.copies_at(&place)?)?)
        })
    })
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ForgetOptions {
    #[serde(default)]
    backups: Vec<BackupId>,
    keep_last: Option<u32>,
    keep_within: Option<Seconds>,
    keep_hourly: Option<u32>,
    keep_daily: Option<u32>,
    keep_weekly: Option<u32>,
    keep_monthly: Option<u32>,
    keep_quarterly: Option<u32>,
    keep_yearly: Option<u32>,
    keep_verified: Option<u32>,
    #[serde(default)]
    group_by: Vec<String>,
    #[serde(default)]
    even_after_failure: bool,
}

impl ForgetOptions {
    fn request(self) -> Result<RetentionRequest> {
        let mut rules = Retention::default();
        rules.keep_last = self.keep_last;
        rules.keep_within = self.keep_within.map(|Seconds(within)| within);
        rules.keep_hourly = self.keep_hourly;
        rules.keep_daily = self.keep_daily;
        rules.keep_weekly = self.keep_weekly;
        rules.keep_monthly = self.keep_monthly;
        rules.keep_quarterly = self.keep_quarterly;
        rules.keep_yearly = self.keep_yearly;
        rules.keep_verified = self.keep_verified;
        rules.group_by = self.group_by;
        let policy = match rules.says_something() {
            true => Policy::for_all(rules),
            false if self.backups.is_empty() => {
                return Err(Error::new(
                    ErrorKind::InvalidInput,
                    "no rule says which backups to keep",
                )
                .with_hint("Give one, such as keep_daily=7 or keep_within=timedelta(days=30)."));
            }
            false => Policy::default(),
        };
        let request = RetentionRequest::by(policy).naming(self.backups);
        Ok(match self.even_after_failure {
            true => request.even_after_failure(),
            false => request,
        })
    }
}

/// Says which backups rules keep, and which would go.
#[pyfunction]
pub(crate) fn forget_plan(py: Python<'_>, store: &Store, options: &str) -> PyResult<Operation> {
    let request = or_raise(py, parse(options).and_then(ForgetOptions::request))?;
    let repository = store.0.clone();
    Operation::start(py, move |ctx| {
        apart(move || json(&repository.plan_retention(&ctx, &Among::all(), &request)?))
    })
}

/// Removes the backups that rules do not keep; those of a plan that was looked at, or none.
#[pyfunction]
#[pyo3(signature = (store, options, shown=None))]
pub(crate) fn forget(
    py: Python<'_>,
    store: &Store,
    options: &str,
    shown: Option<Vec<String>>,
) -> PyResult<Operation> {
    let request = or_raise(py, parse(options).and_then(ForgetOptions::request))?;
    let repository = store.0.clone();
    Operation::start(py, move |ctx| {
        apart(move || {
            let plan = repository.plan_retention(&ctx, &Among::all(), &request)?;
            let now: Vec<String> = plan.removals.iter().map(ToString::to_string).collect();
            if shown.is_some_and(|shown| shown != now) {
                return Err(Error::new(
                    ErrorKind::Busy,
                    "other backups would go by now than the plan says",
                )
                .with_hint("Make the plan again, and look at it."));
            }
            json(&repository.apply_retention(&ctx, &plan)?)
        })
    })
}

/// Says what killed runs left.
#[pyfunction]
pub(crate) fn prune_plan(py: Python<'_>, store: &Store) -> PyResult<Operation> {
    let repository = store.0.clone();
    Operation::start(py, move |_| apart(move || json(&repository.plan_prune()?)))
}

/// Removes what killed runs left.
#[pyfunction]
pub(crate) fn prune(py: Python<'_>, store: &Store) -> PyResult<Operation> {
    let repository = store.0.clone();
    Operation::start(py, move |ctx| {
        apart(move || json(&repository.prune(&ctx, &repository.plan_prune()?)?))
    })
}
