//! Backups: a plan, a run that reads one instant of a database into a repository, its record.
//!
//! The order of a run is what makes it true:
//!
//! 1. an advisory lock keeps two backups, and a backup and a migration, apart;
//! 2. the tables are found, then locked, and only then the snapshot is taken;
//! 3. what was found is looked at again in the snapshot: a difference ends the run;
//! 4. definitions, rows and large objects are read in the snapshot;
//! 5. sequences, which no snapshot covers, are read after the last row, so that none is behind its data;
//! 6. what the server tells as it is now, whatever the snapshot, is looked at again: definitions after the
//!    last of them was read, labels of enums after the last row. A difference ends the run;
//! 7. the manifest is written last. Without it there is no backup.

mod choice;
mod definitions;
mod documents;
pub mod drill;
pub mod fan_out;
mod open;
mod plan;
mod prints;
mod report;
mod request;
pub mod restore;
mod rows;
mod run;
mod source;
mod store;

pub use open::Backup;
pub use plan::{BackupPlan, Loss, Missing, PlannedTable};
pub use report::{BackedUpTable, BackupReport};
pub use request::BackupRequest;
pub use run::{backup, not_begun};

/// The key of the advisory lock that backups and migrations take: the bytes of `opskit` as a number.
/// It is a lock of the session, and of one database.
pub const ADVISORY_LOCK_KEY: i64 = 0x6f70_736b_6974;

/// The largest model and facts that are read.
const DOCUMENT_BYTES_MAX: u64 = 1 << 30;
