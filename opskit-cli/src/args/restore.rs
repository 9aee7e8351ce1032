//! `restore` and `drill`, as they are typed.

use super::{OfArgs, RepositoryArgs};
use crate::exit::EXIT_CODES;
use clap::Args;
use opskit_core::config::parse_duration;
use std::path::PathBuf;
use std::time::Duration;

/// Restore a backup into a database, and compare the two.
///
/// Code of the backup never runs with a superuser's rights: for a superuser, opskit makes a login without
/// any for as long as it restores. A restore that was stopped can be run again: what it made is dropped
/// first. Exits with 1 when the database is not what the backup says.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct RestoreArgs {
    /// The backup, or latest: the latest that holds rows, unless --schema-only is asked for
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    /// The database to restore into: a URL, or a target of opskit.toml
    #[arg(long, value_name = "URL")]
    pub(crate) to: String,
    /// Restore these tables only, as psql patterns, with what they need and the target lacks
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Vec<String>,
    /// Restore objects and no rows
    #[arg(long, conflicts_with = "data_only")]
    pub(crate) schema_only: bool,
    /// Restore rows only, into tables that exist; foreign keys are dropped and made again
    #[arg(long)]
    pub(crate) data_only: bool,
    /// Let all objects belong to the role that restores
    #[arg(long)]
    pub(crate) no_owner: bool,
    /// Grant nothing
    #[arg(long)]
    pub(crate) no_acl: bool,
    /// Create the roles of the backup that the target lacks, without passwords
    #[arg(long)]
    pub(crate) create_roles: bool,
    /// Drop first what comes back: all in the backup's schemas, or the tables of --only alone
    #[arg(long)]
    pub(crate) clean: bool,
    /// Restore in one transaction over one connection
    #[arg(long)]
    pub(crate) single_transaction: bool,
    /// Go on after errors, and list them
    #[arg(long)]
    pub(crate) keep_going: bool,
    /// Run the backup's code with the rights of the role that restores
    #[arg(long)]
    pub(crate) trust_backup: bool,
    /// Connections that work at the same time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,
    /// How long to wait for a lock
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = parse_duration)]
    pub(crate) lock_timeout: Duration,
    /// Confirm that a production target is meant
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
    /// Show what would be done and what stands in the way, and change nothing
    #[arg(long)]
    pub(crate) plan: bool,
}

/// Restore a backup into a throw-away server, compare the two, and measure the time.
///
/// What could not be proven is listed. The record goes into the history of the repository.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct DrillArgs {
    /// The backup; latest is the latest that holds rows
    #[arg(value_name = "ID", default_value = "latest")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    /// Restore into this empty database instead: a URL, or a target of opskit.toml
    #[arg(long, value_name = "URL")]
    pub(crate) to: Option<String>,
    /// Confirm that a production target is meant
    #[arg(long, value_name = "NAME", requires = "to")]
    pub(crate) confirm: Option<String>,
    /// Run the query in this file; each row is name, ok, detail; names need their schema
    #[arg(long, value_name = "FILE")]
    pub(crate) check: Vec<PathBuf>,
    /// Let the backup's code run with all rights there, and restore what only a superuser may make
    #[arg(long)]
    pub(crate) trust_backup: bool,
    /// The directory of the server programs [default: the oldest that will do]
    #[arg(long, value_name = "DIR")]
    pub(crate) pg_bin: Option<PathBuf>,
    /// Connections that work at the same time
    #[arg(long, value_name = "N", default_value_t = 2, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}
