//! A migration that failed, and what that left behind.

use super::super::files::{Migration, MigrationId};
use super::super::script::{Script, Statement};
use crate::error::{Error, ErrorKind};
use serde::Serialize;

/// What a failed migration left behind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
#[non_exhaustive]
pub enum Left {
    /// Nothing: its transaction was rolled back.
    RolledBack,
    /// What it did before: run again, it goes on at this statement.
    ResumeHere {
        /// How many statements are done.
        done: usize,
        /// How many there are.
        of: usize,
    },
    /// The connection was lost while it was committed. Run again, it goes on rightly in either case.
    Unknown,
}

/// A migration that failed.
#[derive(Debug, Serialize)]
#[non_exhaustive]
pub struct Failure {
    /// Which.
    pub id: MigrationId,
    /// Its file.
    pub file: String,
    /// Line and column of the mistake, or of the statement.
    pub at: Option<String>,
    /// The line with a caret below. Not of one that may hold a secret.
    pub excerpt: Option<String>,
    /// What went wrong, outermost first.
    pub messages: Vec<String>,
    /// The server's code for it.
    pub sqlstate: Option<String>,
    /// The way out.
    pub hint: Option<String>,
    /// What it left behind.
    pub left: Left,
    /// The kind of the error.
    #[serde(skip)]
    pub kind: ErrorKind,
}

impl Failure {
    /// A failure at a statement of a script; `None` where it was at none.
    pub(super) fn new(
        migration: &Migration,
        script: &Script,
        statement: Option<&Statement>,
        error: &Error,
        left: Left,
    ) -> Self {
        let byte = statement.map(|one| mistake(script, one, error));
        Self {
            id: migration.id.clone(),
            file: migration.file.clone(),
            at: byte.map(|byte| script.position(byte).to_string()),
            excerpt: byte
                .map(|byte| script.excerpt(byte))
                .filter(|text| !is_secret(text)),
            messages: error.chain(),
            sqlstate: error.sqlstate().map(str::to_owned),
            hint: hint(error),
            left,
            kind: error.kind(),
        }
    }

    /// The failure as an error.
    #[must_use]
    pub fn to_error(&self) -> Error {
        let at = self
            .at
            .as_ref()
            .map_or_else(String::new, |at| format!(":{at}"));
        let messages = self.messages.join(": ");
        let excerpt = self
            .excerpt
            .as_ref()
            .map_or_else(String::new, |text| format!("\n{text}"));
        let error = Error::new(
            self.kind,
            format!("migration {} failed at {}{at}", self.id, self.file),
        )
        .with_source(format!("{messages}{excerpt}"));
        let left = match &self.left {
            Left::RolledBack => "The migration was rolled back: nothing of it is left.".to_owned(),
            Left::ResumeHere { done, of } => {
                format!("{done} of its {of} statements are done; `apply` goes on behind them.")
            }
            Left::Unknown => {
                "The connection was lost while it was committed: `status` tells whether it is done."
                    .to_owned()
            }
        };
        error.with_hint(match &self.hint {
            Some(hint) => format!("{left} {hint}"),
            None => left,
        })
    }
}

/// Where the server saw the mistake, else where the statement begins.
fn mistake(script: &Script, statement: &Statement, error: &Error) -> usize {
    let text = script.text_of(statement);
    let character = error.position().and_then(|at| at.checked_sub(1));
    let within = character
        .and_then(|at| text.char_indices().nth(at))
        .map_or(0, |(byte, _)| byte);
    statement.span.start + within
}

fn is_secret(line: &str) -> bool {
    const WORDS: [&str; 5] = ["password", "secret", "token", "api_key", "private"];
    let line = line.to_ascii_lowercase();
    WORDS.iter().any(|word| line.contains(word))
}

fn hint(error: &Error) -> Option<String> {
    let ours = match error.sqlstate()? {
        "55P04" => {
            "A label that was added to an enum cannot be used before it is committed: put ALTER TYPE … ADD VALUE into a migration of its own."
        }
        "25001" => {
            "The statement cannot run in a transaction: give the file `-- opskit: no-transaction` as first line."
        }
        "55P03" => {
            "Another session holds a lock that the statement needs. Run it again at a quieter time, or raise --lock-timeout or --lock-deadline."
        }
        _ => return error.hint().map(str::to_owned),
    };
    Some(ours.to_owned())
}
