//! The arguments of `opskit keys`.

use super::{OfArgs, RepositoryArgs, SigningArgs};
use crate::exit::EXIT_CODES;
use clap::{Args, Subcommand};
use std::path::PathBuf;

/// Keys that backups are encrypted for and signed with: make one, prove that it opens them, change who may read.
///
/// Backups are encrypted for the recipients that opskit.toml names, or --recipient of backup: public keys of age, or
/// whoever knows a passphrase (OPSKIT_PASSPHRASE_FILE). Reading needs the key file (--identity, OPSKIT_IDENTITY).
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct KeysArgs {
    #[command(subcommand)]
    pub(crate) action: KeysAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysAction {
    /// Make a key file that nobody else can read; the public key is printed
    New(KeysNewArgs),
    /// Prove that the keys at hand open the newest backups, and that nobody else has one; exit code 1 when not
    Check(KeysCheckArgs),
    /// Let somebody else read the encrypted backups that are there too
    Add(KeysRecipientArgs),
    /// Take somebody's wrapped keys away from the backups that are there. Who has read one may have kept its key
    Remove(KeysRecipientArgs),
    /// Wrap the keys of all backups anew, for the recipients of opskit.toml or --recipient and nobody else. No data
    /// is touched
    Rekey(KeysRekeyArgs),
    /// Print the key of a backup's Parquet files, for DuckDB, pyarrow or Spark: it is a secret
    Parquet(KeysParquetArgs),
    /// Sign backups that are there: each is looked at first, every byte of it
    Sign(KeysSignArgs),
}

#[derive(Debug, Args)]
pub(crate) struct KeysNewArgs {
    /// The file to make
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,
    /// Make a key that signs backups; its public key goes into signers of opskit.toml
    #[arg(long)]
    pub(crate) signing: bool,
}

#[derive(Debug, Args)]
pub(crate) struct KeysCheckArgs {
    /// How many backups to look at, the newest first
    #[arg(long, value_name = "NUMBER", default_value_t = 5)]
    pub(crate) last: usize,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct KeysRecipientArgs {
    /// A public key (age1…), or passphrase
    #[arg(value_name = "RECIPIENT")]
    pub(crate) recipient: String,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct KeysRekeyArgs {
    /// Who may read them: a public key (age1…), or passphrase [default: recipients of opskit.toml]
    #[arg(long, value_name = "RECIPIENT")]
    pub(crate) recipient: Vec<String>,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct KeysParquetArgs {
    /// The backup, or latest
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

#[derive(Debug, Args)]
pub(crate) struct KeysSignArgs {
    /// The backups, or latest
    #[arg(value_name = "ID", required_unless_present = "all")]
    pub(crate) ids: Vec<String>,
    /// All of the repository
    #[arg(long, conflicts_with = "ids")]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) signing: SigningArgs,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}
