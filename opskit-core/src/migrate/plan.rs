//! What a run would do.

use super::effects::{Effect, effects};
use super::files::{Digests, Migration, MigrationId, Migrations};
use super::gate::{Danger, Finding, findings};
use super::history::History;
use super::ledger::Ledger;
use super::lint::{Lint, lints};
use super::run::{Mode, Steps};
use super::status::{Standing, Status, Wanted};
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::wire::WireConnection;
use serde::Serialize;

/// What a run would do, made for one state of history and files.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct Plan {
    /// The form of this document.
    pub schema: &'static str,
    /// The database.
    pub database: String,
    /// The history that it was made for. With another one it is not carried out.
    pub history_digest: String,
    /// History tables of other tools whose rows are taken over, and that are kept in step.
    pub ledgers: Vec<Ledger>,
    /// What runs, in this order.
    pub migrations: Vec<PlannedMigration>,
}

/// The form of [`Plan`].
const PLAN_SCHEMA: &str = "opskit.migrate-plan/1";

/// A migration that would run.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PlannedMigration {
    /// Which.
    pub id: MigrationId,
    /// Its name.
    pub name: String,
    /// Its file.
    pub file: String,
    /// Digests of the file that the plan was made for.
    pub digests: Digests,
    /// In what it runs.
    pub mode: Mode,
    /// Whether some of it ran before.
    pub standing: Standing,
    /// Whether there is a file that takes it back.
    pub has_down: Down,
    /// Its statements.
    pub statements: Vec<PlannedStatement>,
    /// What the gate says of it.
    pub findings: Vec<Finding>,
    /// What `squawk` says of it, where the library has the feature.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lints: Vec<Lint>,
}

/// Whether there is a file that takes a migration back.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Down {
    /// There is.
    Yes,
    /// There is none.
    No,
}

/// A statement that would run.
#[derive(Debug, Clone, Serialize)]
#[non_exhaustive]
pub struct PlannedStatement {
    /// Its first line in the file.
    pub line: usize,
    /// How it begins.
    pub text: String,
    /// What it locks, and what it does meanwhile.
    pub effects: Vec<Effect>,
    /// Whether an earlier run did it.
    pub done: Ran,
}

/// Whether an earlier run did a statement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Ran {
    /// It did.
    Before,
    /// It would run now.
    Now,
}

impl Plan {
    pub(super) fn make(
        status: &Status,
        wanted: &Wanted,
        migrations: &Migrations,
        history: &History,
    ) -> Result<Self> {
        history.adopt_sql(migrations)?;
        let pending = status.pending(wanted)?;
        let planned = pending
            .iter()
            .filter_map(|one| Some((one.standing, migrations.get(&one.id)?)));
        let planned =
            planned.map(|(standing, migration)| PlannedMigration::of(migration, standing, history));
        Ok(Self {
            schema: PLAN_SCHEMA,
            database: status.database.clone(),
            history_digest: status.history_digest.clone(),
            ledgers: status.ledgers.clone(),
            migrations: planned.collect::<Result<_>>()?,
        })
    }

    /// Whether nothing would run.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.migrations.is_empty()
    }

    /// What a production target refuses: what loses rows or objects, weakens access, or cannot be told by its text, and
    /// that nobody gave a reason for.
    pub fn refused(&self) -> impl Iterator<Item = &Finding> {
        let all = self
            .migrations
            .iter()
            .flat_map(|migration| &migration.findings);
        all.filter(|found| {
            let grave = matches!(
                found.rule.danger,
                Danger::Loses | Danger::Weakens | Danger::Hides
            );
            grave && found.allowed.is_none()
        })
    }

    /// What identifies the files that would run.
    #[must_use]
    pub fn files_digest(&self) -> String {
        use sha2::{Digest as _, Sha256};
        let mut digest = Sha256::new();
        for migration in &self.migrations {
            digest.update(format!("{}\n{}\n", migration.id, migration.digests.text));
        }
        crate::name::hex(&digest.finalize())
    }

    /// Asks for the sizes of the tables that are named.
    pub(super) async fn look_up_sizes(&mut self, connection: &mut WireConnection) -> Result<()> {
        let statements = self
            .migrations
            .iter_mut()
            .flat_map(|migration| &mut migration.statements);
        for effect in statements.flat_map(|statement| &mut statement.effects) {
            let sql = format!(
                "select pg_catalog.pg_total_relation_size(pg_catalog.to_regclass({}))::pg_catalog.text",
                crate::name::quote_literal(&effect.relation)
            );
            let sets = connection.query(&sql).await?;
            effect.bytes = sets
                .first()
                .and_then(|set| set.rows.first()?.first()?.as_deref()?.parse().ok());
        }
        Ok(())
    }

    /// The files of the plan, as they were when it was made.
    pub(super) fn files<'m>(&self, migrations: &'m Migrations) -> Result<Vec<&'m Migration>> {
        let file = |planned: &PlannedMigration| {
            let file = migrations.get(&planned.id);
            file.filter(|file| file.digests == planned.digests)
                .ok_or_else(|| {
                    Error::new(
                        ErrorKind::CheckFailed,
                        format!("\"{}\" was changed since the plan was made", planned.file),
                    )
                    .with_hint("Make the plan again.")
                })
        };
        self.migrations.iter().map(file).collect()
    }
}

impl PlannedMigration {
    fn of(migration: &Migration, standing: Standing, history: &History) -> Result<Self> {
        let steps = Steps::of(migration)?;
        let key = migration.id.key();
        let done: Vec<usize> = history
            .steps_of(&key)
            .filter(|step| step.done)
            .map(|step| step.step)
            .collect();
        let statement = |(at, one): (usize, &super::script::Statement)| PlannedStatement {
            line: one.line,
            text: beginning(migration.script.text_of(one)),
            effects: effects(migration.script.text_of(one)),
            done: match done.contains(&at) {
                true => Ran::Before,
                false => Ran::Now,
            },
        };
        Ok(Self {
            id: migration.id.clone(),
            name: migration.name.clone(),
            file: migration.file.clone(),
            digests: migration.digests.clone(),
            mode: steps.mode,
            standing,
            has_down: match migration.down {
                Some(_) => Down::Yes,
                None => Down::No,
            },
            statements: steps.statements.iter().enumerate().map(statement).collect(),
            findings: findings(migration)?,
            lints: lints(migration),
        })
    }
}

/// The most of a statement that is shown, in characters.
const SHOWN: usize = 100;

/// How a statement begins, on one line. What stands in quotes may be a secret and is left out.
fn beginning(text: &str) -> String {
    let shown = super::lexer::tokens(text).map(|token| match token.kind {
        super::lexer::TokenKind::String => "'…'",
        super::lexer::TokenKind::DollarBody => "$$…$$",
        _ => token.text,
    });
    let mut line = String::new();
    for word in shown {
        if line.chars().count() + word.chars().count() > SHOWN {
            line.push('…');
            break;
        }
        let glued = matches!(word, "," | ")" | "." | ";" | "::") || line.ends_with(['(', '.', ':']);
        if !line.is_empty() && !glued {
            line.push(' ');
        }
        line.push_str(word);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_statement_is_shown_on_one_line_and_without_its_values() {
        let text = "create role app\n  -- comment\n login password 'secret'";
        assert_eq!(beginning(text), "create role app login password '…'");
        let long = format!("select {}", "a, ".repeat(200));
        assert!(beginning(&long).chars().count() <= SHOWN + 2);
        assert_eq!(
            beginning("create table s.t (a int, b text)"),
            "create table s.t (a int, b text)"
        );
    }
}
