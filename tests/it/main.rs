//! Integration tests on real servers, in one binary.
#![expect(clippy::unwrap_used, reason = "every function here is part of a test")]

mod cli;
mod exactness;
mod faults;
mod fingerprints;
mod fuzz_replay;
mod house;
mod scratch;
mod sinks;
mod tables;
