//! Conformance suites and test doubles.
