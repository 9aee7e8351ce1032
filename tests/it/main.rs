//! Integration tests on real servers, in one binary.
#![expect(clippy::unwrap_used, reason = "every function here is part of a test")]
#![expect(clippy::print_stdout, reason = "tests tell what they saw and skipped")]

mod backup;
mod cli;
mod exactness;
mod facts;
mod faults;
mod fingerprints;
mod fuzz_replay;
mod health;
mod history;
mod house;
mod load;
mod made;
mod memory;
mod migrate;
mod regressions;
mod repository;
mod restore;
mod roundtrip;
mod scratch;
mod secrets;
mod sinks;
mod tables;
mod trips;
mod wire;
