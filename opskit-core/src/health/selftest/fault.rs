//! What a fault is.

use super::backups::Damage;

/// How one thing is broken.
#[derive(Debug, Clone, Copy)]
pub(super) struct Fault {
    /// The probe that must see it.
    pub(super) id: &'static str,
    /// What is broken, in words.
    pub(super) words: &'static str,
    pub(super) how: How,
}

/// Statements, one by one: some of them bear no transaction.
pub(super) type Statements = &'static [&'static str];

#[derive(Debug, Clone, Copy)]
pub(super) enum How {
    /// By statements, which end.
    Sql(Steps),
    /// By a session that has run these and stays, and one that runs the other.
    Held(Statements, Option<&'static str>),
    /// By two sessions that wait for each other.
    Deadlock,
    /// By a byte of a table's file.
    Torn,
    /// By a wire that is slow.
    SlowWire,
    /// By this machine's clock.
    Clock,
    /// By a disk that is a little larger than what is on it.
    SmallDisk(Steps),
    /// By a role that has all connections it may have.
    LastConnection,
    /// By a subscriber that is kept from applying.
    StuckSubscriber,
    /// By nothing: this is what a server that is broken answers.
    Answer(&'static [&'static [&'static str]]),
    /// By what the history of a repository says.
    Backups(Damage),
}

/// Statements that prepare, break and mend.
#[derive(Debug, Clone, Copy)]
pub(super) struct Steps {
    pub(super) before: Statements,
    pub(super) broken: Statements,
    /// Before each look with the fault, and after it was mended: some things happen only when somebody does something.
    pub(super) nudge: Statements,
    pub(super) mended: Statements,
    /// Whether an earlier report is taken anew after it was mended, because what happened stays in the counters.
    pub(super) counts: bool,
}

pub(super) const fn steps(broken: Statements, mended: Statements) -> Steps {
    Steps {
        before: &[],
        broken,
        nudge: &[],
        mended,
        counts: false,
    }
}

impl Steps {
    pub(super) const fn after(mut self, before: Statements) -> Self {
        self.before = before;
        self
    }

    pub(super) const fn nudged(mut self, nudge: Statements) -> Self {
        self.nudge = nudge;
        self
    }

    pub(super) const fn counted(mut self) -> Self {
        self.counts = true;
        self
    }
}

pub(super) const fn sql(id: &'static str, words: &'static str, steps: Steps) -> Fault {
    Fault {
        id,
        words,
        how: How::Sql(steps),
    }
}

pub(super) const fn other(id: &'static str, words: &'static str, how: How) -> Fault {
    Fault { id, words, how }
}
