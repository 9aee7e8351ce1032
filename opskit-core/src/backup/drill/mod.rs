//! Drills: a backup is restored for real, compared, and the time is measured.
//!
//! A drill runs on a scratch server of the same or a newer major version, or in an empty database that is
//! given. What it could not prove is listed, and makes its outcome partial.

mod checks;
mod place;
mod report;
mod run;
mod values;

pub(crate) use place::binaries;
pub use report::{Check, DrillReport, Outcome};
pub use run::{DrillRequest, drill};
pub(crate) use run::{Restored, restore_apart};
