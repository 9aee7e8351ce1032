//! `history`, as it is typed.

use super::{OfArgs, RepositoryArgs};
use crate::exit::EXIT_CODES;
use clap::{Args, Subcommand, ValueEnum};

/// Show what happened to the backups of a repository: runs, failed ones too, verifications, drills, pins, removals.
///
/// Each record has the digest of the one before it; `history verify` finds one that is missing or was
/// edited.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES, args_conflicts_with_subcommands = true)]
pub(crate) struct HistoryArgs {
    #[command(subcommand)]
    pub(crate) what: Option<HistoryAction>,
    /// The form: a table, one JSON document, or one line of JSON per run
    #[arg(long, value_enum, default_value_t = HistoryFormat::Table)]
    pub(crate) format: HistoryFormat,
    /// Show the last records only
    #[arg(long, value_name = "N")]
    pub(crate) last: Option<usize>,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

#[derive(Debug, Subcommand)]
pub(crate) enum HistoryAction {
    Verify(HistoryVerifyArgs),
}

/// Check that no record is missing, edited or in another's place, and name each that is.
///
/// Of the last record nothing is known but what somebody kept elsewhere: keep the digest that is printed, and
/// give it the next time.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct HistoryVerifyArgs {
    /// A digest that an earlier check printed: fail unless its record is still there
    #[arg(long, value_name = "SHA256", value_parser = parse_digest)]
    pub(crate) knows: Vec<String>,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HistoryFormat {
    /// A line per record, for people
    Table,
    /// One document with all that the records say; the same as --json
    Json,
    /// A line of JSON per run, with sizes and durations for people
    Log,
}

fn parse_digest(text: &str) -> Result<String, String> {
    let digest = text.strip_prefix("sha256:").unwrap_or(text);
    let whole = digest.len() == 64 && digest.bytes().all(|byte| byte.is_ascii_hexdigit());
    match whole {
        true => Ok(digest.to_ascii_lowercase()),
        false => Err("write the 64 digits of a SHA-256".to_owned()),
    }
}
