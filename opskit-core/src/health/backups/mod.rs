//! Probes of the backups: what the history of a repository tells.

mod past;
mod rows;

use super::probe::{HealthProbe, Limits, Needs, Requirements, Sample, Threshold};
use super::question::judge_numbers;
use super::server::Server;
use super::verdict::{Reason, Verdict};
use crate::error::{Error, ErrorKind, Result};
use crate::repository::Repository;
use async_trait::async_trait;
use past::Past;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use time::OffsetDateTime;
use tokio::sync::OnceCell;

/// Opens a repository when it is asked for.
type Open = Arc<dyn Fn() -> Result<Repository> + Send + Sync>;

/// Where the backups are, and what is expected of them.
///
/// ```
/// use opskit_core::health::{BackupPlace, backup_probes};
/// use opskit_core::repository::Repository;
/// use std::time::Duration;
/// let place = BackupPlace::new(|| Repository::open("backups"))
///     .of_target("shop")
///     .every(Duration::from_secs(24 * 3600));
/// assert!(backup_probes(&place).iter().any(|probe| probe.id() == "backups.age"));
/// ```
#[derive(Clone)]
pub struct BackupPlace {
    open: Open,
    target: Option<String>,
    every: Option<Duration>,
    recovery_time: Option<Duration>,
}

impl fmt::Debug for BackupPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut debug = f.debug_struct("BackupPlace");
        debug.field("target", &self.target);
        debug.field("every", &self.every).finish_non_exhaustive()
    }
}

impl BackupPlace {
    /// The repository that `open` opens, once per run: one that cannot be opened makes its probes unknown.
    pub fn new(open: impl Fn() -> Result<Repository> + Send + Sync + 'static) -> Self {
        Self {
            open: Arc::new(open),
            target: None,
            every: None,
            recovery_time: None,
        }
    }

    /// Looks at the backups of this target only.
    #[must_use]
    pub fn of_target(mut self, target: impl Into<String>) -> Self {
        self.target = Some(target.into());
        self
    }

    /// How often one is due; a day where nobody says.
    #[must_use]
    pub fn every(mut self, every: Duration) -> Self {
        self.every = Some(every);
        self
    }

    /// How long a recovery may take: a drill that took longer fails.
    #[must_use]
    pub fn recovery_time(mut self, most: Duration) -> Self {
        self.recovery_time = Some(most);
        self
    }
}

/// What the probes of one run share: the history is read once.
struct Shared {
    place: BackupPlace,
    past: OnceCell<Result<Past, Blind>>,
}

/// Why the history cannot be read; errors cannot be cloned.
type Blind = (ErrorKind, String);

impl Shared {
    async fn past(&self, now: OffsetDateTime) -> Result<&Past> {
        let read = async || {
            let place = self.place.clone();
            let task = tokio::task::spawn_blocking(move || Past::read(&place, now));
            let ended = task.await.map_err(|_| {
                Error::new(
                    ErrorKind::Internal,
                    "the history could not be read to its end",
                )
            });
            ended
                .flatten()
                .map_err(|error| (error.kind(), error.chain().join(": ")))
        };
        let past = self.past.get_or_init(read).await.as_ref();
        past.map_err(|(kind, message)| Error::new(*kind, message.clone()))
    }
}

/// The probes of the backups of a place.
#[must_use]
pub fn backup_probes(place: &BackupPlace) -> Vec<Box<dyn HealthProbe>> {
    let shared = Arc::new(Shared {
        place: place.clone(),
        past: OnceCell::new(),
    });
    let probe = |kind: &'static Kind| -> Box<dyn HealthProbe> {
        let shared = Arc::clone(&shared);
        Box::new(BackupProbe { kind, shared })
    };
    KINDS.iter().map(probe).collect()
}

/// What a probe of backups is told, without a server.
pub(super) fn sample_of(place: &BackupPlace, id: &str, now: OffsetDateTime) -> Result<Sample> {
    let past = Past::read(place, now)?;
    let kind = KINDS.iter().find(|kind| kind.id == id);
    Ok(Sample {
        rows: kind.map_or_else(Vec::new, |kind| (kind.rows)(&past)),
    })
}

/// One thing to know about backups.
struct Kind {
    id: &'static str,
    about: &'static str,
    remedy: &'static str,
    unit: &'static str,
    threshold: Threshold,
    rows: fn(&Past) -> Vec<Vec<Option<String>>>,
}

const fn limits(warn: f64, fail: f64) -> Threshold {
    Threshold { warn, fail }
}

/// A threshold that no number reaches: the rows say themselves how bad it is.
const WORDS: Threshold = limits(f64::MAX, f64::MAX);

const KINDS: [Kind; 8] = [
    Kind {
        id: "backups.age",
        about: "the age of the last whole backup, in schedules ([target] schedule; a day where there is none)",
        remedy: "Run opskit backup, and see why the schedule was not kept.",
        unit: "schedules",
        threshold: limits(1.25, 2.0),
        rows: rows::age,
    },
    Kind {
        id: "backups.last",
        about: "how the last run ended",
        remedy: "opskit history shows why; run opskit backup.",
        unit: "",
        threshold: WORDS,
        rows: rows::last,
    },
    Kind {
        id: "backups.completion",
        about: "backups of the last 30 days that were due and are missing, in percent",
        remedy: "See that whatever starts opskit backup runs.",
        unit: "%",
        threshold: limits(1.0, 10.0),
        rows: rows::missed,
    },
    Kind {
        id: "backups.size",
        about: "how far the size of the last backup is from that of the others, in robust deviations",
        remedy: "opskit show latest tells its tables: see what is missing, or what grew.",
        unit: "deviations",
        threshold: limits(3.5, 7.0),
        rows: rows::size,
    },
    Kind {
        id: "backups.duration",
        about: "how long the last backup took, in minutes",
        remedy: "Give it more --jobs, or leave out what is not needed.",
        unit: "minutes",
        threshold: limits(15.0, 60.0),
        rows: rows::duration,
    },
    Kind {
        id: "backups.present",
        about: "backups that were made, not forgotten, and are not there",
        remedy: "Find who removed them; opskit history verify tells whether the history is whole.",
        unit: "",
        threshold: WORDS,
        rows: rows::vanished,
    },
    Kind {
        id: "backups.verified",
        about: "for how many days no backup was found sound by opskit verify or a drill",
        remedy: "Run opskit verify latest.",
        unit: "days",
        threshold: limits(7.0, 30.0),
        rows: rows::verified,
    },
    Kind {
        id: "backups.drilled",
        about: "for how many days no backup was restored to see whether it can be, and whether that took too long ([health] recovery_time)",
        remedy: "Run opskit drill latest.",
        unit: "days",
        threshold: limits(30.0, 90.0),
        rows: rows::drilled,
    },
];

struct BackupProbe {
    kind: &'static Kind,
    shared: Arc<Shared>,
}

impl fmt::Debug for BackupProbe {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BackupProbe").field(&self.kind.id).finish()
    }
}

#[async_trait]
impl HealthProbe for BackupProbe {
    fn id(&self) -> &str {
        self.kind.id
    }

    fn about(&self) -> &str {
        self.kind.about
    }

    fn remedy(&self) -> &str {
        self.kind.remedy
    }

    fn requires(&self) -> Requirements {
        Requirements {
            version: 0,
            needs: Needs::Nothing,
        }
    }

    fn threshold(&self) -> Option<Threshold> {
        (self.kind.threshold != WORDS).then_some(self.kind.threshold)
    }

    async fn sample(&self, server: &mut Server) -> Result<Sample> {
        let past = self.shared.past(server.time()).await?;
        Ok(Sample {
            rows: (self.kind.rows)(past),
        })
    }

    fn judge(&self, now: &Sample, _before: Option<&Sample>, limits: &Limits) -> Verdict {
        let Kind {
            id,
            threshold,
            unit,
            ..
        } = self.kind;
        judge_numbers(now, id, limits, *threshold, (unit, Reason::Error))
    }
}
