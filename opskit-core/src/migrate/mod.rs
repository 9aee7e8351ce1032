//! Migrations: files, their history, and runs that lock, resume and tell.
//!
//! [`Migrations`] are files in a folder or within the program; [`Script`] takes one apart as `psql` would.
//! [`MigrationRunner`] holds them against the history of a database, plans, and carries a plan out. What always holds:
//!
//! 1. one run at a time, by advisory locks on the one connection that everything runs on;
//! 2. a migration and its row in the history are one transaction. One that cannot be runs statement by statement, with
//!    a journal, and goes on where it was interrupted;
//! 3. nobody waits behind a statement for longer than its lock time-out;
//! 4. the history tables of other tools are kept in step, so that a database can go back to its old tool.
//!
//! Read `files`, `script` and below it the lexer, `history`, `ledger`, `status`, `plan`, `run`, `runner`.

mod apply;
mod back;
mod class;
mod effects;
mod files;
mod gate;
mod history;
mod judged;
mod ledger;
mod lexer;
mod lint;
mod literal;
mod outcome;
mod plan;
mod position;
mod rehearse;
mod rehearsed;
mod replay;
mod report;
mod room;
mod rows;
mod run;
mod runner;
mod safety;
mod script;
mod snapshot;
mod split;
mod status;
mod suite;
mod swap;
mod traffic;
mod values;
mod words;

pub use class::TransactionUse;
pub use effects::{Effect, LockMode, Work};
pub use files::{
    Digests, DownScript, FOLDERS, Migration, MigrationId, Migrations, Version, find_folder,
};
pub use gate::{Danger, Finding, RULES, Rule, findings};
pub use history::{Record, State};
pub use judged::{Harm, HarmKind, RowCount};
pub use ledger::{Ledger, Tool};
pub use lexer::{Token, TokenKind, Tokens, tokens};
pub use lint::Lint;
pub use outcome::{Choice, Outcome};
pub use plan::{Down, Plan, PlannedMigration, PlannedStatement, Ran};
pub use position::Position;
pub use rehearse::{Rehearsal, RehearsalOutcome, RehearseRequest, Waiting, rehearse};
pub use rehearsed::{Gates, OnHarm, Rehearsed, Waiver};
pub use report::ApplyReport;
pub use run::{
    Applied, Done, Failure, Left, LockTaken, MIGRATION_LOCK_KEY, Measure, Measured, Mode,
    RowsChanged, RunLimits, Seen,
};
pub use runner::{MigrationRunner, PgMigrationRunner};
pub use safety::{
    After, BackupFirst, BackupTaken, SIDE_TAG, Safety, VERSION_TAG, WayBack, Writers,
};
pub use script::{Script, Statement};
pub use snapshot::DriftReport;
pub use status::{MigrationStatus, OnGap, Standing, Status, Wanted};
pub use suite::{Suite, SuiteReport, TestChange, TestOutcome, TestResult, changed_tests};
pub use words::Words;
