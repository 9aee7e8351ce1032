//! What must hold of plans for any history, and makers of histories.

use super::*;
use crate::config::Retention;
use crate::repository::{BackupId, PIN_VERSION, Pin};
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use time::macros::datetime;
use time::{Duration, OffsetDateTime};

pub(super) const NOW: OffsetDateTime = datetime!(2026-11-21 12:00 UTC);

/// Names tell nothing of the order.
pub(super) fn id(number: u32) -> BackupId {
    let mixed = number.wrapping_mul(0x9e37_79b9);
    format!("20261121T013000Z-{mixed:08x}").parse().unwrap()
}

pub(super) fn database(name: &str) -> Database {
    Database {
        target: Some(name.to_owned()),
        database: name.to_owned(),
    }
}

pub(super) fn backup(number: u32, hours_ago: i64) -> Candidate {
    Candidate {
        id: id(number),
        known: Some(Known {
            database: database("shop"),
            holding: Holding::Whole,
            tags: BTreeMap::new(),
            snapshot_at: NOW - Duration::hours(hours_ago),
            parent: None,
        }),
        state: State::Fine,
        size_bytes: 1,
        manifest_sha256: None,
        pin: None,
        unreadable_pin: None,
    }
}

fn pin(id: &BackupId) -> Pin {
    Pin {
        version: PIN_VERSION,
        id: id.clone(),
        by: "ann".to_owned(),
        at: String::new(),
        reason: None,
        until: None,
    }
}

pub(super) fn state(backups: Vec<Candidate>) -> RetentionState {
    RetentionState {
        now: NOW,
        backups,
        last_runs: BTreeMap::new(),
    }
}

pub(super) fn planned(state: &RetentionState, rules: &Retention) -> RetentionPlan {
    plan(state, &RetentionRequest::by(Policy::for_all(rules.clone()))).unwrap()
}

/// The numbers of those that stay, of backups numbered from 0.
pub(super) fn kept(state: &RetentionState, rules: &Retention) -> Vec<u32> {
    let plan = planned(state, rules);
    let stays = |number: &u32| plan.of(&id(*number)).unwrap().action == Action::Keep;
    (0..state.backups.len() as u32).filter(stays).collect()
}

pub(super) fn rules(set: impl FnOnce(&mut Retention)) -> Retention {
    let mut rules = Retention::default();
    set(&mut rules);
    rules
}

/// A backup of any kind, some of them bad, pinned, of the future, or in need of another.
#[derive(Debug, Clone)]
struct Any {
    hours_ago: i64,
    database: u8,
    holding: u8,
    state: u8,
    pinned: u8,
    tag: u8,
    parent: Option<prop::sample::Index>,
}

fn any_backup() -> impl Strategy<Value = Any> {
    let hours = prop_oneof![8 => 0..24 * 40_i64, 4 => 0..24 * 1200_i64, 1 => -48..0_i64];
    let parent = prop::option::weighted(0.2, any::<prop::sample::Index>());
    (
        hours,
        0..2_u8,
        0..10_u8,
        0..10_u8,
        0..12_u8,
        0..3_u8,
        parent,
    )
        .prop_map(
            |(hours_ago, database, holding, state, pinned, tag, parent)| Any {
                hours_ago,
                database,
                holding,
                state,
                pinned,
                tag,
                parent,
            },
        )
}

fn made(any: &[Any], last: (u8, u8)) -> RetentionState {
    let mut backups: Vec<Candidate> = any
        .iter()
        .enumerate()
        .map(|(at, any)| one(at as u32, any))
        .collect();
    for (at, any) in any.iter().enumerate() {
        let Some(parent) = any.parent.map(|index| index.index(backups.len())) else {
            continue;
        };
        let older = backups[parent]
            .known
            .as_ref()
            .map(|known| known.snapshot_at);
        let parent = backups[parent].id.clone();
        if let Some(known) = backups[at].known.as_mut()
            && older.is_some_and(|older| older < known.snapshot_at)
        {
            known.parent = Some(parent);
        }
    }
    let run = |number| match number {
        0 => Some(LastRun::Failed(id(1 << 30))),
        1 => Some(LastRun::Unknown("damaged".to_owned())),
        2 => None,
        _ => Some(LastRun::Succeeded),
    };
    let runs = [("shop", run(last.0)), ("copy", run(last.1))];
    let runs = runs
        .into_iter()
        .filter_map(|(name, run)| Some((database(name), run?)));
    RetentionState {
        now: NOW,
        backups,
        last_runs: runs.collect(),
    }
}

fn one(number: u32, any: &Any) -> Candidate {
    let mut made = backup(number, any.hours_ago);
    let known = made.known.as_mut().unwrap();
    known.database = database(if any.database == 0 { "shop" } else { "copy" });
    known.holding = match any.holding {
        0 => Holding::Schema,
        1 => Holding::Part,
        2 => Holding::Unknown,
        _ => Holding::Whole,
    };
    if any.tag > 0 {
        known.tags.insert("release".to_owned(), any.tag.to_string());
    }
    made.state = match any.state {
        0 => State::Refuted("bad".to_owned()),
        1 => State::Unreadable("gone".to_owned()),
        2..5 => State::Proven("good".to_owned()),
        _ => State::Fine,
    };
    if any.state == 1 {
        made.known = None;
    }
    match any.pinned {
        0 => made.pin = Some(pin(&made.id)),
        1 => made.unreadable_pin = Some("damaged".to_owned()),
        _ => {}
    }
    made
}

fn any_rules() -> impl Strategy<Value = Retention> {
    let some = || prop::option::weighted(0.4, 1..6_u32);
    let within = prop::option::weighted(0.3, 1..60_u64);
    let counts = (some(), some(), some(), some(), some(), some(), some());
    (
        counts,
        within,
        prop::option::weighted(0.5, 1..5_u32),
        any::<bool>(),
    )
        .prop_map(
            |(
                (last, hourly, daily, weekly, monthly, quarterly, yearly),
                within,
                verified,
                tags,
            )| {
                rules(|r| {
                    r.keep_last = last;
                    r.keep_hourly = hourly;
                    r.keep_daily = daily;
                    r.keep_weekly = weekly;
                    r.keep_monthly = monthly;
                    r.keep_quarterly = quarterly;
                    r.keep_yearly = yearly;
                    r.keep_within =
                        within.map(|days| std::time::Duration::from_secs(days * 86_400));
                    r.keep_verified = verified;
                    if tags {
                        r.group_by = vec!["release".to_owned()];
                    }
                })
            },
        )
}

fn any_state() -> impl Strategy<Value = RetentionState> {
    (
        prop::collection::vec(any_backup(), 0..24),
        (0..12_u8, 0..12_u8),
    )
        .prop_map(|(any, last)| made(&any, last))
}

/// The ids that stay.
fn staying(plan: &RetentionPlan) -> BTreeSet<BackupId> {
    let stays = plan
        .backups
        .iter()
        .filter(|decision| decision.action == Action::Keep);
    stays.map(|decision| decision.id.clone()).collect()
}

/// What is there after the first removals of a plan, as a crash leaves it.
fn after(state: &RetentionState, gone: &[BackupId]) -> RetentionState {
    let mut state = state.clone();
    state.backups.retain(|backup| !gone.contains(&backup.id));
    state
}

/// Backups that a verification found good, by what they are counted with.
fn proven(state: &RetentionState, plan: &RetentionPlan) -> BTreeMap<Group, usize> {
    let mut found = BTreeMap::new();
    for backup in state.backups.iter().filter(|backup| backup.is_proven()) {
        let known = backup.known.as_ref().unwrap();
        if known.holding.may_be_whole() && known.snapshot_at <= NOW + Duration::HOUR {
            let group = plan.of(&backup.id).unwrap().group.clone().unwrap();
            *found.entry(group).or_default() += 1;
        }
    }
    found
}

/// Tells the span of the calendar that an instant falls into.
type Span = fn(OffsetDateTime) -> (i32, u8, u8, u8);

fn day_of(at: OffsetDateTime) -> (i32, u8, u8, u8) {
    (at.year(), at.month() as u8, at.day(), 0)
}

/// What the manual says of a rule, word by word, for one backup among those that count.
fn says(rules: &Retention, at: usize, counted: &[OffsetDateTime]) -> bool {
    let later = &counted[at + 1..];
    let by_count = rules
        .keep_last
        .is_some_and(|last| later.len() < last as usize);
    let newest = *counted.last().unwrap();
    let by_age = rules
        .keep_within
        .is_some_and(|within| newest - counted[at] <= within);
    let spans: [(Option<u32>, Span); 6] = [
        (rules.keep_hourly, |at| {
            (at.year(), at.month() as u8, at.day(), at.hour())
        }),
        (rules.keep_daily, day_of),
        (rules.keep_weekly, |at| {
            let days = at.weekday().number_days_from_monday();
            day_of(at - Duration::days(i64::from(days)))
        }),
        (rules.keep_monthly, |at| (at.year(), at.month() as u8, 0, 0)),
        (rules.keep_quarterly, |at| {
            (at.year(), (at.month() as u8).div_ceil(3), 0, 0)
        }),
        (rules.keep_yearly, |at| (at.year(), 0, 0, 0)),
    ];
    let by_span = spans.iter().any(|(wanted, span)| {
        let own = span(counted[at]);
        let spans_after: BTreeSet<_> = later.iter().map(|at| span(*at)).collect();
        wanted.is_some_and(|wanted| {
            !spans_after.contains(&own) && spans_after.len() < wanted as usize
        })
    });
    by_count || by_age || by_span
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(10_000))]

    /// Whatever the history and the rules: what must stay stays, at every moment of the removal.
    #[test]
    fn no_plan_removes_what_must_stay(state in any_state(), rules in any_rules(), cut in any::<prop::sample::Index>()) {
        let plan = planned(&state, &rules);
        let kept = staying(&plan);
        prop_assert_eq!(kept.len() + plan.removals.len(), state.backups.len());
        for backup in &state.backups {
            let pinned = backup.pin.is_some() || backup.unreadable_pin.is_some();
            let failed = backup.known.as_ref().and_then(|known| state.last_runs.get(&known.database));
            let blocked = matches!(failed, Some(LastRun::Failed(_) | LastRun::Unknown(_)));
            let future = backup.known.as_ref().is_some_and(|known| known.snapshot_at > NOW + Duration::HOUR);
            if pinned || blocked || future || backup.sound().is_none() || !rules.says_something() {
                prop_assert!(kept.contains(&backup.id));
            }
        }
        // The newest whole one of each database.
        for name in ["shop", "copy"] {
            let whole = state.backups.iter().filter_map(|backup| Some((backup, backup.sound()?)));
            let whole = whole.filter(|(_, known)| known.database.database == name && known.holding == Holding::Whole);
            let newest = whole.max_by_key(|(backup, known)| (known.snapshot_at, backup.id.clone()));
            if let Some((newest, _)) = newest {
                prop_assert!(kept.contains(&newest.id));
            }
        }
        // Stopped anywhere, nothing is lost that the plan kept, and what is there has what it needs.
        let gone = &plan.removals[..cut.index(plan.removals.len() + 1)];
        let between = after(&state, gone);
        let there: BTreeSet<&BackupId> = between.backups.iter().map(|backup| &backup.id).collect();
        for known in between.backups.iter().filter_map(|backup| backup.known.as_ref()) {
            if let Some(parent) = &known.parent {
                prop_assert!(there.contains(parent));
            }
        }
        let again = planned(&between, &rules);
        prop_assert!(staying(&again).is_superset(&kept));
        // The minimum of verified ones, or none of the group goes.
        if let Some(wanted) = rules.keep_verified {
            let (before, now) = (proven(&state, &plan), proven(&between, &plan));
            for decision in &plan.backups {
                let Some(group) = decision.group.as_ref().filter(|group| group.holding.may_be_whole()) else {
                    continue;
                };
                let count = |found: &BTreeMap<Group, usize>| found.get(group).copied().unwrap_or(0);
                if count(&before) < wanted as usize {
                    prop_assert_eq!(decision.action, Action::Keep);
                }
                prop_assert!(count(&now) >= count(&before).min(wanted as usize));
            }
        }
    }

    /// A second time there is nothing to remove.
    #[test]
    fn plans_are_idempotent(state in any_state(), rules in any_rules()) {
        let plan = planned(&state, &rules);
        let again = planned(&after(&state, &plan.removals), &rules);
        prop_assert_eq!(again.removals, Vec::<BackupId>::new());
        prop_assert_eq!(again.freed_bytes, 0);
    }

    /// A rule that keeps more, one more rule, or a pin never makes another backup go.
    #[test]
    fn more_to_keep_keeps_more(state in any_state(), few in any_rules(), which in 0..10_u8, at in any::<prop::sample::Index>()) {
        prop_assume!(few.says_something());
        let mut more = few.clone();
        let mut pinned = state.clone();
        let plus = |count: &mut Option<u32>| *count = Some(count.unwrap_or(0) + 1);
        match which {
            0 => plus(&mut more.keep_last),
            1 => plus(&mut more.keep_hourly),
            2 => plus(&mut more.keep_daily),
            3 => plus(&mut more.keep_weekly),
            4 => plus(&mut more.keep_monthly),
            5 => plus(&mut more.keep_quarterly),
            6 => plus(&mut more.keep_yearly),
            7 => plus(&mut more.keep_verified),
            8 => {
                let within = more.keep_within.unwrap_or_default();
                more.keep_within = Some(within + std::time::Duration::from_secs(86_400));
            }
            _ if state.backups.is_empty() => {}
            _ => {
                let backup = &mut pinned.backups[at.index(state.backups.len())];
                backup.pin = Some(pin(&backup.id));
            }
        }
        let few = staying(&planned(&state, &few));
        prop_assert!(staying(&planned(&pinned, &more)).is_superset(&few));
    }

    /// The order in which backups are found, and their names, decide nothing.
    #[test]
    fn only_what_backups_are_decides(state in any_state(), rules in any_rules(), turn in any::<prop::sample::Index>()) {
        let plan = planned(&state, &rules);
        let mut turned = state.clone();
        if !turned.backups.is_empty() {
            let by = turn.index(turned.backups.len());
            turned.backups.rotate_left(by);
            turned.backups.reverse();
        }
        let mut other = planned(&turned, &rules);
        // Warnings are in the order in which things were seen.
        let mut warnings = plan.warnings.clone();
        warnings.sort();
        other.warnings.sort();
        prop_assert_eq!(warnings, other.warnings.clone());
        other.warnings = plan.warnings.clone();
        let reasons = |plan: &RetentionPlan| -> Vec<(BackupId, Action, usize)> {
            plan.backups.iter().map(|d| (d.id.clone(), d.action, d.reasons.len())).collect()
        };
        prop_assert_eq!(reasons(&plan), reasons(&other));
        prop_assert_eq!(plan.removals, other.removals);
    }

    /// The rules say what the manual says, by another way of counting.
    #[test]
    fn rules_are_what_the_manual_says(hours in prop::collection::btree_set(0..24 * 1500_i64, 1..40), rules in any_rules()) {
        prop_assume!(rules.says_something());
        let rules = Retention { keep_verified: None, ..rules };
        let backups: Vec<Candidate> = hours.iter().enumerate().map(|(at, hours)| backup(at as u32, *hours)).collect();
        let mut counted: Vec<OffsetDateTime> = hours.iter().map(|hours| NOW - Duration::hours(*hours)).collect();
        counted.sort();
        let plan = planned(&state(backups), &rules);
        for (at, decision) in plan.backups.iter().enumerate() {
            let newest = at + 1 == counted.len();
            let expected = if newest || says(&rules, at, &counted) { Action::Keep } else { Action::Remove };
            prop_assert_eq!(decision.action, expected, "{} {:?}", at, decision);
        }
    }
}
