//! What tables hold at one instant, by numbers of rows and fingerprints: to compare before and after a deployment.

mod capture;
mod compare;

pub use capture::{State, StateRequest, TableState, capture, recapture};
pub use compare::{Change, StateDiff, TableChange};
