//! The planner: what each backup says for itself, what is needed, and the order in which backups go.

use super::planner::{Member, Planner};
use super::{
    Action, AfterFailure, Candidate, Decision, Group, Known, LastRun, Reason, RetentionPlan, State,
};
use crate::error::Result;
use crate::repository::BackupId;
use crate::repository::instant::rfc3339;
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Planner<'a> {
    /// What one backup says for itself.
    pub(super) fn single(&mut self, backup: &'a Candidate) {
        let named = self.request.named.contains(&backup.id);
        if let Some(pin) = &backup.pin {
            self.add(
                backup,
                Reason::Pinned {
                    by: pin.by.clone(),
                    why: pin.reason.clone(),
                    until: pin.until.clone(),
                },
            );
        }
        if let Some(problem) = &backup.unreadable_pin {
            let problem = problem.clone();
            self.add(backup, Reason::UnreadablePin { problem });
        }
        if named {
            return;
        }
        if !self.request.named.is_empty() {
            self.add(backup, Reason::NotNamed);
            return;
        }
        match &backup.state {
            State::Unreadable(problem) => {
                let problem = problem.clone();
                self.warnings.push(format!(
                    "backup {} cannot be read, and is kept: {problem}",
                    backup.id
                ));
                self.add(backup, Reason::Unreadable { problem });
            }
            State::Refuted(problem) => {
                let problem = problem.clone();
                self.warnings.push(format!(
                    "backup {} was found bad, and is kept: {problem}",
                    backup.id
                ));
                self.add(backup, Reason::Refuted { problem });
            }
            _ => {}
        }
        if let Some(known) = &backup.known {
            self.by_database(backup, known);
        }
    }

    fn by_database(&mut self, backup: &'a Candidate, known: &'a Known) {
        if self.is_in_future(known) {
            self.warnings.push(format!(
                "backup {} is of a time that has not come, and is kept",
                backup.id
            ));
            self.add(backup, Reason::InFuture);
        }
        if self.request.after_failure == AfterFailure::GoOn {
            return;
        }
        match self.state.last_runs.get(&known.database) {
            Some(LastRun::Failed(id)) => self.add(backup, Reason::LastRunFailed { id: id.clone() }),
            Some(LastRun::Unknown(problem)) => {
                let problem = problem.clone();
                self.add(backup, Reason::LastRunUnknown { problem });
            }
            Some(LastRun::Succeeded) | None => {}
        }
    }

    /// What is needed by what stays, stays.
    pub(super) fn needed(&mut self) {
        let by_id: BTreeMap<&BackupId, &'a Candidate> = self
            .state
            .backups
            .iter()
            .map(|backup| (&backup.id, backup))
            .collect();
        let mut left: Vec<&BackupId> = self.keep.keys().copied().collect();
        while let Some(id) = left.pop() {
            let known = by_id.get(id).and_then(|backup| backup.known.as_ref());
            let Some(parent) = known.and_then(|known| known.parent.as_ref()) else {
                continue;
            };
            let Some(needed) = by_id.get(parent).copied() else {
                self.warnings
                    .push(format!("backup {id} needs {parent}, which is not there"));
                continue;
            };
            if !self.keep.contains_key(parent) {
                left.push(&needed.id);
            }
            self.add(needed, Reason::NeededBy { id: id.clone() });
        }
    }

    /// One that was named and stays is told, with what keeps it.
    fn tell_named(&mut self) {
        for id in &self.request.named {
            let reasons = self.keep.get(id).into_iter().flatten();
            let why: Vec<String> = reasons.map(ToString::to_string).collect();
            if !why.is_empty() {
                self.refused
                    .push(format!("backup {id} stays: {}", why.join("; ")));
            }
        }
    }

    pub(super) fn finish(
        mut self,
        groups: BTreeMap<Group, Vec<Member<'a>>>,
    ) -> Result<RetentionPlan> {
        self.tell_failed_runs(&groups);
        self.tell_named();
        let mut backups = Vec::new();
        for (group, members) in groups {
            for (backup, known) in members {
                backups.push(self.decision(backup, Some((&group, known)))?);
            }
        }
        let unknown = self
            .state
            .backups
            .iter()
            .filter(|backup| backup.known.is_none());
        let mut unknown: Vec<&Candidate> = unknown.collect();
        unknown.sort_by_key(|backup| &backup.id);
        for backup in unknown {
            backups.push(self.decision(backup, None)?);
        }
        let goes = |decision: &&Decision| decision.action == Action::Remove;
        let sizes = backups
            .iter()
            .filter(goes)
            .map(|decision| decision.size_bytes);
        let freed_bytes = sizes.fold(0, u64::saturating_add);
        let removals = self.order(
            backups
                .iter()
                .filter(goes)
                .map(|decision| &decision.id)
                .collect(),
        );
        Ok(RetentionPlan {
            schema: "opskit.forget-plan/1",
            planned_at: rfc3339(self.state.now)?,
            backups,
            removals,
            freed_bytes,
            refused: self.refused,
            warnings: self.warnings,
        })
    }

    fn decision(
        &mut self,
        backup: &'a Candidate,
        group: Option<(&Group, &Known)>,
    ) -> Result<Decision> {
        let kept = self.keep.remove(&backup.id);
        let action = match kept {
            Some(_) => Action::Keep,
            None => Action::Remove,
        };
        let gone = match self.request.named.is_empty() {
            true => Reason::NotKept,
            false => Reason::Named,
        };
        Ok(Decision {
            id: backup.id.clone(),
            group: group.map(|(group, _)| group.clone()),
            snapshot_at: group
                .map(|(_, known)| rfc3339(known.snapshot_at))
                .transpose()?,
            size_bytes: backup.size_bytes,
            manifest_sha256: backup.manifest_sha256.clone(),
            verified: backup.is_proven(),
            action,
            reasons: kept.unwrap_or_else(|| vec![gone]),
        })
    }

    /// Where a failed run alone keeps a backup, that is told.
    fn tell_failed_runs(&mut self, groups: &BTreeMap<Group, Vec<Member<'a>>>) {
        let by_failure = |reason: &Reason| {
            matches!(
                reason,
                Reason::LastRunFailed { .. } | Reason::LastRunUnknown { .. }
            )
        };
        let mut told = BTreeSet::new();
        for (group, members) in groups {
            let reasons = members
                .iter()
                .filter_map(|(backup, _)| self.keep.get(&backup.id));
            let mut only = reasons.filter(|reasons| reasons.iter().all(by_failure));
            if let Some(reason) = only.next().and_then(|reasons| reasons.first())
                && told.insert(&group.of)
            {
                self.refused.push(format!(
                    "of \"{}\" none is removed: {reason}",
                    group.of.database
                ));
            }
        }
    }

    /// The oldest first, but none before those that need it.
    fn order(&self, ids: Vec<&BackupId>) -> Vec<BackupId> {
        let at = |id: &BackupId| {
            let backup = self.state.backups.iter().find(|backup| &backup.id == id);
            backup.and_then(|backup| backup.known.as_ref())
        };
        let mut left = ids;
        left.sort_by_key(|id| (at(id).map(|known| known.snapshot_at), (*id).clone()));
        let mut ordered = Vec::new();
        while !left.is_empty() {
            let needed: BTreeSet<&BackupId> = left
                .iter()
                .filter_map(|id| at(id)?.parent.as_ref())
                .collect();
            let (now, later): (Vec<&BackupId>, Vec<&BackupId>) =
                left.iter().copied().partition(|id| !needed.contains(*id));
            if now.is_empty() {
                // They need each other, so none can be read anyway.
                ordered.extend(later.into_iter().cloned());
                break;
            }
            ordered.extend(now.into_iter().cloned());
            left = later;
        }
        ordered
    }
}
