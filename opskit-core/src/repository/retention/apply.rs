//! Doing what a plan says.

use super::{Decision, RetentionPlan};
use crate::context::OpContext;
use crate::error::{ErrorKind, Result};
use crate::repository::history::{EVENT_VERSION, ForgetRecord, RecordKind};
use crate::repository::{BackupId, Repository};
use serde::Serialize;

/// A backup that was to go and is still there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Skipped {
    /// The backup.
    pub id: BackupId,
    /// Why.
    pub reason: String,
}

/// What was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct ForgetReport {
    /// The version of this document: `opskit.forget/1`.
    pub schema: &'static str,
    /// The backups that are gone.
    pub removed: Vec<BackupId>,
    /// Bytes that they had.
    pub freed_bytes: u64,
    /// Those that are no longer what the plan was made of.
    pub skipped: Vec<Skipped>,
}

impl Repository {
    /// Removes the backups that a plan says. Each has its record first; then nobody sees it any more; then its
    /// objects go. One that was pinned, replaced or removed since the plan was made is left alone.
    ///
    /// ```
    /// use opskit_core::context::OpContext;
    /// use opskit_core::config::Retention;
    /// use opskit_core::repository::{Among, Repository};
    /// use opskit_core::repository::retention::{Policy, RetentionRequest};
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// let mut rules = Retention::default();
    /// rules.keep_last = Some(3);
    /// let ctx = OpContext::default();
    /// let request = RetentionRequest::by(Policy::for_all(rules));
    /// let plan = repository.plan_retention(&ctx, &Among::all(), &request)?;
    /// let report = repository.apply_retention(&ctx, &plan)?;
    /// assert!(report.removed.is_empty());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind `Storage` when the repository cannot be written, `Busy` when something else removes a backup,
    /// `Cancelled` between two of them. What was removed until then is gone, and has its records.
    pub fn apply_retention(&self, ctx: &OpContext, plan: &RetentionPlan) -> Result<ForgetReport> {
        let mut report = ForgetReport {
            schema: "opskit.forget/1",
            removed: Vec::new(),
            freed_bytes: 0,
            skipped: Vec::new(),
        };
        for decision in plan.removals.iter().filter_map(|id| plan.of(id)) {
            ctx.cancel().check()?;
            if let Some(reason) = self.changed_since(ctx, decision) {
                report.skipped.push(Skipped {
                    id: decision.id.clone(),
                    reason,
                });
                continue;
            }
            self.append(
                RecordKind::Forget,
                &decision.id,
                &record(decision),
                ctx.clock().now(),
            )?;
            self.store.hide(&decision.id)?.clear()?;
            report.removed.push(decision.id.clone());
            report.freed_bytes = report.freed_bytes.saturating_add(decision.size_bytes);
        }
        Ok(report)
    }

    /// Why a backup is no longer what was decided about.
    fn changed_since(&self, ctx: &OpContext, decision: &Decision) -> Option<String> {
        match self.pin_of(&decision.id) {
            Ok(Some(pin)) if pin.holds(ctx.clock().now()) => {
                return Some("it was pinned meanwhile".to_owned());
            }
            Err(_) => return Some("it has a pin that cannot be read".to_owned()),
            _ => {}
        }
        match self.read(&decision.id) {
            Err(error) if error.kind() == ErrorKind::NotFound => {
                Some("it is gone already".to_owned())
            }
            // One that cannot be read was named, or it would not be here.
            Err(_) => decision
                .manifest_sha256
                .is_some()
                .then(|| "it cannot be read any more".to_owned()),
            Ok(backup) if decision.manifest_sha256.as_deref() == Some(backup.manifest_sha256()) => {
                None
            }
            Ok(_) => Some("it is another one than it was".to_owned()),
        }
    }
}

fn record(decision: &Decision) -> ForgetRecord {
    ForgetRecord {
        version: EVENT_VERSION,
        id: decision.id.clone(),
        database: decision
            .group
            .as_ref()
            .map(|group| group.of.database.clone()),
        snapshot_at: decision.snapshot_at.clone(),
        size_bytes: decision.size_bytes,
        manifest_sha256: decision.manifest_sha256.clone(),
        reasons: decision.reasons.iter().map(ToString::to_string).collect(),
        opskit_version: env!("CARGO_PKG_VERSION").to_owned(),
    }
}
