//! The `opskit` command: a thin shell around the library of this crate.

fn main() {}
