//! Integration tests on real servers, in one binary.

mod house;
mod scratch;
