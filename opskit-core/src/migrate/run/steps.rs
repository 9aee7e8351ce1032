//! How the statements of a file run.

use super::super::class::TransactionUse;
use super::super::files::Migration;
use super::super::script::{Script, Statement};
use crate::error::{Error, ErrorKind, Result};

/// In what a migration runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// All of it in one transaction: done, or not begun.
    Transaction,
    /// Statement by statement, because one of them cannot run in a transaction, or because the file says so.
    /// Interrupted, it goes on behind the last that was done.
    Statements,
}

/// The statements of a migration that are sent, and in what.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Steps<'a> {
    pub(crate) mode: Mode,
    pub(crate) statements: &'a [Statement],
}

/// First lines that ask for no transaction: ours, and that of `sqlx`.
const MARKS: [&str; 2] = ["-- opskit: no-transaction", "-- no-transaction"];

impl<'a> Steps<'a> {
    /// # Errors
    /// Of kind `InvalidInput` for a file that begins or ends transactions. One pair around all of it is fine: it is what
    /// the run does anyway.
    pub(crate) fn of(migration: &'a Migration) -> Result<Self> {
        Self::of_script(&migration.script, &migration.file)
    }

    /// The rest of a file that was begun statement by statement, whatever its text asks for by now.
    pub(crate) fn of_rest(migration: &'a Migration) -> Result<Self> {
        Self::in_mode(&migration.script, &migration.file, Mode::Statements)
    }

    pub(crate) fn of_script(script: &'a Script, file: &str) -> Result<Self> {
        let all = script.statements();
        let outside = |one: &Statement| one.transaction == TransactionUse::Outside;
        let asked = MARKS.iter().any(|mark| {
            script
                .text()
                .trim_start_matches('\u{feff}')
                .starts_with(mark)
        });
        let mode = match asked || all.iter().any(outside) {
            true => Mode::Statements,
            false => Mode::Transaction,
        };
        Self::in_mode(script, file, mode)
    }

    fn in_mode(script: &'a Script, file: &str, mode: Mode) -> Result<Self> {
        let all = script.statements();
        let statements = match mode {
            Mode::Transaction => without_frame(script),
            Mode::Statements => all,
        };
        let stray = |one: &&Statement| {
            matches!(
                one.transaction,
                TransactionUse::Begins | TransactionUse::Ends
            )
        };
        match statements.iter().find(stray) {
            None => Ok(Self { mode, statements }),
            Some(stray) => Err(refused(script, stray, file, mode)),
        }
    }
}

/// Without the `BEGIN` and the `COMMIT` that stand around everything else.
fn without_frame(script: &Script) -> &[Statement] {
    let all = script.statements();
    let [first, inner @ .., last] = all else {
        return all;
    };
    let commits = || {
        let text = script.text_of(last).to_ascii_lowercase();
        matches!(text.split_whitespace().next(), Some("commit" | "end"))
            && last.transaction == TransactionUse::Ends
    };
    match first.transaction == TransactionUse::Begins && commits() {
        true => inner,
        false => all,
    }
}

fn refused(script: &Script, stray: &Statement, file: &str, mode: Mode) -> Error {
    let at = script.position(stray.span.start);
    let word = script
        .text_of(stray)
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .to_ascii_uppercase();
    let why = match mode {
        Mode::Transaction => {
            "it would end the transaction that the migration and its row in the history are in"
        }
        Mode::Statements => {
            "the migration runs statement by statement, each in a transaction of its own"
        }
    };
    Error::new(
        ErrorKind::InvalidInput,
        format!("\"{word}\" at {file}:{at} is refused"),
    )
    .with_source(why)
    .with_hint("Leave BEGIN and COMMIT out, or make several migrations of it.")
}

/// Whether the statement changes settings of the session, so that what comes later needs it after an interruption too.
pub(crate) fn is_setting(text: &str) -> bool {
    let mut words = text.split_whitespace().map(str::to_ascii_lowercase);
    match (words.next().as_deref(), words.next().as_deref()) {
        (Some("set"), Some("local" | "constraints" | "transaction")) => false,
        (Some("set" | "reset"), _) => true,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Result<(Mode, usize)> {
        let script = Script::parse(text)?;
        let steps = Steps::of_script(&script, "1_x.sql")?;
        Ok((steps.mode, steps.statements.len()))
    }

    #[test]
    fn one_statement_that_needs_no_transaction_decides_for_all() {
        let index = "create table t (i int); create index concurrently on t (i)";
        assert_eq!(steps(index).unwrap(), (Mode::Statements, 2));
        assert_eq!(
            steps("create table t (i int)").unwrap(),
            (Mode::Transaction, 1)
        );
        assert_eq!(
            steps("-- no-transaction\nselect 1").unwrap(),
            (Mode::Statements, 1)
        );
        assert_eq!(steps("").unwrap(), (Mode::Transaction, 0));
    }

    #[test]
    fn a_pair_around_all_is_dropped_and_any_other_refused_by_line() {
        assert_eq!(
            steps("begin; select 1; select 2; commit;").unwrap(),
            (Mode::Transaction, 2)
        );
        assert_eq!(steps("BEGIN; END").unwrap(), (Mode::Transaction, 0));
        for text in [
            "select 1;\ncommit;\nbegin;\nselect 2",
            "begin; select 1;",
            "select 1; commit",
            "begin; select 1; rollback",
            "begin; vacuum; commit",
        ] {
            let error = steps(text).unwrap_err();
            assert!(error.to_string().contains("1_x.sql:"), "{error}");
        }
        let error = steps("select 1;\ncommit;\nbegin;\nselect 2").unwrap_err();
        assert_eq!(error.to_string(), "\"COMMIT\" at 1_x.sql:2:1 is refused");
    }

    #[test]
    fn settings_are_told_from_what_ends_with_a_transaction() {
        assert!(is_setting("SET lock_timeout = '1s'"));
        assert!(is_setting("reset role"));
        assert!(!is_setting("set local role x"));
        assert!(!is_setting("select 1"));
    }
}
