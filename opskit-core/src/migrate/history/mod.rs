//! The history of migrations: our own table, and those of other tools that were here before.

mod layout;
mod record;
mod write;

pub(crate) use layout::SCHEMA;
pub use record::{Record, State};
pub(crate) use write::{Draft, Repair, StepMark, deleted_sql};

use super::files::{Migration, MigrationId, Migrations, Version};
use super::ledger::{self, Ledger, LedgerRow};
use crate::catalog::TextRow;
use crate::error::{Error, ErrorKind, Result};
use crate::postgres::wire::WireConnection;
use std::collections::{BTreeSet, HashSet};

/// All that a database says of its migrations.
#[derive(Debug, Clone, Default)]
pub(crate) struct History {
    pub(crate) presence: Presence,
    /// Our own rows, in the order in which they ran.
    pub(crate) records: Vec<Record>,
    /// The tables of other tools.
    pub(crate) ledgers: Vec<Ledger>,
    /// What those say and our own do not, yet.
    pub(crate) foreign: Vec<(usize, LedgerRow)>,
    /// What each of those says that our own does too.
    pub(crate) shared: Vec<BTreeSet<Version>>,
    /// The statements that are done of migrations that are not.
    pub(crate) steps: Vec<Step>,
}

/// What there is of our tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Presence {
    /// Not even the schema.
    #[default]
    Nothing,
    /// An empty schema that somebody made for us.
    Schema,
    /// The tables.
    Tables,
}

/// A statement that ran outside of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    pub(crate) id: String,
    /// Its number in the migration, from 0.
    pub(crate) step: usize,
    /// SHA-256 of its text.
    pub(crate) digest: String,
    /// Whether the server said that it was done. A statement that was begun only may be done or not.
    pub(crate) done: bool,
}

impl History {
    /// Reads everything, and writes nothing.
    pub(crate) async fn read(connection: &mut WireConnection) -> Result<Self> {
        let mut history = Self {
            presence: presence(connection).await?,
            ..Self::default()
        };
        if history.presence == Presence::Tables {
            let rows = rows(connection, record::READ).await?;
            history.records = rows.iter().map(Record::from_row).collect::<Result<_>>()?;
            let rows = rows_of_steps(connection).await?;
            history.steps = rows.iter().filter_map(Step::from_row).collect();
        }
        let found = rows(connection, ledger::FIND).await?;
        history.ledgers = found.iter().filter_map(Ledger::from_row).collect();
        let known: HashSet<MigrationId> = history
            .records
            .iter()
            .map(|record| record.id.clone())
            .collect();
        for (at, ledger) in history.ledgers.iter().enumerate() {
            let mut shared = BTreeSet::new();
            for row in rows(connection, &ledger.read_sql()).await? {
                let row = ledger.row(&row)?;
                match known.contains(&MigrationId::Versioned(row.version.clone())) {
                    true => drop(shared.insert(row.version)),
                    false => history.foreign.push((at, row)),
                }
            }
            history.shared.push(shared);
        }
        Ok(history)
    }

    /// Makes the tables where there are none.
    pub(crate) async fn make(&mut self, connection: &mut WireConnection) -> Result<()> {
        let doing = "cannot make the history of migrations";
        let tell = |error: Error| {
            match error.kind() {
            ErrorKind::PermissionDenied => error.while_doing(doing).with_hint(
                "Have an administrator run: CREATE SCHEMA opskit AUTHORIZATION the_role_that_migrates;",
            ),
            _ => error.while_doing(doing),
        }
        };
        if self.presence == Presence::Nothing {
            connection
                .execute(layout::MAKE_SCHEMA)
                .await
                .map_err(tell)?;
        }
        if self.presence != Presence::Tables {
            // Several statements in one message are one transaction.
            connection.execute(layout::MAKE).await.map_err(tell)?;
            self.presence = Presence::Tables;
        }
        Ok(())
    }

    /// Whether there is a history of ours.
    pub(crate) fn has_tables(&self) -> bool {
        self.presence == Presence::Tables
    }

    /// Whether any history here has the migration.
    pub(crate) fn knows(&self, id: &MigrationId) -> bool {
        let foreign = |row: &LedgerRow| id.version() == Some(&row.version);
        self.of(id).is_some() || self.foreign.iter().any(|(_, row)| foreign(row))
    }

    /// Whether the schema is what a run left that ended by itself: then nothing moved it since but people.
    pub(crate) fn left(&self, facts: &str) -> bool {
        // A baseline runs nothing, so it leaves what the run before it left.
        let last = self
            .records
            .iter()
            .rev()
            .find(|record| record.state != State::Baseline)
            .and_then(|record| record.facts_after.as_deref());
        last == Some(facts) && self.foreign.is_empty()
    }

    /// The other tool that does not know a migration any more which ran: it was taken back with that tool. Its history
    /// was kept in step, so it had the line when it has that of the one before.
    pub(crate) fn taken_back(&self, record: &Record) -> Option<&Ledger> {
        let version = record.id.version()?;
        let has = |version: &Version| self.shared.iter().any(|shared| shared.contains(version));
        if record.state != State::Applied || has(version) {
            return None;
        }
        let before = self
            .records
            .iter()
            .filter(|one| one.state == State::Applied);
        let before = before.filter_map(|one| one.id.version());
        let before = before.filter(|one| *one < version).max();
        let mut ledgers = self.ledgers.iter().zip(&self.shared);
        let lost = ledgers.find(|(ledger, shared)| {
            let came_from_it = record.origin.as_deref() == Some(&ledger.table.to_string());
            came_from_it || before.is_some_and(|before| shared.contains(before))
        });
        lost.map(|(ledger, _)| ledger)
    }

    /// The record of a migration.
    pub(crate) fn of(&self, id: &MigrationId) -> Option<&Record> {
        self.records.iter().find(|record| record.id == *id)
    }

    /// The steps of a migration, by number.
    pub(crate) fn steps_of<'a>(&'a self, key: &'a str) -> impl Iterator<Item = &'a Step> {
        self.steps.iter().filter(move |step| step.id == key)
    }

    /// What identifies this history: a plan that was made for another one is not carried out.
    pub(crate) fn digest(&self) -> String {
        use sha2::{Digest as _, Sha256};
        let mut digest = Sha256::new();
        for record in &self.records {
            let text = record.digests.as_ref().map_or("", |digests| &digests.raw);
            digest.update(format!(
                "{}\n{}\n{:?}\n",
                record.id.key(),
                text,
                record.state
            ));
        }
        for (at, row) in &self.foreign {
            digest.update(format!("{at}\n{}\n", row.version.number()));
        }
        for step in &self.steps {
            digest.update(format!("{}\n{}\n{}\n", step.id, step.step, step.done));
        }
        crate::name::hex(&digest.finalize())
    }

    /// Takes what other tools ran over into our table. Their files must be what ran, where that can be told.
    pub(crate) fn adopt_sql(&self, migrations: &Migrations) -> Result<Vec<String>> {
        let adopt = |(at, row): &(usize, LedgerRow)| {
            let ledger = &self.ledgers[*at];
            let id = MigrationId::Versioned(row.version.clone());
            let file = migrations.get(&id);
            check_foreign(ledger, row, file)?;
            Ok(write::adopted(ledger, row, file))
        };
        self.foreign.iter().map(adopt).collect()
    }
}

/// Refuses what another tool says did not end well, or ran from another file.
pub(crate) fn check_foreign(
    ledger: &Ledger,
    row: &LedgerRow,
    file: Option<&Migration>,
) -> Result<()> {
    if !row.success {
        return Err(Error::new(
            ErrorKind::CheckFailed,
            format!(
                "{} says that migration {} failed",
                ledger.table, row.version
            ),
        )
        .with_hint("Finish or remove it with the tool that ran it, then try again."));
    }
    match file {
        Some(file) if !ledger.is_of(row, file) => Err(Error::new(
            ErrorKind::CheckFailed,
            format!("\"{}\" was changed since {} says that it ran", file.file, ledger.table),
        )
        .with_hint("Bring the file back as it ran, line ends included; or accept it as it is: opskit migrate repair --accept VERSION --reason TEXT.")),
        _ => Ok(()),
    }
}

impl Step {
    fn from_row(row: &TextRow) -> Option<Self> {
        let field = |at: usize| row.get(at).and_then(Option::as_deref);
        Some(Self {
            id: field(0)?.to_owned(),
            step: field(1)?.parse().ok()?,
            digest: field(2)?.to_owned(),
            done: field(3)? == "done",
        })
    }
}

async fn presence(connection: &mut WireConnection) -> Result<Presence> {
    let found = rows(connection, layout::FIND).await?;
    let has = |at: usize| {
        found
            .first()
            .is_some_and(|row| row.get(at).is_some_and(Option::is_some))
    };
    match (has(0), has(1)) {
        (_, true) => {}
        (true, false) => return Ok(Presence::Schema),
        (false, false) => return Ok(Presence::Nothing),
    }
    let version = rows(connection, layout::READ_VERSION).await?;
    let version = version
        .first()
        .and_then(|row| row.first()?.as_deref()?.parse::<u32>().ok());
    match version {
        Some(layout::VERSION) => Ok(Presence::Tables),
        Some(newer) => Err(Error::new(
            ErrorKind::Unsupported,
            format!(
                "the history of migrations has layout {newer}, and this opskit knows {}",
                layout::VERSION
            ),
        )
        .with_hint("Use the version of opskit that migrated this database last, or a newer one.")),
        None => Err(Error::new(
            ErrorKind::Damaged,
            "the history of migrations in schema \"opskit\" does not tell its layout",
        )),
    }
}

async fn rows_of_steps(connection: &mut WireConnection) -> Result<Vec<TextRow>> {
    let sql = "select id, step::pg_catalog.text, digest, state from opskit.migration_steps order by id, step";
    rows(connection, sql).await
}

/// The rows of one statement.
pub(crate) async fn rows(connection: &mut WireConnection, sql: &str) -> Result<Vec<TextRow>> {
    let mut sets = connection
        .query(sql)
        .await
        .map_err(|error| error.while_doing("cannot read the history of migrations"))?;
    Ok(sets.pop().unwrap_or_default().rows)
}
