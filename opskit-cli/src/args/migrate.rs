//! `migrate`, as it is typed.

use super::RepositoryArgs;
use crate::exit::EXIT_CODES;
use clap::{Args, Subcommand};
use opskit_core::config::parse_duration;
use opskit_core::migrate::Version;
use std::path::PathBuf;
use std::time::Duration;

/// Bring the schema of a database forward, with a backup before and a way back.
///
/// Migrations are files named VERSION_name.sql in migrations, supabase/migrations, sql/migrations or db/migrations. The
/// histories of sqlx, the Supabase CLI and refinery are taken over and kept in step.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct MigrateArgs {
    #[command(subcommand)]
    pub(crate) what: MigrateAction,
}

#[derive(Debug, Subcommand)]
pub(crate) enum MigrateAction {
    New(MigrateNewArgs),
    Status(MigrateOn),
    Plan(MigratePlanArgs),
    Rehearse(MigrateRehearseArgs),
    Apply(MigrateApplyArgs),
    Verify(MigrateVerifyArgs),
    Drift(MigrateDriftArgs),
    Baseline(MigrateBaselineArgs),
    Repair(MigrateRepairArgs),
}

/// Make an empty migration, with the time as its version.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct MigrateNewArgs {
    /// What it does, in a few words: "add orders"
    #[arg(value_name = "NAME")]
    pub(crate) name: String,
    /// Make a second file that takes it back
    #[arg(long)]
    pub(crate) down: bool,
    #[command(flatten)]
    pub(crate) files: FilesArgs,
}

/// Where the migrations are.
#[derive(Debug, Clone, Args)]
pub(crate) struct FilesArgs {
    /// The folder of the migrations [default: folder in [migrate] of opskit.toml, else the usual ones]
    #[arg(long, value_name = "DIR")]
    pub(crate) dir: Option<PathBuf>,
}

/// Show how each migration stands. Exits with 1 when there is something to do or something is wrong.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct MigrateOn {
    /// The database: a URL, or a target of opskit.toml [default: DATABASE_URL, SUPABASE_DB_URL, the default target]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,
    #[command(flatten)]
    pub(crate) files: FilesArgs,
}

/// Which migrations run.
#[derive(Debug, Args)]
pub(crate) struct WantedArgs {
    /// The last version to run [default: all]
    #[arg(long, value_name = "VERSION")]
    pub(crate) to: Option<Version>,
    /// Run migrations with a lower version than one that ran
    #[arg(long)]
    pub(crate) allow_out_of_order: bool,
    /// Go on where versions in the history have no file
    #[arg(long)]
    pub(crate) allow_missing: bool,
}

/// Show what `apply` would do: each statement, its locks, and what the gate says of it. Changes nothing.
///
/// Exits with 1 when the gate finds what a production target refuses.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct MigratePlanArgs {
    #[command(flatten)]
    pub(crate) on: MigrateOn,
    #[command(flatten)]
    pub(crate) wanted: WantedArgs,
}

/// Run the pending migrations on a scratch server with the rows of a backup, and measure what each statement does.
///
/// The report tells locks, rewrites, rows, log and size; what went or got weaker is judged by what is different
/// behind the run. Keep it (`--json > rehearsal.json`) for `apply --rehearsed`. Exits with 1 unless all could be proven.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct MigrateRehearseArgs {
    /// The backup
    #[arg(value_name = "ID", default_value = "latest")]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) on: MigrateOn,
    #[command(flatten)]
    pub(crate) wanted: WantedArgs,
    #[command(flatten)]
    pub(crate) limits: RunLimitArgs,
    /// Tests that must hold afterwards: folders or files; may be given several times [default: as for apply]
    #[arg(long, value_name = "PATH")]
    pub(crate) tests: Vec<PathBuf>,
    /// The directory of the scratch server's programs [default: the oldest that will do]
    #[arg(long, value_name = "DIR")]
    pub(crate) pg_bin: Option<PathBuf>,
    /// Write the report for people here as well
    #[arg(long, value_name = "FILE")]
    pub(crate) markdown: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

/// Back up, migrate, test, and remember what the schema is then.
///
/// A migration and its line in the history are one transaction. One that cannot be in a transaction runs statement by
/// statement, and goes on where it was interrupted. When tests fail, the migrations are taken back where that loses
/// nothing of anybody's; otherwise the run ends and says what can be done.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct MigrateApplyArgs {
    #[command(flatten)]
    pub(crate) on: MigrateOn,
    #[command(flatten)]
    pub(crate) wanted: WantedArgs,
    #[command(flatten)]
    pub(crate) limits: RunLimitArgs,
    /// Tests that must hold afterwards: folders or files; may be given several times [default: tests in [migrate] of
    /// opskit.toml, else supabase/tests where it is]
    #[arg(long, value_name = "PATH")]
    pub(crate) tests: Vec<PathBuf>,
    /// Take no backup; for targets of class scratch
    #[arg(long)]
    pub(crate) no_backup: bool,
    /// Take one more backup when all went well
    #[arg(long, conflicts_with = "no_backup")]
    pub(crate) backup_after: bool,
    /// Whoever writes was stopped: when tests fail and nobody else is connected, restore the backup in place
    #[arg(long)]
    pub(crate) writers_stopped: bool,
    /// When tests fail: restore into a new database and rename it into the place of the old, instead of in place
    #[arg(long)]
    pub(crate) swap_database: bool,
    /// Go on where the schema was changed since the last run
    #[arg(long)]
    pub(crate) accept_drift: bool,
    /// The document of a rehearsal (`migrate rehearse --json`): the run is refused when other files would run, when it
    /// failed, and on a production target when something went that has no --accept-harm
    #[arg(long, value_name = "FILE")]
    pub(crate) rehearsed: Option<PathBuf>,
    /// How long nobody could read a table in the rehearsal
    #[arg(long, value_name = "TIME", value_parser = parse_duration, requires = "rehearsed")]
    pub(crate) max_access_exclusive: Option<Duration>,
    /// An object that may go or get weaker, as the rehearsal names it, and why; may be given several times
    #[arg(long, value_name = "OBJECT=REASON", requires = "rehearsed")]
    pub(crate) accept_harm: Vec<String>,
    /// Confirm that a production target is meant
    #[arg(long, value_name = "NAME")]
    pub(crate) confirm: Option<String>,
    /// Encrypt the backup for this public key of age, or passphrase; may be given several times
    #[arg(long, value_name = "KEY")]
    pub(crate) recipient: Vec<String>,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

/// How long things are waited for.
#[derive(Debug, Args)]
pub(crate) struct RunLimitArgs {
    /// How long a statement waits for a lock, and everybody behind it, before it gives way [default: 2s]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) lock_timeout: Option<Duration>,
    /// For how long a statement that gets no lock is tried again [default: 2min]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) lock_deadline: Option<Duration>,
    /// How long a statement may take [default: no limit]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) statement_timeout: Option<Duration>,
    /// How long to wait for another run, or a backup, to end [default: 1min]
    #[arg(long, value_name = "TIME", value_parser = parse_duration)]
    pub(crate) wait: Option<Duration>,
}

/// Run tests of the database: files of pgTAP, or queries whose rows are name, ok, detail.
///
/// Each file runs in a transaction that is rolled back. `-- opskit: as ROLE {claims}` as its first line has it run as
/// that role with these JWT claims. A file that tests nothing fails.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct MigrateVerifyArgs {
    /// Folders or files [default: tests in [migrate] of opskit.toml, else supabase/tests]
    #[arg(value_name = "PATH")]
    pub(crate) tests: Vec<PathBuf>,
    /// The database: a URL, or a target of opskit.toml [default: DATABASE_URL, SUPABASE_DB_URL, the default target]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,
}

/// Show what was changed in the schema since the last run of migrations. Exits with 1 when something was.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct MigrateDriftArgs {
    /// Take what is there now for what the last run left
    #[arg(long)]
    pub(crate) accept: bool,
    /// Compare with the migrations that ran, replayed on a scratch server, instead
    #[arg(long, conflicts_with = "accept")]
    pub(crate) replay: bool,
    /// The directory of the scratch server's programs [default: the oldest that will do]
    #[arg(long, value_name = "DIR", requires = "replay")]
    pub(crate) pg_bin: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) on: MigrateOn,
}

/// Declare that migrations were done before opskit came. Runs nothing.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct MigrateBaselineArgs {
    /// The last version that is done
    #[arg(value_name = "VERSION")]
    pub(crate) version: Version,
    #[command(flatten)]
    pub(crate) on: MigrateOn,
}

/// Accept that the file of a migration that ran is another one now. Both digests and the reason are kept.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct MigrateRepairArgs {
    /// The version
    #[arg(long, value_name = "VERSION")]
    pub(crate) accept: Version,
    /// Why it is right
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: String,
    #[command(flatten)]
    pub(crate) on: MigrateOn,
}
