//! What a run asks of the rehearsal before it.

use super::judged::{Harm, HarmKind};
use super::plan::Plan;
use super::rehearse::{Rehearsal, RehearsalOutcome};
use crate::error::{Error, ErrorKind, Result};
use serde::{Deserialize, Serialize};

/// What is kept of a rehearsal for the run behind it: read from its document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct Rehearsed {
    /// The backup whose rows it ran on.
    pub backup: String,
    /// What identifies the files that ran.
    pub files_digest: String,
    /// How it ended.
    pub outcome: RehearsalOutcome,
    /// The longest time that nobody could read a table, in milliseconds.
    pub max_access_exclusive_ms: u64,
    /// What went or got weaker.
    pub harms: Vec<Harm>,
}

/// What a run accepts of a rehearsal.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct Gates {
    /// How long nobody may be able to read a table, in milliseconds; without limit when not said.
    pub max_access_exclusive_ms: Option<u64>,
    /// Whether anything may go or get weaker.
    pub harms: OnHarm,
    /// Objects that may, each with the reason.
    pub waivers: Vec<Waiver>,
}

/// Whether anything may go or get weaker.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum OnHarm {
    /// It may.
    #[default]
    Accept,
    /// Only what has a waiver.
    Refuse,
}

/// Something that may go or get weaker.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Waiver {
    /// The object, as the rehearsal names it.
    pub object: String,
    /// Why.
    pub reason: String,
    /// The backup to go back to, which is that of the rehearsal.
    pub backup: String,
}

impl Waiver {
    /// A waiver for one object of one rehearsal.
    #[must_use]
    pub fn new(
        object: impl Into<String>,
        reason: impl Into<String>,
        backup: impl Into<String>,
    ) -> Self {
        Self {
            object: object.into(),
            reason: reason.into(),
            backup: backup.into(),
        }
    }
}

impl From<&Rehearsal> for Rehearsed {
    fn from(rehearsal: &Rehearsal) -> Self {
        Self {
            backup: rehearsal.backup.to_string(),
            files_digest: rehearsal.files_digest.clone(),
            outcome: rehearsal.outcome,
            max_access_exclusive_ms: rehearsal.max_access_exclusive_ms,
            harms: rehearsal.harms.clone(),
        }
    }
}

impl Rehearsed {
    /// Reads the document of a rehearsal.
    ///
    /// # Errors
    /// Of kind `Damaged` for what is none.
    pub fn from_json(bytes: &[u8]) -> Result<Self> {
        serde_json::from_slice(bytes)
            .map_err(|error| crate::error::unreadable_json("the rehearsal cannot be read", &error))
    }

    /// Holds a plan against the rehearsal of it.
    ///
    /// # Errors
    /// Of kind `CheckFailed` where other files were rehearsed, it failed, it kept readers out for too long, or something
    /// went that nobody gave a waiver for.
    pub fn check(&self, plan: &Plan, gates: &Gates) -> Result<()> {
        let refuse = |what: String, hint: &str| {
            Err(Error::new(ErrorKind::CheckFailed, what).with_hint(hint))
        };
        if self.files_digest != plan.files_digest() {
            return refuse(
                "other files were rehearsed than would run".to_owned(),
                "Rehearse again: opskit migrate rehearse.",
            );
        }
        if self.outcome == RehearsalOutcome::Failed {
            return refuse(
                "the rehearsal failed".to_owned(),
                "Mend what it tells, and rehearse again.",
            );
        }
        if let Some(most) = gates.max_access_exclusive_ms
            && self.max_access_exclusive_ms > most
        {
            let what = format!(
                "nobody could read a table for {} ms in the rehearsal, and {most} ms are allowed",
                self.max_access_exclusive_ms
            );
            return refuse(
                what,
                "Do it in steps that hold no strong lock for long; `opskit migrate plan` says how.",
            );
        }
        let waived = |harm: &&Harm| {
            gates
                .waivers
                .iter()
                .any(|waiver| waiver.object == harm.object && waiver.backup == self.backup)
        };
        match self.harms.iter().find(|harm| !waived(harm)) {
            Some(harm) if gates.harms == OnHarm::Refuse => {
                let kind = match harm.kind {
                    HarmKind::ObjectGone => "something goes",
                    HarmKind::RowsLost => "rows are lost",
                    HarmKind::RowsChanged => "rows are written over",
                    HarmKind::SecurityWeakened => "access gets weaker",
                    HarmKind::GrantWidened => "everybody may do more",
                };
                refuse(
                    format!("{kind} in the rehearsal: {}: {}", harm.object, harm.says),
                    "If it is meant: --accept-harm 'OBJECT=reason', with the object as it stands here.",
                )
            }
            _ => Ok(()),
        }
    }
}
