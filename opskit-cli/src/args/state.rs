//! `state` and `validate`, as they are typed.

use crate::exit::EXIT_CODES;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Compare what tables hold before and after a deployment
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct StateArgs {
    #[command(subcommand)]
    pub(crate) what: StateAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum StateAction {
    /// Write down how many rows tables have, and their fingerprints, all of one instant
    ///
    /// Every row is read, and nothing of it is kept.
    Capture(StateCaptureArgs),
    /// Tell which tables are not as they were; exit 1 when one is not
    Compare(StateCompareArgs),
}

#[derive(Debug, Args)]
pub(crate) struct StateCaptureArgs {
    /// The database: a URL, or a target of opskit.toml [default: DATABASE_URL, SUPABASE_DB_URL, the default target]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,
    /// Tables by pattern (orders, public.*, *.audit_*); all of the user's without any
    #[arg(value_name = "TABLE")]
    pub(crate) tables: Vec<String>,
    /// Connections that read at the same time
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) jobs: usize,
    /// Write to this file instead of standard output
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct StateCompareArgs {
    /// What capture wrote before
    #[arg(value_name = "BEFORE")]
    pub(crate) before: PathBuf,
    /// What capture wrote after; without it the same tables of the database are read now
    #[arg(value_name = "AFTER", conflicts_with = "db")]
    pub(crate) after: Option<PathBuf>,
    /// The database: a URL, or a target of opskit.toml [default: DATABASE_URL, SUPABASE_DB_URL, the default target]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,
    /// Connections that read at the same time
    #[arg(long, value_name = "N", default_value_t = 2)]
    pub(crate) jobs: usize,
    /// Tell all changes, and fail only for tables that are gone or have fewer rows. Where rows were both lost and added,
    /// numbers do not show it
    #[arg(long)]
    pub(crate) loss_only: bool,
    /// A table that may change (schema.name); may be given several times
    #[arg(long = "allow", value_name = "SCHEMA.TABLE")]
    pub(crate) allow: Vec<String>,
}

/// Check whether the data is as the rules of opskit.toml ([[rule]]) want it; exit 1 when a rule is broken
///
/// All rules are asked in one snapshot. Rows that break one are shown by their form only: letters are x, digits 9.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ValidateArgs {
    /// The database: a URL, or a target of opskit.toml [default: DATABASE_URL, SUPABASE_DB_URL, the default target]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,
    /// Ask this rule only; may be given several times
    #[arg(long = "rule", value_name = "ID")]
    pub(crate) rules: Vec<String>,
    /// How many rows that break a rule are shown
    #[arg(long, value_name = "N", default_value_t = 3)]
    pub(crate) samples: u32,
}
