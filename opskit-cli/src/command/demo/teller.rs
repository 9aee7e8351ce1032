//! Who tells the steps: to a person as they happen, to a program in the end.

use crate::exit::Stop;
use crate::printer::{Printer, Verbosity};
use crate::units;
use serde::Serialize;
use std::time::{Duration, Instant};

/// Whether what was looked at is as it must be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Verdict {
    Holds,
    Fails,
}

impl From<bool> for Verdict {
    fn from(holds: bool) -> Self {
        match holds {
            true => Self::Holds,
            false => Self::Fails,
        }
    }
}

/// One step, as the document has it.
#[derive(Debug, Serialize)]
pub(super) struct Step {
    title: &'static str,
    /// What a person would type.
    command: String,
    /// What it proved.
    proof: String,
    verdict: Verdict,
    elapsed_ms: u64,
}

/// A step that is under way.
pub(super) struct Begun {
    title: &'static str,
    command: String,
    at: Instant,
}

/// Tells, and remembers.
pub(super) struct Teller {
    printer: Printer,
    steps: Vec<Step>,
}

impl Teller {
    pub(super) fn new(printer: &Printer) -> Self {
        Self {
            printer: printer.clone(),
            steps: Vec::new(),
        }
    }

    pub(super) fn printer(&self) -> &Printer {
        &self.printer
    }

    /// Says something, to a person who wants to hear it.
    pub(super) fn say(&self, text: &str) -> Result<(), Stop> {
        if self.printer.is_json() || self.printer.verbosity() == Verbosity::Quiet {
            return Ok(());
        }
        self.printer.result(text)
    }

    /// Starts a step: its title, and the command that does it.
    pub(super) fn begin(
        &self,
        title: &'static str,
        command: impl Into<String>,
    ) -> Result<Begun, Stop> {
        let command = command.into();
        let number = self.steps.len() + 1;
        self.say(&format!("\n{number}. {title}\n\n$ {command}\n"))?;
        Ok(Begun {
            title,
            command,
            at: Instant::now(),
        })
    }

    /// Ends a step: what the command printed, what that proves, and the time it took.
    pub(super) fn end(
        &mut self,
        begun: Begun,
        printed: &str,
        verdict: Verdict,
        proof: impl Into<String>,
    ) -> Result<(), Stop> {
        let (proof, elapsed) = (proof.into(), begun.at.elapsed());
        let word = match verdict {
            Verdict::Holds => "OK",
            Verdict::Fails => "NOT OK",
        };
        let took = units::elapsed(elapsed);
        self.say(&format!("{printed}{word}  {proof} ({took})\n"))?;
        self.steps.push(Step {
            title: begun.title,
            command: begun.command,
            proof,
            verdict,
            elapsed_ms: elapsed.as_millis() as u64,
        });
        Ok(())
    }

    /// Whether all of it held.
    pub(super) fn verdict(&self) -> Verdict {
        Verdict::from(self.steps.iter().all(|step| step.verdict == Verdict::Holds))
    }

    pub(super) fn into_steps(self) -> Vec<Step> {
        self.steps
    }
}

/// A duration that a report has in milliseconds.
pub(super) fn took(milliseconds: u64) -> String {
    units::elapsed(Duration::from_millis(milliseconds))
}
