//! The commands, one file each.

pub(crate) mod config;
pub(crate) mod demo;
pub(crate) mod export;
pub(crate) mod generate;
pub(crate) mod schema;
