//! The planner: what the rules say of each group, and of each database.

use super::{
    Candidate, Database, Every, Group, Holding, Known, Reason, RetentionPlan, RetentionRequest,
    RetentionState, State,
};
use crate::config::Retention;
use crate::error::Result;
use crate::repository::BackupId;
use crate::repository::instant::rfc3339;
use std::collections::{BTreeMap, BTreeSet};
use time::{Duration, OffsetDateTime};

/// How far the clock of the machine that made a backup may be ahead of ours.
const SKEW_MAX: Duration = Duration::HOUR;

/// Decides what becomes of each backup. Nothing but what it is given counts: no clock, no names, no order.
///
/// ```
/// use opskit_core::repository::retention::{Policy, RetentionRequest, RetentionState, plan};
/// use std::collections::BTreeMap;
/// let state = RetentionState {
///     now: std::time::SystemTime::UNIX_EPOCH.into(),
///     backups: Vec::new(),
///     last_runs: BTreeMap::new(),
/// };
/// let plan = plan(&state, &RetentionRequest::by(Policy::default()))?;
/// assert!(plan.removals.is_empty());
/// # Ok::<(), opskit_core::Error>(())
/// ```
///
/// # Errors
/// [`ErrorKind::Internal`](crate::ErrorKind::Internal) for times that cannot be written.
pub fn plan(state: &RetentionState, request: &RetentionRequest) -> Result<RetentionPlan> {
    let mut planner = Planner {
        state,
        request,
        keep: BTreeMap::new(),
        refused: Vec::new(),
        warnings: Vec::new(),
    };
    let groups = planner.groups();
    for (group, members) in &groups {
        planner.group(group, members)?;
    }
    planner.newest();
    for backup in &state.backups {
        planner.single(backup);
    }
    planner.needed();
    planner.finish(groups)
}

pub(super) struct Planner<'a> {
    pub(super) state: &'a RetentionState,
    pub(super) request: &'a RetentionRequest,
    /// Why those that stay do.
    pub(super) keep: BTreeMap<&'a BackupId, Vec<Reason>>,
    pub(super) refused: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// A backup of a group, which can be read.
pub(super) type Member<'a> = (&'a Candidate, &'a Known);

impl<'a> Planner<'a> {
    /// All that can be read, the oldest first in each group.
    fn groups(&self) -> BTreeMap<Group, Vec<Member<'a>>> {
        let mut groups: BTreeMap<Group, Vec<Member<'a>>> = BTreeMap::new();
        for backup in &self.state.backups {
            if let Some(known) = &backup.known {
                groups
                    .entry(self.group_of(known))
                    .or_default()
                    .push((backup, known));
            }
        }
        for members in groups.values_mut() {
            members.sort_by_key(|(backup, known)| (known.snapshot_at, &backup.id));
        }
        groups
    }

    fn group_of(&self, known: &Known) -> Group {
        let rules = self.request.policy.of(known.database.target.as_deref());
        let keys = rules.map_or(&[][..], |rules| &rules.group_by);
        let tag = |key: &String| Some((key.clone(), known.tags.get(key)?.clone()));
        Group {
            of: known.database.clone(),
            holding: known.holding,
            tags: keys.iter().filter_map(tag).collect(),
        }
    }

    /// What the rules say of a group.
    fn group(&mut self, group: &Group, members: &[Member<'a>]) -> Result<()> {
        // Bad ones and those of the future take no place of a good one.
        let counted: Vec<Member<'a>> = members
            .iter()
            .filter(|(backup, known)| backup.sound().is_some() && !self.is_in_future(known))
            .copied()
            .collect();
        let target = members
            .first()
            .and_then(|(_, known)| known.database.target.as_deref());
        if self.request.named.is_empty() {
            match self.request.policy.of(target) {
                Some(rules) => self.slots(rules, &counted)?,
                None => self.keep_all(members, &Reason::NoRule),
            }
        }
        if let Some(wanted) = self.request.policy.keep_verified(target)
            && group.holding.may_be_whole()
        {
            self.verified(group, wanted, (members, &counted));
        }
        Ok(())
    }

    fn slots(&mut self, rules: &Retention, counted: &[Member<'a>]) -> Result<()> {
        let newest_first = || counted.iter().rev().copied();
        let last = rules.keep_last.unwrap_or(0);
        for ((backup, _), number) in newest_first().zip(1..=last) {
            self.add(backup, Reason::Last { number });
        }
        if let (Some(within), Some((_, newest))) = (rules.keep_within, counted.last()) {
            // By the newest one, not by the clock: nothing goes because nothing was added.
            let since = newest
                .snapshot_at
                .checked_sub(Duration::try_from(within).unwrap_or(Duration::MAX));
            let since = since.unwrap_or(OffsetDateTime::UNIX_EPOCH);
            let text = rfc3339(since)?;
            for (backup, _) in newest_first().filter(|(_, known)| known.snapshot_at >= since) {
                let since = text.clone();
                self.add(backup, Reason::Within { since });
            }
        }
        for every in Every::ALL {
            let wanted = count(rules, every) as usize;
            let mut seen = BTreeSet::new();
            for (backup, known) in newest_first() {
                let period = every.period(known.snapshot_at);
                if seen.len() < wanted && seen.insert(period.clone()) {
                    self.add(backup, Reason::LastOf { every, period });
                }
            }
        }
        Ok(())
    }

    /// Those that were found good and have to stay. Where they are too few, nothing goes that a rule would
    /// remove: what nobody looked at may be all there is.
    fn verified(
        &mut self,
        group: &Group,
        wanted: u32,
        (members, counted): (&[Member<'a>], &[Member<'a>]),
    ) {
        let proven: Vec<&Candidate> = counted
            .iter()
            .rev()
            .map(|(backup, _)| *backup)
            .filter(|backup| backup.is_proven())
            .take(wanted as usize)
            .collect();
        for backup in proven.iter().copied() {
            if let State::Proven(how) = &backup.state {
                self.add(backup, Reason::Verified { how: how.clone() });
            }
        }
        let found = proven.len() as u32;
        if found >= wanted || !self.request.named.is_empty() {
            return;
        }
        let loses = members
            .iter()
            .any(|(backup, _)| !self.keep.contains_key(&backup.id));
        if loses {
            self.refused.push(format!(
                "of \"{}\", {wanted} verified backups have to stay and {found} were found good, so none is removed",
                group.of.database
            ));
        }
        self.keep_all(members, &Reason::TooFewVerified { wanted, found });
    }

    /// The newest backup of each database from which all can be brought back.
    fn newest(&mut self) {
        let mut newest: BTreeMap<&Database, Member<'a>> = BTreeMap::new();
        let sound = self
            .state
            .backups
            .iter()
            .filter_map(|backup| Some((backup, backup.sound()?)));
        for (backup, known) in sound.filter(|(_, known)| known.holding != Holding::Schema) {
            // A whole one goes before one of which that is not known, and that before a part.
            let rank = |(backup, known): &Member<'a>| {
                (
                    std::cmp::Reverse(holding_rank(known.holding)),
                    known.snapshot_at,
                    backup.id.clone(),
                )
            };
            let member = (backup, known);
            let best = newest.entry(&known.database).or_insert(member);
            if rank(&member) > rank(best) {
                *best = member;
            }
        }
        for (backup, _) in newest.into_values() {
            self.add(backup, Reason::Newest);
        }
    }

    pub(super) fn is_in_future(&self, known: &Known) -> bool {
        known.snapshot_at > self.state.now.saturating_add(SKEW_MAX)
    }

    fn keep_all(&mut self, members: &[Member<'a>], reason: &Reason) {
        for &(backup, _) in members {
            self.add(backup, reason.clone());
        }
    }

    pub(super) fn add(&mut self, backup: &'a Candidate, reason: Reason) {
        self.keep.entry(&backup.id).or_default().push(reason);
    }
}

fn count(rules: &Retention, every: Every) -> u32 {
    let count = match every {
        Every::Hour => rules.keep_hourly,
        Every::Day => rules.keep_daily,
        Every::Week => rules.keep_weekly,
        Every::Month => rules.keep_monthly,
        Every::Quarter => rules.keep_quarterly,
        Every::Year => rules.keep_yearly,
    };
    count.unwrap_or(0)
}

fn holding_rank(holding: Holding) -> u8 {
    match holding {
        Holding::Whole => 0,
        Holding::Unknown => 1,
        Holding::Part => 2,
        Holding::Schema => 3,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::repository::retention::tests::{backup, database, id, kept, planned, rules, state};
    use crate::repository::retention::{Action, LastRun, Policy};

    /// A backup every six hours for three years: each rule finds its own.
    #[test]
    fn each_span_keeps_its_last_ones() {
        let backups = (0..4 * 1_000)
            .map(|at| backup(at, i64::from(at) * 6))
            .collect();
        let state = state(backups);
        let days = |rules: &Retention| -> Vec<String> {
            let plan = planned(&state, rules);
            let kept = plan
                .backups
                .iter()
                .filter(|decision| decision.action == Action::Keep);
            kept.rev()
                .map(|decision| decision.snapshot_at.as_ref().unwrap()[..13].to_owned())
                .collect()
        };
        assert_eq!(
            days(&rules(|r| r.keep_last = Some(2))),
            ["2026-11-21T12", "2026-11-21T06"]
        );
        assert_eq!(
            days(&rules(|r| r.keep_daily = Some(3))),
            ["2026-11-21T12", "2026-11-20T18", "2026-11-19T18"]
        );
        // The 15th was a Sunday.
        assert_eq!(
            days(&rules(|r| r.keep_weekly = Some(3))),
            ["2026-11-21T12", "2026-11-15T18", "2026-11-08T18"]
        );
        assert_eq!(
            days(&rules(|r| r.keep_monthly = Some(3))),
            ["2026-11-21T12", "2026-10-31T18", "2026-09-30T18"]
        );
        assert_eq!(
            days(&rules(|r| r.keep_quarterly = Some(3))),
            ["2026-11-21T12", "2026-09-30T18", "2026-06-30T18"]
        );
        assert_eq!(
            days(&rules(|r| r.keep_yearly = Some(9))),
            ["2026-11-21T12", "2025-12-31T18", "2024-12-31T18"]
        );
        let within = std::time::Duration::from_secs(12 * 3600);
        assert_eq!(days(&rules(|r| r.keep_within = Some(within))).len(), 3);
        // Not the dailies alone: two of the weeks and one of the months end with one of those.
        let all =
            rules(|r| (r.keep_daily, r.keep_weekly, r.keep_monthly) = (Some(7), Some(4), Some(12)));
        assert_eq!(days(&all).len(), 7 + 2 + 11);
    }

    /// Nothing goes because nothing was added.
    #[test]
    fn a_span_ends_at_the_newest_backup() {
        let state = state(vec![
            backup(0, 24 * 100),
            backup(1, 24 * 110),
            backup(2, 24 * 140),
        ]);
        let within = std::time::Duration::from_secs(30 * 86_400);
        assert_eq!(
            kept(&state, &rules(|r| r.keep_within = Some(within))),
            [0, 1]
        );
    }

    #[test]
    fn one_that_is_not_whole_takes_no_place_of_one_that_is() {
        let mut backups = vec![backup(0, 1), backup(1, 2), backup(2, 3)];
        backups[0].known.as_mut().unwrap().holding = Holding::Schema;
        backups[1].known.as_mut().unwrap().holding = Holding::Part;
        assert_eq!(
            kept(&state(backups), &rules(|r| r.keep_last = Some(1))),
            [0, 1, 2]
        );
    }

    #[test]
    fn bad_ones_take_no_place_and_stay() {
        let mut backups = vec![backup(0, 1), backup(1, 2), backup(2, 3), backup(3, 4)];
        backups[0].state = State::Refuted("verify".to_owned());
        backups[1].state = State::Unreadable("no manifest".to_owned());
        backups[1].known = None;
        let state = state(backups);
        let one = rules(|r| r.keep_last = Some(1));
        assert_eq!(kept(&state, &one), [0, 1, 2]);
        assert_eq!(planned(&state, &one).warnings.len(), 2);
        // By name they may go.
        let request = RetentionRequest::by(Policy::for_all(one)).naming([id(0), id(1)]);
        assert_eq!(plan(&state, &request).unwrap().removals.len(), 2);
    }

    #[test]
    fn a_minimum_of_verified_ones_is_kept_or_nothing_goes() {
        let mut backups: Vec<Candidate> = (0..6).map(|at| backup(at, i64::from(at))).collect();
        for at in [2, 4, 5] {
            backups[at].state = State::Proven("drill".to_owned());
        }
        let state = state(backups);
        let verified = |count| rules(|r| (r.keep_last, r.keep_verified) = (Some(1), Some(count)));
        assert_eq!(kept(&state, &verified(2)), [0, 2, 4]);
        assert_eq!(kept(&state, &verified(4)), [0, 1, 2, 3, 4, 5]);
        let refused = planned(&state, &verified(4)).refused;
        assert!(
            refused[0].contains("4 verified backups have to stay and 3"),
            "{refused:?}"
        );
        // Where nothing would go anyway there is nothing to refuse.
        let all = rules(|r| (r.keep_last, r.keep_verified) = (Some(6), Some(4)));
        assert_eq!(planned(&state, &all).refused, [""; 0]);
        // By name, those that are counted stay.
        let request =
            RetentionRequest::by(Policy::for_all(verified(2))).naming([2, 3, 4, 5].map(id));
        let plan = plan(&state, &request).unwrap();
        assert_eq!(plan.removals, [5, 3].map(id));
        assert_eq!(plan.refused.len(), 2);
    }

    #[test]
    fn nothing_goes_after_a_failed_run_unless_asked() {
        let mut state = state(vec![backup(0, 1), backup(1, 2)]);
        let one = rules(|r| r.keep_last = Some(1));
        for last in [
            LastRun::Failed(id(9)),
            LastRun::Unknown("damaged".to_owned()),
        ] {
            state.last_runs.insert(database("shop"), last);
            assert_eq!(kept(&state, &one), [0, 1]);
            assert_eq!(planned(&state, &one).refused.len(), 1);
            let request = RetentionRequest::by(Policy::for_all(one.clone())).even_after_failure();
            assert_eq!(plan(&state, &request).unwrap().removals, [id(1)]);
        }
        state.last_runs.insert(database("shop"), LastRun::Succeeded);
        assert_eq!(kept(&state, &one), [0]);
    }

    #[test]
    fn a_clock_that_was_ahead_pushes_nothing_out() {
        let state = state(vec![backup(0, -24 * 365), backup(1, 1), backup(2, 2)]);
        let plan = planned(&state, &rules(|r| r.keep_last = Some(1)));
        assert_eq!(plan.removals, [id(2)]);
        assert_eq!(
            plan.of(&id(0)).unwrap().reasons.last(),
            Some(&Reason::InFuture)
        );
    }

    #[test]
    fn what_is_needed_stays_and_goes_after_what_needs_it() {
        let mut backups: Vec<Candidate> = (0..5).map(|at| backup(at, i64::from(at))).collect();
        let needs = |backup: &mut Candidate, parent| {
            backup.known.as_mut().unwrap().parent = Some(id(parent));
        };
        needs(&mut backups[0], 1);
        needs(&mut backups[1], 2);
        needs(&mut backups[3], 4);
        let plan = planned(&state(backups), &rules(|r| r.keep_last = Some(1)));
        assert_eq!(plan.removals, [3, 4].map(id));
    }

    #[test]
    fn values_of_tags_are_counted_apart() {
        let mut backups: Vec<Candidate> = (0..4).map(|at| backup(at, i64::from(at))).collect();
        for (at, release) in [(0, "2"), (1, "1"), (2, "2")] {
            let known = backups[at].known.as_mut().unwrap();
            known.tags.insert("release".to_owned(), release.to_owned());
        }
        let state = state(backups);
        let one = rules(|r| r.keep_last = Some(1));
        assert_eq!(kept(&state, &one), [0]);
        let apart = rules(|r| (r.keep_last, r.group_by) = (Some(1), vec!["release".to_owned()]));
        assert_eq!(kept(&state, &apart), [0, 1, 3]);
    }

    #[test]
    fn without_rules_all_stay() {
        let state = state(vec![backup(0, 1), backup(1, 2)]);
        assert_eq!(kept(&state, &Retention::default()), [0, 1]);
        // A minimum says nothing of the others.
        assert_eq!(kept(&state, &rules(|r| r.keep_verified = Some(1))), [0, 1]);
    }
}
