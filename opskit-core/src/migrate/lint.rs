//! What `squawk` says of a migration (feature `squawk`): another pair of eyes beside the gate, on locks most of all.

use super::files::Migration;
use serde::Serialize;

/// Something that a rule of `squawk` found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct Lint {
    /// The rule, as <https://squawkhq.com/docs/rules> names it.
    pub rule: String,
    /// The line of the file.
    pub line: usize,
    /// What it says.
    pub says: String,
    /// The way out, where it knows one.
    pub hint: Option<String>,
}

/// What it says of a migration; nothing without the feature.
#[cfg(not(feature = "squawk"))]
pub(super) fn lints(_migration: &Migration) -> Vec<Lint> {
    Vec::new()
}

/// What it says of a migration. Rules of style are left out, and those about time-outs, which a run has anyway. One that
/// it cannot read it says nothing of.
#[cfg(feature = "squawk")]
pub(super) fn lints(migration: &Migration) -> Vec<Lint> {
    use super::run::{Mode, Steps};
    use squawk_linter::{Linter, Rule};
    const LEFT_OUT: [Rule; 15] = [
        Rule::PreferBigintOverInt,
        Rule::PreferBigintOverSmallint,
        Rule::PreferIdentity,
        Rule::PreferRobustStmts,
        Rule::PreferTextField,
        Rule::PreferTimestampTz,
        Rule::BanCharField,
        Rule::RequireTimeoutSettings,
        Rule::RequireLockTimeout,
        Rule::RequireStatementTimeout,
        Rule::RequireEnumValueOrdering,
        Rule::IdentifierTooLong,
        Rule::TransactionNesting,
        Rule::BanUncommittedTransaction,
        Rule::UnusedIgnore,
    ];
    let text = migration.script.text();
    let mut linter = Linter::with_rules(&[], &LEFT_OUT);
    let mode = Steps::of(migration).map(|steps| steps.mode);
    linter.settings.assume_in_transaction = !matches!(mode, Ok(Mode::Statements));
    if let Ok(oldest) = "13.0.0".parse() {
        linter.settings.pg_version = oldest;
    }
    let found = linter.lint(&squawk_syntax::SourceFile::parse(text), text);
    let lint = |violation: squawk_linter::Violation| {
        let start = usize::from(violation.text_range.start());
        let before = text.as_bytes().get(..start).unwrap_or_default();
        Lint {
            rule: violation.code.to_string(),
            line: 1 + before.iter().filter(|byte| **byte == b'\n').count(),
            says: violation.message,
            hint: violation.help,
        }
    };
    found.into_iter().map(lint).collect()
}

#[cfg(feature = "squawk")]
#[cfg(test)]
mod tests {
    use super::super::Migrations;
    use super::*;

    fn rules(text: &str) -> Vec<(String, usize)> {
        let migrations = Migrations::embedded([("1_x.sql", text)]).unwrap();
        let found = lints(migrations.iter().next().unwrap());
        found.into_iter().map(|it| (it.rule, it.line)).collect()
    }

    #[test]
    fn another_pair_of_eyes_names_rule_and_line() {
        let text = "select 1;\ncreate index i on t (a);\nalter table t add constraint f foreign key (a) references u;";
        let found = rules(text);
        let has = |rule: &str, line| found.contains(&(rule.to_owned(), line));
        assert!(has("require-concurrent-index-creation", 2), "{found:?}");
        assert!(has("adding-foreign-key-constraint", 3), "{found:?}");
        assert_eq!(rules("create table t (i int, name varchar(20))"), []);
        let alone = "-- opskit: no-transaction\ncreate index concurrently i on t (a);";
        assert_eq!(rules(alone), []);
    }
}
