//! What was typed. Nothing here is checked against anything but itself.

mod backup;
mod environment;
mod health;
mod history;
mod keys;
mod migrate;
mod restore;
mod retention;
mod state;

pub(crate) use backup::{
    BackupArgs, CopyArgs, ListArgs, OfArgs, RepositoryArgs, ShowArgs, SigningArgs, VerifyArgs,
};
pub(crate) use environment::{EnvAction, EnvArgs};
pub(crate) use health::{
    HealthAction, HealthArgs, HealthCheckArgs, HealthCounts, HealthDatabaseArgs, HealthFormat,
    HealthInstallArgs, HealthSelfTestArgs, HealthServeArgs,
};
pub(crate) use history::{HistoryAction, HistoryArgs, HistoryFormat, HistoryVerifyArgs};
pub(crate) use keys::{
    KeysAction, KeysArgs, KeysCheckArgs, KeysNewArgs, KeysParquetArgs, KeysRecipientArgs,
    KeysRekeyArgs, KeysSignArgs,
};
pub(crate) use migrate::{
    FilesArgs, MigrateAction, MigrateApplyArgs, MigrateArgs, MigrateBaselineArgs, MigrateDriftArgs,
    MigrateNewArgs, MigrateOn, MigratePlanArgs, MigrateRehearseArgs, MigrateRepairArgs,
    MigrateVerifyArgs, RunLimitArgs, WantedArgs,
};
pub(crate) use restore::{DrillArgs, RestoreArgs};
pub(crate) use retention::{ForgetArgs, PinArgs, PruneArgs, RuleArgs};
pub(crate) use state::{StateAction, StateArgs, StateCaptureArgs, StateCompareArgs, ValidateArgs};

use crate::exit::EXIT_CODES;
use crate::limits::LimitArgs;

use clap::{Args, Parser, Subcommand, ValueEnum};
use opskit_core::export::Exactness;
use std::ffi::OsString;
use std::path::PathBuf;
use std::str::FromStr;

/// Keeps Postgres databases safe: backs up, verifies, restores and drills; gets tables out exactly.
///
/// The result goes to standard output, everything else to standard error.
#[derive(Debug, Parser)]
#[command(name = "opskit", bin_name = "opskit", version, after_help = EXIT_CODES, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) print: PrintArgs,
    /// The configuration [default: OPSKIT_CONFIG, else opskit.toml here or above]
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What is told, and how.
#[derive(Debug, Clone, Copy, Default, Args)]
pub(crate) struct PrintArgs {
    /// Print one JSON document on standard output; for a failure too
    #[arg(long, global = true, help_heading = "Output")]
    pub(crate) json: bool,
    /// Print nothing but data, JSON documents and errors
    #[arg(
        short,
        long,
        global = true,
        conflicts_with = "verbose",
        help_heading = "Output"
    )]
    pub(crate) quiet: bool,
    /// Log to standard error what is being done; one line per finished part
    #[arg(short, long, global = true, help_heading = "Output")]
    pub(crate) verbose: bool,
}

impl PrintArgs {
    /// What is likely meant by arguments that cannot be parsed.
    pub(crate) fn guess(args: &[OsString]) -> Self {
        let has = |word: &str| args.iter().any(|arg| arg == word);
        Self {
            json: has("--json"),
            ..Self::default()
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Export(ExportArgs),
    Backup(BackupArgs),
    List(ListArgs),
    Show(ShowArgs),
    Verify(VerifyArgs),
    Copy(CopyArgs),
    Restore(RestoreArgs),
    Drill(DrillArgs),
    Migrate(MigrateArgs),
    Health(HealthArgs),
    State(StateArgs),
    Validate(ValidateArgs),
    History(HistoryArgs),
    Forget(ForgetArgs),
    Prune(PruneArgs),
    Pin(PinArgs),
    Keys(KeysArgs),
    Demo(DemoArgs),
    Schema(SchemaArgs),
    Config(ConfigArgs),
    Env(EnvArgs),
    Generate(GenerateArgs),
}

/// Export tables or the rows of a query, all from one snapshot.
///
/// Values that a format has no form for (a numeric NaN, a two-dimensional array) are kept in a side
/// file with the suffix .exact. A file or directory has its name only when it is complete.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ExportArgs {
    /// Tables, as psql patterns: orders, 'public.*', '"Odd.Name"'
    #[arg(value_name = "TABLE|PATTERN", required_unless_present = "query")]
    pub(crate) tables: Vec<String>,
    /// Export the rows of this SELECT instead
    #[arg(long, value_name = "SQL", conflicts_with = "tables")]
    pub(crate) query: Option<String>,
    /// Where to: a file (by its suffix: .parquet .arrow .csv .jsonl .pgcopy .pgcopy.zst), - for
    /// standard output, or a directory. One that does not exist becomes the result; in one that exists
    /// a new one is made, named by the time [default: such a one in the working directory]
    #[arg(short, long, value_name = "FILE|DIR|-")]
    pub(crate) output: Option<PathBuf>,
    /// The format of the files [default: by the suffix of FILE, else parquet]
    #[arg(long, value_enum)]
    pub(crate) format: Option<Format>,
    /// none or zstd:LEVEL, for parquet and pgcopy [default: zstd:1; none for pgcopy in a .pgcopy file
    /// or on standard output]
    #[arg(long, value_name = "zstd:1|none")]
    pub(crate) compression: Option<Compression>,
    /// What becomes of values that the format has no form for: kept in a side file, an error, or NULL
    #[arg(long, value_enum, default_value_t = ExactnessArg::Exact)]
    pub(crate) exactness: ExactnessArg,
    /// Replace FILE if it exists
    #[arg(long)]
    pub(crate) overwrite: bool,
    #[command(flatten)]
    pub(crate) limits: LimitArgs,
    /// The database: a URL, or a target of opskit.toml [default: DATABASE_URL, else SUPABASE_DB_URL, else
    /// the default target, else the PG* variables]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,
    /// Show what would be read, and read nothing
    #[arg(long)]
    pub(crate) plan: bool,
}

/// Show the whole loop on throw-away servers: backup, accident, restore and drill, each with its proof.
///
/// Each step shows the command that a user would type, what it proved, and how long it took. Needs the
/// programs of a Postgres server on this machine (initdb, postgres), and leaves nothing behind. Exits with
/// 1 when anything is not as it was.
#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Keep the files here: a directory that does not exist yet
    #[arg(long, value_name = "DIR")]
    pub(crate) keep: Option<PathBuf>,
    /// The directory of the server programs [default: OPSKIT_PG_BIN, else the newest that is found]
    #[arg(long, value_name = "DIR")]
    pub(crate) pg_bin: Option<PathBuf>,
}

/// Look at the objects of a database: tables, functions, policies and all else that is not rows.
#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    #[command(subcommand)]
    pub(crate) what: Schema,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Schema {
    /// Print the SQL that makes all objects again, for psql
    Dump {
        /// The database: a URL, or a target of opskit.toml [default: DATABASE_URL, else SUPABASE_DB_URL, else
        /// the default target, else the PG* variables]
        #[arg(long, value_name = "URL")]
        db: Option<String>,
    },
    /// Write down what is true of all objects, roles and settings, as JSON that can be compared
    ///
    /// Secrets (options of user mappings, connection strings, options that are named like secrets)
    /// are salted digests.
    Snapshot {
        /// The database [default: DATABASE_URL, else SUPABASE_DB_URL, else the PG* variables]
        #[arg(long, value_name = "URL")]
        db: Option<String>,
        /// The file [default: standard output]
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Show how the objects, roles and settings of two databases differ; exit 1 when they do
    #[command(after_help = EXIT_CODES)]
    Diff {
        /// A database's URL, or a file that `opskit schema snapshot` wrote
        #[arg(value_name = "A")]
        a: String,
        /// The other one
        #[arg(value_name = "B")]
        b: String,
        /// Compare the objects alone, not roles, tablespaces and settings of the database
        #[arg(long)]
        objects_only: bool,
    },
}

/// Look at the configuration, opskit.toml.
#[derive(Debug, Args)]
pub(crate) struct ConfigArgs {
    /// What to do
    #[arg(value_enum)]
    pub(crate) what: ConfigAction,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ConfigAction {
    /// Read it and say what is wrong
    Check,
    /// Print what it means, without passwords
    Show,
}

/// Write man pages or shell completions.
#[derive(Debug, Args)]
pub(crate) struct GenerateArgs {
    #[command(subcommand)]
    pub(crate) what: Generate,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Generate {
    /// Write a man page per command into a directory
    Man {
        /// The directory, made where it is missing
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
    /// Print the completions for a shell
    Completions {
        /// The shell
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// Parquet
    Parquet,
    /// The bytes of COPY … (FORMAT binary), verbatim
    Pgcopy,
    /// Arrow IPC: the file format, on standard output the stream format
    Arrow,
    /// One JSON document per line, by the server's to_json
    Jsonl,
    /// The server's CSV, with a header
    Csv,
}

impl Format {
    /// Its name on the command line.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Pgcopy => "pgcopy",
            Self::Arrow => "arrow",
            Self::Jsonl => "jsonl",
            Self::Csv => "csv",
        }
    }

    /// Whether it is for people's eyes too.
    pub(crate) fn is_text(self) -> bool {
        matches!(self, Self::Jsonl | Self::Csv)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExactnessArg {
    /// Keep them bit for bit in a side file
    Exact,
    /// Fail at the first one
    Strict,
    /// Leave them NULL, and say how many there were
    Interop,
}

impl From<ExactnessArg> for Exactness {
    fn from(arg: ExactnessArg) -> Self {
        match arg {
            ExactnessArg::Exact => Self::Exact,
            ExactnessArg::Strict => Self::Strict,
            ExactnessArg::Interop => Self::Interop,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    None,
    /// Zstandard of this level.
    Zstd(i32),
}

impl Compression {
    /// The level, 0 for none.
    pub(crate) fn level(self) -> i32 {
        match self {
            Self::None => 0,
            Self::Zstd(level) => level,
        }
    }
}

impl FromStr for Compression {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "none" {
            return Ok(Self::None);
        }
        text.strip_prefix("zstd:")
            .and_then(|level| level.parse().ok())
            .filter(|level| (1..=22).contains(level))
            .map(Self::Zstd)
            .ok_or_else(|| "write none, or zstd:LEVEL with a level from 1 to 22".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory as _;

    #[test]
    fn definitions_are_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn everything_is_documented() {
        fn check(command: &clap::Command) {
            assert!(command.get_about().is_some(), "{}", command.get_name());
            for arg in command.get_arguments() {
                assert!(
                    arg.get_help().is_some(),
                    "{} {}",
                    command.get_name(),
                    arg.get_id()
                );
            }
            command.get_subcommands().for_each(check);
        }
        check(&Cli::command());
    }

    #[test]
    fn compression_is_none_or_a_level() {
        assert_eq!("none".parse(), Ok(Compression::None));
        assert_eq!("zstd:3".parse(), Ok(Compression::Zstd(3)));
        for bad in ["", "zstd", "zstd:0", "zstd:23", "gzip:1"] {
            assert!(bad.parse::<Compression>().is_err(), "{bad}");
        }
    }
}
