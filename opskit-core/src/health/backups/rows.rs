//! What there is to say, as rows of object, reading and detail. Pure.

use super::past::{Past, Proof, Run};
use crate::repository::RunStatus;
use std::time::Duration;
use time::OffsetDateTime;

type Rows = Vec<Vec<Option<String>>>;

const DAY: f64 = 86_400.0;
/// How far back the completion of schedules is looked at, in seconds.
const WINDOW: f64 = 30.0 * DAY;
/// With fewer others nothing is known of what is usual.
const OTHERS_MIN: usize = 6;
/// Others that are looked at.
const OTHERS_MAX: usize = 30;

fn row(object: impl Into<String>, reading: impl ToString, detail: impl Into<String>) -> Rows {
    let fields = [object.into(), reading.to_string(), detail.into()];
    vec![fields.map(Some).to_vec()]
}

fn no_backup() -> Rows {
    row("backups", "fail", "there is no whole backup")
}

fn seconds(since: OffsetDateTime, now: OffsetDateTime) -> f64 {
    (now - since).as_seconds_f64().max(0.0)
}

fn hours(seconds: f64) -> String {
    format!("{:.1} h", seconds / 3600.0)
}

pub(super) fn age(past: &Past) -> Rows {
    let there = past.good().rev().find(|run| past.there.contains(&run.id));
    let Some(last) = there else {
        return no_backup();
    };
    let age = seconds(last.started, past.now);
    let schedules = age / past.every.as_secs_f64().max(1.0);
    let detail = format!("old, which is {}: {}", hours(age), last.id);
    row("last backup", schedules, detail)
}

pub(super) fn last(past: &Past) -> Rows {
    let mut rows = match past.runs.last() {
        None => no_backup(),
        Some(run) => match run.status {
            RunStatus::Success => Rows::new(),
            RunStatus::Cancelled => row(run.id.to_string(), "warn", "was cancelled"),
            RunStatus::Failed => row(run.id.to_string(), "fail", "failed"),
        },
    };
    if past.unreadable > 0 {
        let detail = format!("{} records cannot be read", past.unreadable);
        rows.extend(row("history", "fail", detail));
    }
    rows
}

/// What is missing shows as gaps: two runs in one day do not make up for a day without.
pub(super) fn missed(past: &Past) -> Rows {
    let every = past.every.as_secs_f64().max(1.0);
    let is_recent = |at: &OffsetDateTime| seconds(*at, past.now) <= WINDOW;
    let times: Vec<_> = past
        .good()
        .map(|run| run.started)
        .filter(is_recent)
        .collect();
    let Some(last) = times.last() else {
        return no_backup();
    };
    let gaps = times.windows(2).map(|pair| seconds(pair[0], pair[1]));
    let between: f64 = gaps.map(|gap| ((gap / every).round() - 1.0).max(0.0)).sum();
    // The next one may be on its way.
    let since = (seconds(*last, past.now) / every - 0.25).floor().max(0.0);
    let missing = between + since;
    let expected = missing + count(times.len());
    let detail = format!("are missing: {missing} of {expected} that were due");
    row("backups", 100.0 * missing / expected, detail)
}

pub(super) fn size(past: &Past) -> Rows {
    let good: Vec<&Run> = past.good().collect();
    let Some((last, others)) = good.split_last() else {
        return no_backup();
    };
    if last.size == 0 {
        return row(last.id.to_string(), "fail", "is empty");
    }
    let mut others: Vec<f64> = others
        .iter()
        .rev()
        .take(OTHERS_MAX)
        .map(|run| bytes(run.size))
        .collect();
    if others.len() < OTHERS_MIN {
        let detail = "there are too few backups to tell what is usual";
        return row("backups", "skipped", detail);
    }
    let usual = median(&mut others);
    let mut deviations: Vec<f64> = others.iter().map(|size| (size - usual).abs()).collect();
    // Backups of a database that does not change differ by nothing, and one per cent more is no wonder.
    let deviation = median(&mut deviations).max(0.02 * usual).max(1.0);
    let far = 0.6745 * (bytes(last.size) - usual).abs() / deviation;
    let detail = format!("from the usual {usual:.0} bytes, with {}", last.size);
    row(last.id.to_string(), far, detail)
}

pub(super) fn duration(past: &Past) -> Rows {
    let Some(last) = past.good().next_back() else {
        return no_backup();
    };
    row(last.id.to_string(), last.took.as_secs_f64() / 60.0, "")
}

pub(super) fn vanished(past: &Past) -> Rows {
    let is_gone = |run: &&Run| {
        run.status == RunStatus::Success
            && !past.there.contains(&run.id)
            && !past.removed.contains(&run.id)
    };
    let gone = past.runs.iter().filter(is_gone);
    gone.flat_map(|run| {
        row(
            run.id.to_string(),
            "fail",
            "is not there, and nobody forgot it",
        )
    })
    .collect()
}

pub(super) fn verified(past: &Past) -> Rows {
    // A drill reads all that a look would.
    let mut proofs: Vec<&Proof> = past.looks.iter().chain(&past.drills).collect();
    proofs.sort_by_key(|proof| proof.at);
    proven(past, &proofs, "found damaged")
}

pub(super) fn drilled(past: &Past) -> Rows {
    let drills: Vec<&Proof> = past.drills.iter().collect();
    let mut rows = proven(past, &drills, "could not be restored as it was");
    let took = drills
        .last()
        .filter(|drill| drill.is_good)
        .and_then(|drill| drill.took);
    if let (Some(took), Some(most)) = (took, past.recovery_time)
        && took > most
    {
        let minutes = |time: Duration| time.as_secs_f64() / 60.0;
        let detail = format!(
            "took {:.1} minutes, and may take {:.1}",
            minutes(took),
            minutes(most)
        );
        rows.extend(row("recovery", "fail", detail));
    }
    rows
}

/// For how many days nothing was proven; since the first backup where nothing ever was.
fn proven(past: &Past, proofs: &[&Proof], failed: &str) -> Rows {
    let Some(first) = past.good().next() else {
        return no_backup();
    };
    let mut rows = match proofs.last() {
        Some(proof) if !proof.is_good => row("last proof", "fail", failed),
        _ => Rows::new(),
    };
    let last = proofs.iter().rev().find(|proof| proof.is_good);
    let (since, detail) = match last {
        Some(proof) => (proof.at, "ago"),
        None => (first.started, "since the first backup, and never"),
    };
    rows.extend(row("proof", seconds(since, past.now) / DAY, detail));
    rows
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    let at = |index: usize| values.get(index).copied().unwrap_or_default();
    if values.len().is_multiple_of(2) {
        f64::midpoint(at(middle.saturating_sub(1)), at(middle))
    } else {
        at(middle)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a size, to compare roughly")]
fn bytes(size: u64) -> f64 {
    size as f64
}

#[expect(clippy::cast_precision_loss, reason = "a few backups")]
fn count(of: usize) -> f64 {
    of as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;
    use time::Duration as Span;
    use time::macros::datetime;

    const NOW: OffsetDateTime = datetime!(2026-11-30 12:00 UTC);

    /// Backups of so many hours ago, all of them there.
    fn past(hours_ago: &[i64]) -> Past {
        let run = |hours: &i64| {
            let started = NOW - Span::hours(*hours);
            Run {
                id: crate::repository::BackupId::new(started).unwrap(),
                started,
                status: RunStatus::Success,
                is_whole: true,
                size: 1000,
                took: Duration::from_secs(60),
            }
        };
        let runs: Vec<Run> = hours_ago.iter().map(run).collect();
        Past {
            now: NOW,
            every: Duration::from_secs(24 * 3600),
            recovery_time: None,
            there: runs.iter().map(|run| run.id.clone()).collect(),
            runs,
            looks: Vec::new(),
            drills: Vec::new(),
            removed: BTreeSet::new(),
            unreadable: 0,
        }
    }

    fn reading(rows: &Rows) -> f64 {
        rows[0][1].as_ref().unwrap().parse().unwrap()
    }

    fn word(rows: &Rows) -> &str {
        rows.first().map_or("", |row| row[1].as_deref().unwrap())
    }

    #[test]
    fn age_counts_what_is_there() {
        let mut past = past(&[48, 24]);
        assert!((reading(&age(&past)) - 1.0).abs() < 0.01);
        let newest = past.runs[1].id.clone();
        past.there.remove(&newest);
        assert!((reading(&age(&past)) - 2.0).abs() < 0.01);
        assert_eq!(vanished(&past).len(), 1);
        past.removed.insert(newest);
        assert!(vanished(&past).is_empty());
        assert_eq!(
            word(&age(&Past {
                runs: Vec::new(),
                ..past
            })),
            "fail"
        );
    }

    #[test]
    fn a_missing_day_is_not_made_up_for_by_two_runs_in_another() {
        let days = |list: &[i64]| past(&list.iter().map(|day| day * 24).collect::<Vec<_>>());
        assert!(reading(&missed(&days(&[4, 3, 2, 1]))).abs() < 0.01);
        assert!((reading(&missed(&days(&[4, 3, 1, 1]))) - 20.0).abs() < 0.01);
        assert!(reading(&missed(&days(&[4, 3]))) > 30.0);
    }

    #[test]
    fn an_empty_or_odd_size_is_seen() {
        let mut past = past(&[200, 176, 152, 128, 104, 80, 56, 32]);
        assert!(reading(&size(&past)) < 0.01);
        past.runs[7].size = 400;
        assert!(reading(&size(&past)) > 7.0);
        past.runs[7].size = 0;
        assert_eq!(word(&size(&past)), "fail");
        past.runs.truncate(3);
        assert_eq!(word(&size(&past)), "skipped");
    }

    #[test]
    fn the_last_run_tells_how_it_ended() {
        let mut past = past(&[48, 24]);
        assert!(last(&past).is_empty());
        past.runs[1].status = RunStatus::Failed;
        assert_eq!(word(&last(&past)), "fail");
        past.runs[1].status = RunStatus::Cancelled;
        past.unreadable = 2;
        assert_eq!(last(&past).len(), 2);
    }

    #[test]
    fn what_was_never_proven_counts_from_the_first_backup() {
        let mut past = past(&[240, 24]);
        assert!((reading(&verified(&past)) - 10.0).abs() < 0.01);
        past.drills.push(Proof {
            at: NOW - Span::days(2),
            is_good: true,
            took: Some(Duration::from_secs(3600)),
        });
        assert!((reading(&verified(&past)) - 2.0).abs() < 0.01);
        past.recovery_time = Some(Duration::from_secs(60));
        assert_eq!(drilled(&past)[1][1].as_deref(), Some("fail"));
        past.looks.push(Proof {
            at: NOW,
            is_good: false,
            took: None,
        });
        assert_eq!(word(&verified(&past)), "fail");
    }
}
