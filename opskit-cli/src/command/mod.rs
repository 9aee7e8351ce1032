//! The commands, one file each.

pub(crate) mod backup;
pub(crate) mod config;
pub(crate) mod copy;
pub(crate) mod demo;
pub(crate) mod drill;
pub(crate) mod environment;
pub(crate) mod export;
pub(crate) mod forget;
pub(crate) mod generate;
pub(crate) mod health;
pub(crate) mod history;
pub(crate) mod keys;
pub(crate) mod list;
pub(crate) mod migrate;
pub(crate) mod pin;
pub(crate) mod prune;
pub(crate) mod restore;
pub(crate) mod schema;
pub(crate) mod show;
pub(crate) mod state;
pub(crate) mod validate;
pub(crate) mod verify;
