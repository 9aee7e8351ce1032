//! `env`, as it is typed.

use crate::exit::EXIT_CODES;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Look at the environment variables that opskit.toml declares; no value is ever told.
#[derive(Debug, Args)]
pub(crate) struct EnvArgs {
    #[command(subcommand)]
    pub(crate) what: EnvAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum EnvAction {
    /// Check each declared variable against its rules; exit 1 when one is broken
    #[command(after_help = EXIT_CODES)]
    Check,
    /// Write the declared variables down as salted digests, to compare a later environment with
    ///
    /// Only an environment that is as the rules say is written down. Whoever has the file can try values:
    /// what is easy to guess is not kept from them.
    #[command(after_help = EXIT_CODES)]
    Freeze {
        /// The file [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Take the salt of this file, so that the two can be compared
        #[arg(long, value_name = "FILE")]
        like: Option<PathBuf>,
    },
    /// Show which variables are not as they were; exit 1 when one of them is frozen
    #[command(after_help = EXIT_CODES)]
    Diff {
        /// A file that `opskit env freeze` wrote
        #[arg(value_name = "A")]
        a: PathBuf,
        /// A later one [default: the environment as it is now]
        #[arg(value_name = "B")]
        b: Option<PathBuf>,
    },
}
