//! `health`, as it is typed.

use super::RepositoryArgs;
use crate::exit::EXIT_CODES;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

/// Ask a database how it is. Exits with 1 when a probe fails, or could not have seen the problem.
///
/// Probes read on one connection, each within its time, and never wait behind a change of the schema. One that is
/// blind says so, with the GRANT that lets it see. Where a repository is named, here or in opskit.toml, its backups are
/// looked at too. Limits, what is accepted until when, and probes of your own stand in opskit.toml.
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
    /// Install `public.health_check` for callers of PostgREST (Supabase: GET /rest/v1/rpc/health_check with the anon key)
    Install(Box<HealthInstallArgs>),
    /// Take the numbers anew that `public.health_check` tells; from cron, or as `select opskit_health.refresh()`
    Refresh(HealthDatabaseArgs),
    /// Take `public.health_check` away, and all that it needs
    Uninstall(HealthDatabaseArgs),
    /// Put the probes to the test: break a scratch server in every way, and see that each probe sees it
    SelfTest(HealthSelfTestArgs),
    /// Answer over HTTP: /livez, /readyz, /health and /metrics
    Serve(Box<HealthServeArgs>),
}

/// Answer over HTTP: `/livez` (this process), `/readyz` (the critical probes), `/health` (all) and `/metrics`.
///
/// However many ask, the database is asked by one run at a time, over one connection, and no more often than the ages
/// below. `/health` tells a state, and all of the report to whoever bears the token of OPSKIT_HEALTH_TOKEN; where one is
/// set, `/metrics` wants it too. Ends in order on SIGTERM and Ctrl-C.
#[derive(Debug, Args)]
pub(crate) struct HealthServeArgs {
    /// The database: a URL, or a target of opskit.toml [default: DATABASE_URL, SUPABASE_DB_URL, the default target]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
    /// Where to listen; with port 0 the system chooses one, which is told
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:9643")]
    pub(crate) listen: String,
    /// A probe, or a group, without which nothing works; may be given several times
    #[arg(long = "critical", value_name = "ID", default_values = ["connections.latency", "connections.saturation", "vacuum.wraparound"])]
    pub(crate) critical: Vec<String>,
    /// How old an answer of /health and /metrics may be
    #[arg(long, value_name = "TIME", default_value = "30s")]
    pub(crate) max_age: String,
    /// How old an answer of /readyz may be
    #[arg(long, value_name = "TIME", default_value = "5s")]
    pub(crate) ready_max_age: String,
    /// A chain of certificates, as PEM: TLS instead of plain HTTP
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub(crate) tls_cert: Option<PathBuf>,
    /// The key of the first of them, as PEM
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub(crate) tls_key: Option<PathBuf>,
}

/// Put the probes to the test.
///
/// A scratch server on this machine is broken on purpose, one thing after the other: each probe must be green before, red
/// with its fault, and green again. Exits with 1 when one is not. Takes a minute or two, and no database but its own.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct HealthSelfTestArgs {
    /// Try this probe only (locks.blocked), or those of this group (locks); may be given several times
    #[arg(long = "probe", value_name = "ID")]
    pub(crate) probes: Vec<String>,
    /// The directory of the server binaries [default: OPSKIT_PG_BIN, PATH, the usual places]
    #[arg(long, value_name = "DIR")]
    pub(crate) pg_bin: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct HealthDatabaseArgs {
    /// The database: a URL, or a target of opskit.toml [default: DATABASE_URL, SUPABASE_DB_URL, the default target]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,
}

/// Install `public.health_check`, or bring it up to date.
///
/// It runs with its caller's rights, costs the same whatever the tables hold, and answers 503 when a table of the
/// exposed schemas can be reached without row-level security, when there are no policies, or when the numbers could not
/// be taken. Whoever has the anon key reads all that it tells, so numbers of rows are withheld unless asked for.
#[derive(Debug, Args)]
pub(crate) struct HealthInstallArgs {
    #[command(flatten)]
    pub(crate) database: HealthDatabaseArgs,
    /// Show the SQL, for a migration or a review, and connect to nothing
    #[arg(long)]
    pub(crate) print: bool,
    /// Install nothing: look from outside whether the function answers as it should, and nothing else can be reached. The
    /// URL is that of the Supabase project or of PostgREST; the anon key comes from SUPABASE_ANON_KEY
    #[arg(long, value_name = "URL", conflicts_with = "print")]
    pub(crate) check: Option<String>,
    /// With --check: a table whose rows nobody may read with that key; may be given several times
    #[arg(long = "private", value_name = "TABLE", requires = "check")]
    pub(crate) private: Vec<String>,
    /// Tell this name of the service
    #[arg(long, value_name = "NAME")]
    pub(crate) service: Option<String>,
    /// Tell this release
    #[arg(long, value_name = "TEXT")]
    pub(crate) release: Option<String>,
    /// A schema that PostgREST serves; may be given several times
    #[arg(
        long = "exposed-schema",
        value_name = "SCHEMA",
        default_value = "public"
    )]
    pub(crate) schemas: Vec<String>,
    /// Who may call; may be given several times [default: anon, authenticated and service_role, where they exist]
    #[arg(long = "caller", value_name = "ROLE")]
    pub(crate) callers: Vec<String>,
    /// A table that everybody may reach, because that is wanted; may be given several times
    #[arg(long = "open", value_name = "SCHEMA.TABLE")]
    pub(crate) open: Vec<String>,
    /// Tell how many rows this table has; may be given several times
    #[arg(long = "count", value_name = "SCHEMA.TABLE")]
    pub(crate) tables: Vec<String>,
    /// How rows are counted: by each refresh, by the server's statistics, or not at all
    #[arg(long, value_enum, default_value_t = HealthCounts::Estimated)]
    pub(crate) counts: HealthCounts,
    /// Tell the largest value of a column, such as the time of the last payment; may be given several times
    #[arg(long = "latest", value_name = "KEY=SCHEMA.TABLE.COLUMN")]
    pub(crate) latest: Vec<String>,
    /// From which age on the numbers are called stale
    #[arg(long, value_name = "TIME", default_value = "15m")]
    pub(crate) max_age: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum HealthCounts {
    /// Counted by each refresh
    Exact,
    /// What the server's statistics say
    Estimated,
    /// Not told
    Withheld,
}

#[derive(Debug, Args)]
pub(crate) struct HealthCheckArgs {
    /// The database: a URL, or a target of opskit.toml [default: DATABASE_URL, SUPABASE_DB_URL, the default target]
    #[arg(long, value_name = "URL")]
    pub(crate) db: Option<String>,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
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
    /// For Prometheus and its kin
    Openmetrics,
}
