//! Health that cannot lie: a probe proves that it could have seen the problem, or says that it could not.
//!
//! A run asks on one connection, each probe within its time, and never waits behind a change of the schema. What it
//! gives is a plain value. Read `verdict`, `probe`, `server`, `question`, then any of `probes`, then `run` and `report`.

mod accept;
mod backups;
mod declared;
mod probe;
mod probes;
mod question;
mod report;
pub mod rpc;
mod run;
mod selftest;
mod server;
mod verdict;

pub use backups::{BackupPlace, backup_probes};
pub use declared::declared_probes;
pub use probe::{HealthProbe, Limits, Needs, Requirements, Sample, Threshold};
pub use probes::probes;
pub use report::{HealthReport, ProbeResult};
pub use run::{HealthRequest, check};
pub use selftest::{SelfTestReport, SelfTestRequest, Trial, TrialOutcome, self_test, self_tested};
pub use server::{Server, ServerIdentity};
pub use verdict::{Finding, Reason, State, Verdict};
