//! Conformance suites and test doubles.

pub mod fuzz;
pub mod sink;
pub mod store;
