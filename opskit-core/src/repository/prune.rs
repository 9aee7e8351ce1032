//! What runs that were killed left, and its removal. What a running writer writes is never touched.

use super::history::{EVENT_VERSION, PruneRecord, RecordKind};
use super::store::Standing;
use super::{BackupId, Repository};
use crate::context::OpContext;
use crate::error::Result;
use serde::Serialize;

/// What was left of a backup that never came to be, or was being removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Leftover {
    /// The backup.
    pub id: BackupId,
    /// Objects that are there.
    pub objects: u64,
    /// Bytes that they have.
    pub size_bytes: u64,
}

/// What can be swept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PrunePlan {
    /// The version of this document: `opskit.prune-plan/1`.
    pub schema: &'static str,
    /// What was left, the oldest first.
    pub leftovers: Vec<Leftover>,
    /// Backups that are being written or removed just now.
    pub busy: Vec<BackupId>,
    /// Bytes that are free afterwards.
    pub freed_bytes: u64,
    /// What the user should know.
    pub warnings: Vec<String>,
}

/// What was swept.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct PruneReport {
    /// The version of this document: `opskit.prune/1`.
    pub schema: &'static str,
    /// What is gone.
    pub removed: Vec<Leftover>,
    /// Bytes that it had.
    pub freed_bytes: u64,
    /// What the user should know.
    pub warnings: Vec<String>,
}

impl Repository {
    /// Looks for what runs that were killed left, and changes nothing.
    ///
    /// ```
    /// use opskit_core::repository::Repository;
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// assert!(repository.plan_prune()?.leftovers.is_empty());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind `Storage` when the repository cannot be read.
    pub fn plan_prune(&self) -> Result<PrunePlan> {
        let mut plan = PrunePlan {
            schema: "opskit.prune-plan/1",
            leftovers: Vec::new(),
            busy: Vec::new(),
            freed_bytes: 0,
            warnings: Vec::new(),
        };
        for id in self.runs()? {
            match self.store.standing(&id)? {
                Standing::Complete => {}
                Standing::Busy => plan.busy.push(id),
                Standing::Left { objects, bytes } => {
                    plan.freed_bytes = plan.freed_bytes.saturating_add(bytes);
                    plan.leftovers.push(Leftover {
                        id,
                        objects,
                        size_bytes: bytes,
                    });
                }
                Standing::Unowned => plan.warnings.push(format!(
                    "{id} has objects and no manifest, and no writer left them so: whoever took the manifest away has to say"
                )),
            }
        }
        Ok(plan)
    }

    /// Removes what a plan found, unless somebody works on it by now. Each has its record.
    ///
    /// ```
    /// use opskit_core::{context::OpContext, repository::Repository};
    /// # let place = tempfile::tempdir().unwrap();
    /// let repository = Repository::create(place.path().join("backups"))?;
    /// let report = repository.prune(&OpContext::default(), &repository.plan_prune()?)?;
    /// assert!(report.removed.is_empty());
    /// # Ok::<(), opskit_core::Error>(())
    /// ```
    ///
    /// # Errors
    /// Of kind `Storage` when the repository cannot be written; `Cancelled`.
    pub fn prune(&self, ctx: &OpContext, plan: &PrunePlan) -> Result<PruneReport> {
        let mut report = PruneReport {
            schema: "opskit.prune/1",
            removed: Vec::new(),
            freed_bytes: 0,
            warnings: plan.warnings.clone(),
        };
        for left in &plan.leftovers {
            ctx.cancel().check()?;
            if !self.store.sweep(&left.id)? {
                continue;
            }
            let record = PruneRecord {
                version: EVENT_VERSION,
                id: left.id.clone(),
                objects: left.objects,
                size_bytes: left.size_bytes,
                opskit_version: env!("CARGO_PKG_VERSION").to_owned(),
            };
            self.append(RecordKind::Prune, &left.id, &record, ctx.clock().now())?;
            report.freed_bytes = report.freed_bytes.saturating_add(left.size_bytes);
            report.removed.push(left.clone());
        }
        Ok(report)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::RepositorySink;
    use crate::repository::layout::{LOCK, MANIFEST};
    use crate::sink::{BackupSink as _, FileFormat};
    use rustix::fs::{FlockOperation, flock};
    use std::fs::File;
    use std::path::PathBuf;
    use std::time::{Duration, SystemTime};

    fn folder(repository: &Repository, id: &BackupId) -> PathBuf {
        PathBuf::from(repository.location(id))
    }

    fn id(n: u32) -> BackupId {
        format!("20261121T013000Z-{n:08x}").parse().unwrap()
    }

    /// As kill -9 leaves a writer: its objects and its lock file, an hour ago.
    fn killed(repository: &Repository, id: &BackupId) {
        let folder = folder(repository, id);
        std::fs::create_dir_all(folder.join("data/public.t")).unwrap();
        std::fs::write(folder.join("data/public.t/part-00000.parquet"), "1234").unwrap();
        let lock = File::create(folder.join(LOCK)).unwrap();
        lock.set_modified(SystemTime::now() - Duration::from_secs(3600))
            .unwrap();
    }

    #[tokio::test]
    async fn what_is_dead_goes_and_nothing_else() {
        let place = tempfile::tempdir().unwrap();
        let repository = Repository::create(place.path().join("r")).unwrap();
        let format = FileFormat::PgCopy(1);
        let alive = RepositorySink::begin(&repository, &id(1), format).unwrap();
        killed(&repository, &id(2));
        let complete = RepositorySink::begin(&repository, &id(3), format).unwrap();
        complete.commit(b"{}").await.unwrap();
        // Somebody took the manifest of a backup away.
        let robbed = RepositorySink::begin(&repository, &id(4), format).unwrap();
        robbed.put_object("schema/model", b"{}").await.unwrap();
        robbed.commit(b"{}").await.unwrap();
        std::fs::remove_file(folder(&repository, &id(4)).join(MANIFEST)).unwrap();
        let plan = repository.plan_prune().unwrap();
        let left = Leftover {
            id: id(2),
            objects: 1,
            size_bytes: 4,
        };
        assert_eq!(plan.leftovers, std::slice::from_ref(&left));
        assert_eq!(
            (plan.busy.as_slice(), plan.warnings.len()),
            (&[id(1)][..], 1)
        );
        let report = repository.prune(&OpContext::default(), &plan).unwrap();
        assert_eq!(
            (report.removed.as_slice(), report.freed_bytes),
            (&[left][..], 4)
        );
        assert_eq!(repository.runs().unwrap(), [id(1), id(3), id(4)]);
        assert!(folder(&repository, &id(4)).join("schema/model").exists());
        let history = repository.read_history().unwrap();
        assert_eq!(history.entries[0].event.kind(), RecordKind::Prune);
        drop(alive);
    }

    /// Between the plan and its application, somebody else may have gone on with it.
    #[test]
    fn what_somebody_works_on_by_now_is_left_alone() {
        let place = tempfile::tempdir().unwrap();
        let repository = Repository::create(place.path().join("r")).unwrap();
        killed(&repository, &id(2));
        let plan = repository.plan_prune().unwrap();
        let lock = File::open(folder(&repository, &id(2)).join(LOCK)).unwrap();
        flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
        let report = repository.prune(&OpContext::default(), &plan).unwrap();
        assert_eq!(report.removed, []);
        assert_eq!(repository.plan_prune().unwrap().busy, [id(2)]);
    }
}
