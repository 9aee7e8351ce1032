//! `forget`, `prune` and `pin`, as they are typed.

use super::{OfArgs, RepositoryArgs};
use crate::exit::EXIT_CODES;
use clap::Args;
use opskit_core::config::{Retention, parse_duration};
use opskit_core::repository::BackupId;
use std::time::Duration;

/// Remove the backups that no rule keeps. Shows the plan; --yes removes.
///
/// A backup stays when a rule says so: one typed here, else those of opskit.toml, else 30 days of a production
/// target and 7 days of a staging one. Whatever the rules say, these stay: the newest whole backup of each database,
/// pinned backups, those that cannot be read or were found bad, and all of a database whose last run failed.
/// With IDs, those are to go and no others.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct ForgetArgs {
    /// Remove these backups, whatever the rules say of them
    #[arg(value_name = "ID", conflicts_with = "rules")]
    pub(crate) ids: Vec<BackupId>,
    #[command(flatten)]
    pub(crate) rules: RuleArgs,
    /// Remove after a failed run too
    #[arg(long)]
    pub(crate) even_after_failure: bool,
    /// Remove what the plan says
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

/// What to keep. Days, weeks and so on are those of UTC; only those count that have a backup.
#[derive(Debug, Args)]
#[group(id = "rules", multiple = true)]
pub(crate) struct RuleArgs {
    /// Keep the last N backups
    #[arg(long, value_name = "N", value_parser = count(), help_heading = "Rules")]
    keep_last: Option<u32>,
    /// Keep those that are not older than the newest by more than this
    #[arg(long, value_name = "TIME", value_parser = parse_duration, help_heading = "Rules")]
    keep_within: Option<Duration>,
    /// Keep the last backup of each of the last N hours
    #[arg(long, value_name = "N", value_parser = count(), help_heading = "Rules")]
    keep_hourly: Option<u32>,
    /// Keep the last backup of each of the last N days
    #[arg(long, value_name = "N", value_parser = count(), help_heading = "Rules")]
    keep_daily: Option<u32>,
    /// Keep the last backup of each of the last N weeks, from Monday on
    #[arg(long, value_name = "N", value_parser = count(), help_heading = "Rules")]
    keep_weekly: Option<u32>,
    /// Keep the last backup of each of the last N months
    #[arg(long, value_name = "N", value_parser = count(), help_heading = "Rules")]
    keep_monthly: Option<u32>,
    /// Keep the last backup of each of the last N quarters
    #[arg(long, value_name = "N", value_parser = count(), help_heading = "Rules")]
    keep_quarterly: Option<u32>,
    /// Keep the last backup of each of the last N years
    #[arg(long, value_name = "N", value_parser = count(), help_heading = "Rules")]
    keep_yearly: Option<u32>,
    /// Keep the last N that a verification or a drill found good; remove nothing while there are fewer
    #[arg(long, value_name = "N", value_parser = count(), help_heading = "Rules")]
    keep_verified: Option<u32>,
    /// Count backups with other values of this tag apart
    #[arg(
        long,
        value_name = "TAG",
        value_delimiter = ',',
        help_heading = "Rules"
    )]
    group_by: Vec<String>,
}

fn count() -> clap::builder::RangedI64ValueParser<u32> {
    clap::value_parser!(u32).range(1..=100_000)
}

impl RuleArgs {
    /// What was typed, over what the file says.
    pub(crate) fn over(&self, file: Option<Retention>) -> Option<Retention> {
        let file = file.unwrap_or_default();
        let mut rules = Retention::default();
        rules.keep_last = self.keep_last;
        rules.keep_within = self.keep_within;
        rules.keep_hourly = self.keep_hourly;
        rules.keep_daily = self.keep_daily;
        rules.keep_weekly = self.keep_weekly;
        rules.keep_monthly = self.keep_monthly;
        rules.keep_quarterly = self.keep_quarterly;
        rules.keep_yearly = self.keep_yearly;
        if !rules.says_something() {
            rules = file.clone();
        }
        // A minimum of the file holds whatever rules are typed.
        rules.keep_verified = self.keep_verified.or(file.keep_verified);
        rules.group_by = match self.group_by.is_empty() {
            true => file.group_by,
            false => self.group_by.clone(),
        };
        (rules != Retention::default()).then_some(rules)
    }
}

/// Remove what runs that were killed left. Shows the plan; --yes removes.
///
/// What is being written, and every complete backup, is left alone. The next backup does the same unasked.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct PruneArgs {
    /// Remove what the plan says
    #[arg(long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

/// Pin a backup, so that no rule removes it.
#[derive(Debug, Args)]
#[command(after_help = EXIT_CODES)]
pub(crate) struct PinArgs {
    /// The backup, or latest
    #[arg(value_name = "ID")]
    pub(crate) id: String,
    /// Take the pin away
    #[arg(long, conflicts_with_all = ["reason", "until"])]
    pub(crate) remove: bool,
    /// Why
    #[arg(long, value_name = "TEXT")]
    pub(crate) reason: Option<String>,
    /// Until when: a day (2027-01-01, from its beginning in UTC on it is no longer pinned), a time
    /// (2027-01-01T12:00:00Z), or how long (90d) [default: for ever]
    #[arg(long, value_name = "WHEN")]
    pub(crate) until: Option<String>,
    #[command(flatten)]
    pub(crate) of: OfArgs,
    #[command(flatten)]
    pub(crate) repository: RepositoryArgs,
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Typed {
        #[command(flatten)]
        rules: RuleArgs,
    }

    fn typed(args: &[&str]) -> RuleArgs {
        let args = ["x"].iter().chain(args);
        Typed::parse_from(args).rules
    }

    #[test]
    fn what_is_typed_stands_over_the_file() {
        let mut file = Retention::default();
        file.keep_daily = Some(7);
        file.keep_verified = Some(2);
        file.group_by = vec!["release".to_owned()];
        assert_eq!(typed(&[]).over(Some(file.clone())), Some(file.clone()));
        assert_eq!(typed(&[]).over(None), None);
        let rules = typed(&["--keep-last", "1"])
            .over(Some(file.clone()))
            .unwrap();
        assert_eq!((rules.keep_last, rules.keep_daily), (Some(1), None));
        assert_eq!((rules.keep_verified, rules.group_by.len()), (Some(2), 1));
        let rules = typed(&["--keep-verified", "5", "--group-by", "a,b"])
            .over(Some(file))
            .unwrap();
        assert_eq!((rules.keep_daily, rules.keep_verified), (Some(7), Some(5)));
        assert_eq!(rules.group_by, ["a", "b"]);
    }
}
