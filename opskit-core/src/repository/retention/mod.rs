//! Which backups go: a plan made of what is known of all of them, then its application.
//!
//! [`plan()`] is pure: it sees plain values and decides. Gathering those, and removing what the plan says, are apart.

mod apply;
mod finish;
mod gather;
mod known;
mod period;
mod plan;
mod planner;
mod reason;
mod rules;
#[cfg(test)]
mod tests;

pub use apply::{ForgetReport, Skipped};
pub use known::{Candidate, Database, Holding, Known, LastRun, RetentionState, State};
pub use plan::{Action, Decision, Group, RetentionPlan};
pub use planner::plan;
pub use reason::{Every, Reason};
pub use rules::{AfterFailure, Policy, RetentionRequest};
