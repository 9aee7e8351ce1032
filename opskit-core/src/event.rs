//! Progress as values: the library tells an [`Observer`], the edges decide what to show.

use crate::name::QualifiedName;
use std::fmt;
use std::time::Duration;

/// Something that happened during an operation.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// The plan is made and the first part is about to start.
    RunStarted {
        /// How many tables will be read.
        tables: usize,
        /// How many parts they are cut into.
        parts: usize,
        /// Their size on the server's disk, as an estimate of the work.
        heap_bytes: u64,
    },
    /// The first part of a table starts.
    TableStarted {
        /// The table.
        table: QualifiedName,
        /// How many parts it is cut into.
        parts: usize,
    },
    /// A part starts.
    PartStarted {
        /// The table.
        table: QualifiedName,
        /// The part's number within the table.
        part: u32,
        /// Its size on the server's disk.
        heap_bytes: u64,
    },
    /// A part moved on. Sent about once per batch.
    Progress {
        /// The table.
        table: QualifiedName,
        /// The part's number within the table.
        part: u32,
        /// Rows since the last event of this part.
        rows: u64,
        /// Bytes received since the last event of this part.
        wire_bytes: u64,
    },
    /// A part lost its connection and starts again from its beginning.
    PartRetried {
        /// The table.
        table: QualifiedName,
        /// The part's number within the table.
        part: u32,
        /// Rows that had been counted and no longer count.
        rows_discarded: u64,
        /// Bytes that had been counted and no longer count.
        wire_bytes_discarded: u64,
        /// Why.
        reason: String,
    },
    /// A part is complete, its count agrees with the server's, and it is durable.
    PartFinished {
        /// The table.
        table: QualifiedName,
        /// The part's number within the table.
        part: u32,
        /// Its rows.
        rows: u64,
        /// Its size on the server's disk, as told when it started.
        heap_bytes: u64,
    },
    /// The last part of a table is complete.
    TableFinished {
        /// The table.
        table: QualifiedName,
        /// Rows of the table.
        rows: u64,
    },
    /// An object of a backup was copied, and read again where it arrived.
    ObjectCopied {
        /// Its name.
        object: String,
        /// Its bytes.
        bytes: u64,
        /// How many are there by now.
        done: u64,
        /// How many there will be.
        of: u64,
    },
    /// Everything is committed.
    RunFinished {
        /// Rows in all.
        rows: u64,
        /// Wall time.
        elapsed: Duration,
    },
    /// A migration starts.
    MigrationStarted {
        /// Its version or name.
        id: String,
        /// What its file says behind the version.
        name: String,
        /// Its place in the run, from 1.
        number: usize,
        /// How many there are.
        of: usize,
    },
    /// A statement of a migration is done.
    StatementDone {
        /// Its first line in the file.
        line: usize,
        /// What the server says was done: `CREATE TABLE`.
        what: String,
        /// How long it took.
        elapsed: Duration,
    },
    /// A migration is done and written down.
    MigrationDone {
        /// Its version or name.
        id: String,
        /// What its file says behind the version.
        name: String,
        /// How long it took.
        elapsed: Duration,
    },
    /// A file of tests is done.
    TestsDone {
        /// The file.
        file: String,
        /// How many tests it has.
        tests: usize,
    },
    /// The run waits for something that others hold.
    Waiting {
        /// For what.
        what: String,
    },
    /// Something the user should know that is not an error.
    Warning {
        /// One sentence.
        message: String,
    },
}

/// Receives events on the task that does the work, so it must not block.
///
/// Any `Fn(&Event) + Send + Sync` is one.
pub trait Observer: Send + Sync {
    /// Takes notice of `event`.
    fn observe(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync> Observer for F {
    fn observe(&self, event: &Event) {
        self(event);
    }
}

impl fmt::Debug for dyn Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}
