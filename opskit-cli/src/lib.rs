//! The `opskit` command as a library, so that other packages can ship the same command.
//!
//! Read `args` (what was typed), `command` (one file each), `output` (where results go), `printer`
//! (who may write to the terminal), `exit` (how it ends).

mod args;
mod command;
mod database;
mod document;
mod environment;
mod exit;
mod keys;
mod limits;
mod logging;
#[cfg(test)]
mod manuals;
mod output;
mod overdue;
mod printer;
mod progress;
mod project;
mod repository;
mod request;
mod runtime;
mod serve;
mod summary;
mod units;

pub use environment::Environment;

use args::{Cli, Command};
use clap::{CommandFactory as _, FromArgMatches as _};
use exit::Stop;
use printer::Printer;
use std::ffi::OsString;
use std::path::PathBuf;

/// What every command is given besides its own arguments.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) printer: Printer,
    pub(crate) env: Environment,
    /// The file that `--config` names.
    pub(crate) config_file: Option<PathBuf>,
}

/// The definitions of the command line, from which help, man pages and completions are made.
///
/// ```
/// let command = opskit_cli::command_line();
/// assert_eq!(command.get_name(), "opskit");
/// ```
#[must_use]
pub fn command_line() -> clap::Command {
    Cli::command()
}

/// Runs the command with these arguments, the program's name first, and returns the status to end with.
///
/// ```
/// let status = opskit_cli::main_with(["opskit", "--version"].map(Into::into), Default::default());
/// assert_eq!(status, 0);
/// ```
pub fn main_with(args: impl IntoIterator<Item = OsString>, env: Environment) -> u8 {
    let args: Vec<OsString> = args.into_iter().collect();
    let parsed = command_line()
        .try_get_matches_from(&args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    let (printer, result) = match parsed {
        Ok(cli) => {
            let printer = Printer::new(&env, cli.print);
            let app = App {
                printer: printer.clone(),
                env,
                config_file: cli.config,
            };
            (printer, run(cli.command, app))
        }
        Err(error) => {
            let printer = Printer::new(&env, args::PrintArgs::guess(&args));
            (printer.clone(), exit::usage(&printer, &error))
        }
    };
    exit::report(&printer, result)
}

fn run(command: Command, app: App) -> Result<(), Stop> {
    logging::install(&app.printer);
    match command {
        Command::Export(args) => command::export::run(&args, &app),
        Command::Backup(args) => command::backup::run(&args, &app),
        Command::Keys(args) => command::keys::run(&args, &app),
        Command::List(args) => command::list::run(&args, &app),
        Command::Show(args) => command::show::run(&args, &app),
        Command::Verify(args) => command::verify::run(&args, &app),
        Command::Copy(args) => command::copy::run(&args, &app),
        Command::Restore(args) => command::restore::run(&args, &app),
        Command::Drill(args) => command::drill::run(&args, &app),
        Command::Migrate(args) => command::migrate::run(&args.what, &app),
        Command::Health(args) => command::health::run(&args, &app),
        Command::State(args) => command::state::run(&args, &app),
        Command::Validate(args) => command::validate::run(&args, &app),
        Command::History(args) => command::history::run(&args, &app),
        Command::Forget(args) => command::forget::run(&args, &app),
        Command::Prune(args) => command::prune::run(&args, &app),
        Command::Pin(args) => command::pin::run(&args, &app),
        Command::Config(args) => command::config::run(&args, &app),
        Command::Env(args) => command::environment::run(&args, &app),
        Command::Demo(args) => command::demo::run(&args, &app),
        Command::Schema(args) => command::schema::run(&args, &app),
        Command::Generate(args) => command::generate::run(&args, &app),
    }
}
