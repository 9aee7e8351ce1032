//! The commands around backups, as they are typed.

use super::Compression;
use crate::exit::EXIT_CODES;
use crate::limits::LimitArgs;
use clap::{Args, ValueEnum};
use opskit_core::repository::{Among, BackupType, DataFormat, VerifyLevel};
use opskit_core::seal::VerifyingKey;
use std::path::PathBuf;

/// Where backups are kept.
#[derive(Debug, Args)]
pub(crate) struct RepositoryArgs {
    /// The repository: a directory, a URL (s3://bucket/prefix, gs://…, az://…), or a name of opskit.toml
    /// [default: OPSKIT_REPO, else the one of the target or the default one of opskit.toml, else ./backups]
    #[arg(long, value_name = "DIR|URL")]
    pub(crate) repo: Option<String>,

    /// A key file of age that opens encrypted backups; may be given several times [default: OPSKIT_IDENTITY]
    #[arg(long, value_name = "FILE")]
    pub(crate) identity: Vec<PathBuf>,

    /// Read backups in the clear too, where opskit.toml says that they are encrypted
    #[arg(long)]
    pub(crate) accept_clear: bool,

    /// Take only backups that this key signed (ed25519:…); may be given several times, one of them is enough
    /// [default: signers of opskit.toml]
    #[arg(long, value_name = "KEY")]
    pub(crate) require_signature: Vec<VerifyingKey>,

    /// Take backups that nobody signed too, where signatures are asked for
    #[arg(long)]
    pub(crate) accept_unsigned: bool,
}

/// What signs.
#[derive(Debug, Args)]
pub(crate) struct SigningArgs {
    /// Sign with this key file [default: OPSKIT_SIGNING_KEY]
    #[arg(long, value_name = "FILE")]
    pub(crate) signing_key: Option<PathBuf>,
}

/// Which backups are meant.
#[derive(Debug, Args)]
pub(crate) struct OfArgs {
    /// The database that backups are of: a target of opskit.toml, or its own name. Where a repository has
    /// backups of several, latest needs it
    #[arg(long, alias = "target", value_name = "TARGET|DATABASE")]
    pub(crate) of: Option<String>,
}

impl OfArgs {
    /// All of that database.
    pub(crate) fn among(&self) -> Among {
        match &self.of {
            Some(name) => Among::all().of(name),
            None => Among::all(),
        }
    }
}

/// Back a database up: all objects, and all rows from one snapshot.
///
/// A backup appears in the repository only when it is complete. What cannot be carried is named before
/// a row is read, and fails the backup unless it is accepted by name.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct BackupArgs {
    /// Store the rows of these tables only, as psql patterns; of all objects, the definitions are stored
    /// anyway
    #[arg(long, value_name = "PATTERN")]
    pub(crate) only: Vec<String>,
    /// Store no rows of these tables and no values of these sequences, as psql patterns
    #[arg(long, value_name = "PATTERN")]
    pub(crate) exclude: Vec<String>,
    /// Store no large objects
    #[arg(long)]
    pub(crate) exclude_large_objects: bool,
    /// Leave a schema out, by its exact name
    #[arg(long, value_name = "SCHEMA")]
    pub(crate) ignore_schema: Vec<String>,
    /// What to store: objects and rows, or objects only
    #[arg(long = "type", value_enum, default_value_t = TypeArg::Full)]
    pub(crate) backup_type: TypeArg,
    /// The form of the rows
    #[arg(long, value_enum, default_value_t = DataFormatArg::Parquet)]
    pub(crate) format: DataFormatArg,
    /// none or zstd:LEVEL; pgcopy is always compressed
    #[arg(long, value_name = "zstd:1|none", default_value = "zstd:1")]
    pub(crate) compression: Compression,
    /// Write KEY=VALUE on the backup
    #[arg(long = "tag", value_name = "KEY=VALUE", value_parser = parse_tag)]
    pub(crate) tags: Vec<(String, String)>,
    /// Encrypt for this public key of age (age1…), or for passphrase; may be given several times
    /// [default: recipients of opskit.toml, else in the clear]
    #[arg(long, value_name = "RECIPIENT")]
    pub(crate) recipient: Vec<String>,
    #[command(flatten)]
    pub(crate) signing: SigningArgs,
    /// Go without an object that cannot be carried, by the name that --plan tells
    #[arg(long, value_name = "OBJECT")]
    pub(crate) accept_loss: Vec<String>,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
    /// The database: a URL, or a target of opskit.toml [default: DATABASE_URL, else SUPABASE_DB_URL, else
    /// the default target, else the PG* variables]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,
    /// Make the repository that opskit.toml names, where it is not there yet
    #[arg(long)]
    pub(crate) init: bool,
    /// Show what would be stored and what stands in the way, and store nothing
    #[arg(long)]
    pub(crate) plan: bool,
}

/// List the backups of a repository, the oldest first.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

/// Show what a backup holds.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ShowArgs {
    /// The backup, or latest
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

/// Check that a backup is what its manifest says, and tell every fault.
///
/// The result goes into the history of the repository: retention counts backups that were found good.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct VerifyArgs {
    /// The backup, or latest
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    /// How deep to look
    #[arg(long, value_enum, default_value_t = LevelArg::Hash)]
    pub(crate) level: LevelArg,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

/// Copy a backup to another place, and read every object again where it arrived.
///
/// The place is made where it is empty, and gets the identity of the repository: a copy is listed,
/// verified and restored like the original. A backup that is there already is left alone.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct CopyArgs {
    /// The backup, or latest
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Where to: a directory, a URL (s3://bucket/prefix, gs://…, az://…), or a name of opskit.toml
    #[arg(long, value_name = "DIR|URL")]
    pub(crate) to: String,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum TypeArg {
    /// Objects and rows
    Full,
    /// Objects only
    Schema,
}

impl From<TypeArg> for BackupType {
    fn from(arg: TypeArg) -> Self {
        match arg {
            TypeArg::Full => Self::Full,
            TypeArg::Schema => Self::Schema,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum DataFormatArg {
    /// Parquet, which other tools read as it stands
    Parquet,
    /// The bytes of COPY … (FORMAT binary), verbatim and compressed
    Pgcopy,
}

impl From<DataFormatArg> for DataFormat {
    fn from(arg: DataFormatArg) -> Self {
        match arg {
            DataFormatArg::Parquet => Self::Parquet,
            DataFormatArg::Pgcopy => Self::Pgcopy,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LevelArg {
    /// All objects are there and have their sizes
    List,
    /// And every byte is what was stored
    Hash,
    /// And every row decodes; counts and fingerprints are taken again
    Decode,
}

impl From<LevelArg> for VerifyLevel {
    fn from(arg: LevelArg) -> Self {
        match arg {
            LevelArg::List => Self::List,
            LevelArg::Hash => Self::Hash,
            LevelArg::Decode => Self::Decode,
        }
    }
}

fn parse_tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=VALUE".to_owned()),
    }
}
