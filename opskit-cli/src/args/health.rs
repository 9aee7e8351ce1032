//! `health`, as it is typed.

use crate::exit::EXIT_CODES;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Ask a database how it is. Exits with 1 when a probe fails, or could not have seen the problem.
///
/// Probes read on one connection, each within its time, and never wait behind a change of the schema. One that is
/// blind says so, with the GRANT that lets it see.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
pub(crate) struct HealthArgs {
    #[command(subcommand)]
    pub(crate) what: Option<HealthAction>,
    #[command(flatten)]
    pub(crate) check: HealthCheckArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HealthAction {
    /// Show all probes: what each looks for, and from where on it warns and fails
    List,
}

#[derive(Debug, Args)]
pub(crate) struct HealthCheckArgs {
    /// The database: a URL, or a target of opskit.toml [default: DATABASE_URL, SUPABASE_DB_URL, the default target]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,
    /// Ask this probe only (locks.blocked), or those of this group (locks); may be given several times
    #[arg(long = "probe", value_name = "ID")]
    pub(crate) probes: Vec<String>,
    /// How to tell; nagios ends with 0 to 3, as its plugins do
    #[arg(long, value_enum, default_value_t = HealthFormat::Table)]
    pub(crate) format: HealthFormat,
    /// A report of an earlier run, as JSON: counters are compared with it
    #[arg(long, value_name = "FILE")]
    pub(crate) since: Option<PathBuf>,
    /// A report of an earlier run, as JSON: what blocked there already does not count
    #[arg(long, value_name = "FILE")]
    pub(crate) fail_on_new: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HealthFormat {
    /// For people, the worst first
    Table,
    /// One document with all of it
    Json,
    /// One line for Nagios and what speaks like it
    Nagios,
    /// A table for tickets and wikis
    Markdown,
}
