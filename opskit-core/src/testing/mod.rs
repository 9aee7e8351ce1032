//! Conformance suites and test doubles.

pub mod sink;
