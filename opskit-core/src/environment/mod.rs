//! The environment that a project declares: whether it is as the rules say, and whether it is as it was.
//!
//! No value is ever told: a wrong one by its name and rule, one that is written down by a salted digest.

mod check;
mod diff;
mod frozen;

pub use check::{EnvCheck, EnvProblem, EnvRule, EnvVariable, check};
pub use diff::{EnvChange, EnvDiff, EnvDifference};
pub use frozen::{FROZEN_VERSION, Frozen, FrozenVariable, Salt};
